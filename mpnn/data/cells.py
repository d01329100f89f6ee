"""One cell of a text file: a number, a missing value, or the reason why it is neither."""

import math
import re
import unicodedata

from mpnn.data.errors import DataError

__all__ = [
    "MISSING",
    "cell_error",
    "counted",
    "in_column",
    "number_problem",
    "parse_number",
    "plain_name",
    "shorten",
]

# Written for a missing value by spreadsheets, R, pandas, SQL and the UCI repository.
MISSING = frozenset({"", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NAN", "NULL", "null"})
# Among numbers these mean the same; among words, `None` or `-` may be a value.
MISSING_NUMBER = MISSING | {"None", "none", "na", "-nan", "-NaN", "-", "--", "."}

_NUMBER = {
    ".": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII),
    ",": re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d+)?", re.ASCII),
}
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s?[ap]m)?(z|\s?[+-]\d{2}:?\d{2})?"
_DATE = "|".join(
    (
        r"\d{4}([-/.])\d{1,2}\2\d{1,2}",
        r"\d{1,2}([-/.])\d{1,2}\3(\d{4}|\d{2})",
        rf"\d{{1,2}}[ -]?{_MONTH}[ -]?\d{{2,4}}",
        rf"{_MONTH}\s\d{{1,2}},?\s\d{{4}}",
        rf"{_MONTH}[ -]\d{{4}}",
    )
)
_SPACES = "' \u2019\u00a0\u2009\u202f_"  # apostrophes, spaces and underscores that part thousands
_THOUSANDS = re.compile(
    r"[+-]?\d{1,3}((,\d{3})+(\.\d*)?|(\.\d{3})+(,\d*)?|" + rf"([{_SPACES}]\d{{3}})+([.,]\d*)?)", re.ASCII
)

_DATE_ADVICE = (
    "write it as numbers (days since a start, month, weekday), drop the column (option drop) "
    "or make it a category (option categorical)"
)
# (pattern, what is wrong and what to do), the first that matches the whole cell counts.
_PROBLEMS = tuple(
    (re.compile(pattern, re.IGNORECASE), problem)
    for pattern, problem in (
        (r"[+-]?(inf|infinity|1\.#inf)", "is infinite; leave the cell empty where the value is unknown"),
        (r"#[A-Z/0]+[!?]", "is a spreadsheet's error; correct the cell or leave it empty"),
        (r"[+-]?[\d.,]+\s*%", "has a percent sign; write the bare number in every row"),
        (
            r"([+-]?\s*[$€£¥₹]\s*[\d.,]+)|([+-]?[\d.,]+\s*[$€£¥₹])",
            "has a currency sign; write the bare number in every row",
        ),
        (rf"({_DATE})([t ]\s*{_TIME})?", f"is a date; {_DATE_ADVICE}"),
        (_TIME, f"is a time of day; {_DATE_ADVICE}"),
        (r"[\u2212\u2012\u2013]\s*[\d.,]+", "has a minus sign that is no hyphen; write - in every row"),
        (r"[+-]?0x[0-9a-f]+", "is a hexadecimal number; write it in decimal digits"),
    )
)


def parse_number(text: str, decimal: str = ".") -> float | None:
    """Return the number that a cell holds, None where it holds something else or overflows float64."""
    if not _NUMBER[decimal].fullmatch(text):
        return None
    value = float(text.replace(",", "."))
    return value if math.isfinite(value) else None


def number_problem(text: str, decimal: str = ".") -> str | None:
    """Return why a cell that almost is a number is none, with advice; None for a plain word."""
    for pattern, problem in _PROBLEMS:
        if pattern.fullmatch(text):
            return problem
    if _NUMBER[decimal].fullmatch(text):
        return (
            None
            if parse_number(text, decimal) is not None
            else "is larger than 1.8e308; leave the cell empty"
        )
    other = "." if decimal == "," else ","
    if _NUMBER[other].fullmatch(text) and not _THOUSANDS.fullmatch(text):
        return f"has a decimal {_NAMES[other]} where the file has {_NAMES[decimal]}s; use one in every cell"
    if _THOUSANDS.fullmatch(text):
        return f"has a thousands separator; write the digits alone{_decimal_advice(text, decimal)}"
    return None


_NAMES = {".": "point", ",": "comma"}


def _decimal_advice(text: str, decimal: str) -> str:
    """Name the option that makes a cell such as 1,234 a number with decimals."""
    other = "." if decimal == "," else ","
    return f", or give decimal {other!r} if it is one" if _NUMBER[other].fullmatch(text) else ""


def shorten(text: str, width: int = 40) -> str:
    """Return a text in quotes, cut where it is long; whatever cannot be printed is escaped."""
    text = str(text)
    return repr(text if len(text) <= width else f"{text[: width - 3]}...")


def plain_name(text: str) -> str:
    """Return the name of a column without the spaces around it, its accents in one piece with their letters.

    Some systems write letter and accent as two characters, which look the same.
    """
    return unicodedata.normalize("NFC", text.lstrip("\ufeff").strip())


def counted(number: int, noun: str) -> str:
    """Return a number and what it counts, which gets an s where there is not one: 1 row, 2 rows."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def in_column(name: str) -> str:
    """Return how a message names a column: columns without a header have a number."""
    return name if re.fullmatch(r"column \d+", name) else f"column {shorten(name)}"


def cell_error(place: str, column: str, text: str, problem: str) -> DataError:
    """Return the sentence that refuses one cell; `place` names file and line."""
    cell = f" {shorten(text)}" if text else " an empty cell"
    return DataError(f"{place}, {in_column(column)}:{cell} {problem}")
