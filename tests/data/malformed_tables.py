"""Files and arguments that `read_table` refuses, with the sentence each gets; FILE stands for the path."""

import gzip
import io
from typing import Any, NamedTuple

import numpy as np


class Malformed(NamedTuple):
    """One refusal: a name for the test, the file's content, `read_table`'s arguments and the sentence."""

    name: str
    content: bytes
    arguments: dict[str, Any]
    sentence: str = ""
    file: str = "t.csv"


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


KIND = {"label": "kind"}
X = np.arange(6.0).reshape(3, 2)
OBJECTS = np.array([{"a": 1}, None, 3], dtype=object)
INFINITE = np.array([[1.0, 2.0], [3.0, np.inf]])

MALFORMED = [
    # files that hold no table
    Malformed("empty", b"", {}, "FILE is empty"),
    Malformed("blank lines", b"\n\n  \n", {}, "FILE holds blank lines only"),
    Malformed("byte order mark alone", b"\xef\xbb\xbf", {}, "FILE holds blank lines only"),
    Malformed("header only", b"a,b,kind\n", KIND, "FILE has a header but no rows"),
    Malformed("header and blank lines", b"a,b,kind\n\n\n", KIND, "FILE has a header but no rows"),
    Malformed("blank lines in UTF-16", "\n\n".encode("utf-16"), {}, "FILE holds blank lines only"),
    Malformed("nothing below the line of the delimiter", b"sep=;\n", {}, "FILE holds blank lines only"),
    Malformed(
        "title above the header",
        b"Measured in May\n\na,b,kind\n1,2,x\n3,4,x\n",
        {},
        "FILE, line 1: 'Measured in May' stands above the header, which seems to be line 3; delete what is "
        "above it",
    ),
    Malformed(
        "remark above the header",
        b"# made by a balance\na,b,kind\n1,2,x\n3,4,x\n",
        KIND,
        "FILE, line 1: '# made by a balance' stands above the header, which seems to be line 2; delete what "
        "is above it",
    ),
    Malformed(
        "remarks of as many cells as the header",
        b"# on a day, in May, by hand\n# twice,,\na,b,kind\n1,2,x\n3,4,x\n",
        KIND,
        "FILE, line 1: '# on a day,in May,by hand' stands above the header, which seems to be line 3; delete "
        "what is above it",
    ),
    Malformed(
        "remark below the header",
        b"a,b,kind\n1,2,x\n# a break\n3,4,x\n",
        KIND,
        "FILE, line 3: 1 cell (parted by commas), the last being '# a break', where the header has 3; "
        "delete the row if it is a remark",
    ),
    Malformed(
        "workbook",
        b"PK\x03\x04\x14\x00\x06\x00",
        {},
        "FILE is a ZIP archive or an Excel workbook; save the table as CSV",
    ),
    Malformed(
        "old workbook",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        {},
        "FILE is an old Excel workbook; save the table as CSV",
    ),
    Malformed(
        "Parquet by another name",
        b"PAR1\x15\x04\x15",
        {},
        "FILE is a Parquet file; give it a name that ends in .parquet",
    ),
    Malformed(
        "array by another name",
        b"\x93NUMPY\x01\x00v\x00",
        {},
        "FILE is a NumPy array; give it a name that ends in .npy",
    ),
    Malformed("picture", b"\x89PNG\r\n\x1a\n\x00\x00", {}, "FILE is a picture; give a table"),
    Malformed(
        "web page",
        b"<!DOCTYPE html>\n<html></html>\n",
        {},
        "FILE is a web page; save the table itself as CSV",
    ),
    Malformed("XML", b'<?xml version="1.0"?>\n<a/>\n', {}, "FILE is XML; save the table as CSV"),
    Malformed("JSON", b'[{"a": 1}, {"a": 2}]', {}, "FILE is JSON; save the table as CSV"),
    Malformed("PDF", b"%PDF-1.7\n", {}, "FILE is a PDF document; save the table as CSV"),
    Malformed("database", b"SQLite format 3\x00", {}, "FILE is an SQLite database; export the table as CSV"),
    Malformed(
        "ARFF",
        b"@relation iris\n@attribute a real\n@data\n1\n",
        {},
        "FILE is an ARFF or KEEL file; delete its lines that begin with @ and give it as .csv",
    ),
    Malformed(
        "zero byte in the first lines",
        b"a,b\n1,2\n3,\x004\n",
        {},
        "FILE, line 3: a zero byte, so this is no text file, or a damaged one; export the table as CSV",
    ),
    Malformed(
        "zero byte far below",
        b"a,b\n" + b"1.5,2\n" * 60_000 + b"3,\x004\n",
        {},
        "FILE, line 60002: a zero byte, so this is no text file, or a damaged one; export the table as CSV",
    ),
    Malformed(
        "random bytes",
        bytes(range(128, 136)),
        {},
        "FILE, line 1: byte 0x80 in '\\x80\\x81\\x82\\x83\\x84\\x85\\x86\\x87' is not utf-8; if the file "
        "comes from Windows or is old, give encoding 'cp1252' or 'latin-1' and look at the "
        "letters with accents",
    ),
    Malformed(
        "latin-1",
        "a,kind\n1,ja\n2,s\u00ed\n".encode("latin-1"),
        KIND,
        "FILE, line 3: byte 0xed in '2,sí' is not utf-8; if the file comes from Windows or is "
        "old, give encoding 'cp1252' or 'latin-1' and look at the letters with accents",
    ),
    Malformed(
        "latin-1 far below",
        b"a,kind\n" + b"1,x\n" * 90_000 + b"2,\xed\n",
        KIND,
        "FILE, line 90002: byte 0xed in '2,í' is not utf-8; if the file comes from Windows or is "
        "old, give encoding 'cp1252' or 'latin-1' and look at the letters with accents",
    ),
    Malformed(
        "cut UTF-16",
        "a,b\n1,2\n".encode("utf-16")[:-1],
        {},
        "FILE: cut off, or not utf-16 text; give its encoding",
    ),
    Malformed(
        "cut gzip",
        gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-12],
        {},
        "FILE is damaged or cut off within its gzip data; copy it again",
        file="t.csv.gz",
    ),
    Malformed(
        "damaged gzip",
        b"\x1f\x8bnonsense",
        {},
        "FILE is damaged or cut off within its gzip data; copy it again",
        file="t.csv.gz",
    ),
    Malformed(
        "no gzip",
        b"a,b\n1,2\n",
        {},
        "FILE is not packed by gzip, as its name says; rename or pack it",
        file="t.csv.gz",
    ),
    Malformed(
        "one endless line",
        b"1," * 100_001 + b"\n",
        {},
        "FILE, line 1: 100002 cells, more than 100000 columns; is a line end missing?",
    ),
    Malformed(
        "gigantic cell",
        b'a,b\n1,"' + b"x" * 140_000 + b'"\n',
        {},
        "FILE, line 2: a cell is longer than 131072 characters; is a quote left open?",
    ),
    # rows and cells that do not fit
    Malformed(
        "long row",
        b"a,b,kind\n1,2,x\n1,2,3,y\n",
        KIND,
        "FILE, line 3: 4 cells (parted by commas), the last being 'y', where the header has 3; "
        "quote cells that contain a comma",
    ),
    Malformed(
        "short row",
        b"a,b,kind\n1,2,x\n1,y\n",
        KIND,
        "FILE, line 3: 2 cells (parted by commas), the last being 'y', where the header has 3; "
        "add the missing cells",
    ),
    Malformed(
        "row of one cell",
        b"a,b,kind\n1,2,x\nend of file\n",
        KIND,
        "FILE, line 3: 1 cell (parted by commas), the last being 'end of file', where the header "
        "has 3; add the missing cells",
    ),
    Malformed(
        "trailing delimiter",
        b"a,b,kind\n1,2,x,\n",
        KIND,
        "FILE, line 2: 4 cells (parted by commas), the last being '', where the header has 3; "
        "delete the comma that ends the row",
    ),
    Malformed(
        "short row after a cell of two lines",
        b'a,b,kind\n"1",2,"x\ny"\n\n1,z\n',
        KIND,
        "FILE, line 5: 2 cells (parted by commas), the last being 'z', where the header has 3; "
        "add the missing cells",
    ),
    Malformed(
        "short row without header",
        b"1,2,x\n3,4,x\n5,6\n",
        {},
        "FILE, line 3: 2 cells (parted by commas), the last being '6', where the first row has "
        "3; add the missing cells",
    ),
    Malformed(
        "short row of tabs",
        b"a\tb\tkind\n1\t2\tx\n1\n",
        KIND,
        "FILE, line 3: 1 cell (parted by tabs), the last being '1', where the header has 3; add "
        "the missing cells",
    ),
    Malformed(
        "open quote",
        b'a,kind\n1,x\n2,"y\n3,x\n',
        KIND,
        "FILE, line 3: a quoted cell that begins here is never closed; add the missing quote",
    ),
    Malformed(
        "text behind a quote",
        b'a,kind\n1,"x"z\n',
        KIND,
        "FILE, line 2: a quoted cell goes on behind its closing quote, where a comma was "
        "expected; double the quotes inside a quoted cell",
    ),
    Malformed(
        "parted by spaces",
        b"1.0 2.0 3.0\n4.0 5.0 6.0\n",
        {},
        "FILE: the cells are parted by spaces; give delimiter ' '",
    ),
    Malformed(
        "same name twice",
        b"a,b,a,kind\n1,2,3,x\n",
        KIND,
        "FILE: columns 0 and 2 (counted from 0) are both called 'a'; give each a name of its own",
    ),
    Malformed(
        "same name but for spaces",
        b"a, b,b ,kind\n1,2,3,x\n",
        KIND,
        "FILE: columns 1 and 2 (counted from 0) are both called 'b'; give each a name of its own",
    ),
    # cells that almost are numbers
    Malformed(
        "infinite",
        b"a,kind\n1,x\ninf,y\n",
        KIND,
        "FILE, line 3, column 'a': 'inf' is infinite; leave the cell empty where the value is unknown",
    ),
    Malformed(
        "minus infinity",
        b"a,kind\n1,x\n-Infinity,y\n",
        KIND,
        "FILE, line 3, column 'a': '-Infinity' is infinite; leave the cell empty where the value is unknown",
    ),
    Malformed(
        "too large",
        b"a,kind\n1,x\n1e999,y\n",
        KIND,
        "FILE, line 3, column 'a': '1e999' is larger than 1.8e308; leave the cell empty",
    ),
    Malformed(
        "percent",
        b"a,share,kind\n1,12%,x\n2,7.5 %,y\n",
        KIND,
        "FILE, line 2, column 'share': '12%' has a percent sign; write the bare number in every row",
    ),
    Malformed(
        "thousands",
        b'a,kind\n"1,234,567",x\n5,y\n',
        KIND,
        "FILE, line 2, column 'a': '1,234,567' has a thousands separator; write the digits alone",
    ),
    Malformed(
        "thousands and decimals",
        b'a,kind\n"1,234.50",x\n5.0,y\n',
        KIND,
        "FILE, line 2, column 'a': '1,234.50' has a thousands separator; write the digits alone",
    ),
    Malformed(
        "thousands or decimal comma",
        b'a,kind\n"1,234",x\n"5,678",y\n',
        KIND,
        "FILE, line 2, column 'a': '1,234' has a thousands separator; write the digits alone, or "
        "give decimal ',' if it is one",
    ),
    Malformed(
        "thousands with points",
        b"a;kind\n1.234.567;x\n5;y\n",
        KIND,
        "FILE, line 2, column 'a': '1.234.567' has a thousands separator; write the digits alone",
    ),
    Malformed(
        "thousands with points and a comma",
        b"a;b;kind\n1.234,50;1,5;x\n5,1;2,5;y\n",
        KIND,
        "FILE, line 2, column 'a': '1.234,50' has a thousands separator; write the digits alone",
    ),
    Malformed(
        "thousands with spaces",
        b"a,kind\n12 345,x\n5,y\n",
        KIND,
        "FILE, line 2, column 'a': '12 345' has a thousands separator; write the digits alone",
    ),
    Malformed(
        "thousands with thin spaces",
        "a,kind\n12\u202f345,x\n5,y\n".encode(),
        KIND,
        "FILE, line 2, column 'a': '12\\u202f345' has a thousands separator; write the digits alone",
    ),
    Malformed(
        "thousands with apostrophes",
        b"a,kind\n12'345,x\n5,y\n",
        KIND,
        "FILE, line 2, column 'a': \"12'345\" has a thousands separator; write the digits alone",
    ),
    Malformed(
        "thousands with underscores",
        b"a,kind\n12_345,x\n5,y\n",
        KIND,
        "FILE, line 2, column 'a': '12_345' has a thousands separator; write the digits alone",
    ),
    Malformed(
        "decimal comma among points",
        b"a;b;kind\n1.5;2,5;x\n2.5;3,5;y\n",
        KIND,
        "FILE, line 2, column 'b': '2,5' has a decimal comma where the file has points; use one "
        "in every cell",
    ),
    Malformed(
        "decimal point told a comma",
        b"a;kind\n1.5;x\n2.5;y\n",
        KIND | {"decimal": ","},
        "FILE, line 2, column 'a': '1.5' has a decimal point where the file has commas; use one "
        "in every cell",
    ),
    Malformed(
        "dollars",
        b"a,kind\n$5.20,x\n$7,y\n",
        KIND,
        "FILE, line 2, column 'a': '$5.20' has a currency sign; write the bare number in every row",
    ),
    Malformed(
        "euros",
        "a,kind\n5 \u20ac,x\n7 \u20ac,y\n".encode(),
        KIND,
        "FILE, line 2, column 'a': '5 €' has a currency sign; write the bare number in every row",
    ),
    Malformed(
        "typographic minus",
        "a,kind\n\u22121.5,x\n\u22122,y\n".encode(),
        KIND,
        "FILE, line 2, column 'a': '\u22121.5' has a minus sign that is no hyphen; write - in every row",
    ),
    Malformed(
        "hexadecimal",
        b"a,kind\n0x1F,x\n0x2a,y\n",
        KIND,
        "FILE, line 2, column 'a': '0x1F' is a hexadecimal number; write it in decimal digits",
    ),
    Malformed(
        "spreadsheet error",
        b"a,kind\n1.5,x\n2.5,y\n#DIV/0!,y\n",
        KIND,
        "FILE, line 4, column 'a': '#DIV/0!' is a spreadsheet's error; correct the cell or leave it empty",
    ),
    Malformed(
        "word among numbers",
        b"a,kind\n1.5,x\n2.5,y\nunknown,y\n4,x\n",
        KIND,
        "FILE, line 4, column 'a': 'unknown' is not a number, as most of the column is; correct "
        "it, leave it empty if it is missing, or make the column a category (option categorical)",
    ),
    Malformed(
        "word among few rows of whole numbers",
        b"a,kind\n1,x\n2,y\nthree,y\n4,x\n",
        KIND,
        "FILE, line 4, column 'a': 'three' is not a number, as most of the column is; correct "
        "it, leave it empty if it is missing, or make the column a category (option categorical)",
    ),
    Malformed(
        "word far below",
        b"a,kind\n" + b"1.25,x\n2.5,y\n" * 1_000 + b"n.a.,x\n",
        KIND,
        "FILE, line 2002, column 'a': 'n.a.' is not a number, as the column must be; correct "
        "it or leave it empty if it is missing",
    ),
    Malformed(
        "percent far below",
        b"a,kind\n" + b"1.25,x\n2.5,y\n" * 1_000 + b"5%,x\n",
        KIND,
        "FILE, line 2002, column 'a': '5%' has a percent sign; write the bare number in every row",
    ),
    Malformed(
        "digits of another script",
        "a,kind\n1.5,x\n2.5,x\n\u0661\u0662,y\n".encode(),
        KIND,
        "FILE, line 4, column 'a': '١٢' is not a number, as most of the column is; correct it, "
        "leave it empty if it is missing, or make the column a category (option categorical)",
    ),
    Malformed(
        "date",
        b"day,kind\n2024-01-31,x\n2024-02-01,y\n",
        KIND,
        "FILE, line 2, column 'day': '2024-01-31' is a date; write it as numbers (days since a "
        "start, month, weekday), drop the column (option drop) or make it a category (option "
        "categorical)",
    ),
    Malformed(
        "date and time",
        b"day,kind\n2024-01-31T12:30:00Z,x\n2024-02-01 10:00,y\n",
        KIND,
        "FILE, line 2, column 'day': '2024-01-31T12:30:00Z' is a date; write it as numbers (days "
        "since a start, month, weekday), drop the column (option drop) or make it a category "
        "(option categorical)",
    ),
    Malformed(
        "date with points",
        b"day;kind\n31.01.2024;x\n1.2.2024;y\n",
        KIND,
        "FILE, line 2, column 'day': '31.01.2024' is a date; write it as numbers (days since a "
        "start, month, weekday), drop the column (option drop) or make it a category (option "
        "categorical)",
    ),
    Malformed(
        "date with slashes",
        b"day,kind\n1/31/24,x\n2/1/24,y\n",
        KIND,
        "FILE, line 2, column 'day': '1/31/24' is a date; write it as numbers (days since a "
        "start, month, weekday), drop the column (option drop) or make it a category (option "
        "categorical)",
    ),
    Malformed(
        "date with a month",
        b"day,kind\n31-Jan-2024,x\n1-Feb-2024,y\n",
        KIND,
        "FILE, line 2, column 'day': '31-Jan-2024' is a date; write it as numbers (days since a "
        "start, month, weekday), drop the column (option drop) or make it a category (option "
        "categorical)",
    ),
    Malformed(
        "time of day",
        b"at,kind\n12:30,x\n09:15:00,y\n",
        KIND,
        "FILE, line 2, column 'at': '12:30' is a time of day; write it as numbers (days since a "
        "start, month, weekday), drop the column (option drop) or make it a category (option "
        "categorical)",
    ),
    # labels
    Malformed(
        "missing label",
        b"a,kind\n1,x\n2,\n3,y\n",
        KIND,
        "FILE, line 3, column 'kind': the label is missing; fill it in or delete the row",
    ),
    Malformed(
        "missing labels",
        b"a,kind\n1,x\n2,NA\n3,\n4,?\n",
        KIND,
        "FILE, line 3, column 'kind': the label is missing (and 2 more); fill it in or delete the row",
    ),
    Malformed(
        "label of spaces",
        b'a,kind\n1,x\n2,"  "\n3,y\n',
        KIND,
        "FILE, line 3, column 'kind': the label is missing; fill it in or delete the row",
    ),
    Malformed(
        "real labels",
        b"a,b\n" + b"".join(b"%d,%d.25\n" % (i, i) for i in range(40)),
        {"label": "b"},
        "FILE, line 2, column 'b': '0.25' is a real number, and labels must name classes; choose "
        "another column (option label) or write a class into each row",
    ),
    Malformed(
        "real labels, few rows",
        b"a,b\n1,1.5\n2,2.25\n3,3.0\n",
        {"label": -1},
        "FILE, line 2, column 'b': '1.5' is a real number, and labels must name classes; choose "
        "another column (option label) or write a class into each row",
    ),
    Malformed(
        "real labels with commas",
        b"a;b\n1;1,5\n2;2,25\n3;3,0\n",
        {"label": -1},
        "FILE, line 2, column 'b': '1,5' is a real number, and labels must name classes; choose "
        "another column (option label) or write a class into each row",
    ),
    Malformed(
        "many classes",
        b"a,b\n" + b"".join(b"1,c%d\n" % i for i in range(101)),
        {"label": "b"},
        "FILE, line 2, column 'b': 'c0' is one of 101 different labels, more than 100: too many "
        "to learn; choose another column (option label), or allow so many if these are "
        "classes (option max_classes)",
    ),
    Malformed(
        "many numbers",
        b"a,b\n" + b"".join(b"1,%d\n" % i for i in range(300)),
        {"label": "b"},
        "FILE, line 2, column 'b': '0' is one of 300 different labels, more than 100: numbers "
        "cannot be predicted, only classes; choose another column (option label), or allow "
        "so many if these are classes (option max_classes)",
    ),
    Malformed(
        "more classes than told",
        b"a,b\n1,x\n2,y\n3,z\n",
        {"label": "b", "max_classes": 2},
        "FILE, line 2, column 'b': 'x' is one of 3 different labels, more than 2: too many to "
        "learn; choose another column (option label), or allow so many if these are "
        "classes (option max_classes)",
    ),
    Malformed(
        "long label",
        b"a,b\n1,x\n2," + b"y" * 300 + b"\n",
        {"label": "b"},
        "FILE, line 3, column 'b': 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy...' has 300 "
        "characters, too many for a label; choose another column (option label)",
    ),
    # arguments
    Malformed(
        "no such label",
        b"length,kind\n1,x\n2,x\n",
        {"label": "knid"},
        "FILE has no column 'knid' (label); did you mean 'kind'?",
    ),
    Malformed(
        "no such label, nothing near",
        b"length,kind\n1,x\n2,x\n",
        {"label": "zzz"},
        "FILE has no column 'zzz' (label); it has 'length', 'kind'",
    ),
    Malformed(
        "no such number",
        b"a,kind\n1,x\n",
        {"label": 7},
        "FILE has no column 7 (label); it has 2, numbered 0 to 1",
    ),
    Malformed(
        "no such number, negative",
        b"a,kind\n1,x\n",
        {"label": "-3"},
        "FILE has no column -3 (label); it has 2, numbered 0 to 1",
    ),
    Malformed(
        "name without header",
        b"1,2,x\n3,4,x\n",
        {"label": "kind"},
        "FILE has no column 'kind' (label); it has no header, so give a number from 0 to 2",
    ),
    Malformed(
        "no such column to drop",
        b"a,kind\n1,x\n",
        KIND | {"drop": ("b",)},
        "FILE has no column 'b' (drop); it has 'a', 'kind'",
    ),
    Malformed(
        "no such identifier",
        b"a,kind\n1,x\n",
        KIND | {"id": "key"},
        "FILE has no column 'key' (id); it has 'a', 'kind'",
    ),
    Malformed(
        "no such category",
        b"a,kind\n1,x\n",
        KIND | {"categorical": "c"},
        "FILE has no column 'c' (categorical); it has 'a', 'kind'",
    ),
    Malformed(
        "label dropped",
        b"a,kind\n1,x\n",
        KIND | {"drop": "kind"},
        "FILE: column 'kind' cannot be both the label and dropped; leave one out",
    ),
    Malformed(
        "identifier is the label",
        b"a,kind\n1,x\n",
        KIND | {"id": -1},
        "FILE: column 'kind' cannot be both the label and the identifier; leave one out",
    ),
    Malformed(
        "category is dropped",
        b"a,b,kind\n1,2,x\n",
        KIND | {"drop": "a", "categorical": "a"},
        "FILE: column 'a' cannot be both dropped and a category; leave one out",
    ),
    Malformed(
        "no features", b"kind\nx\ny\n", KIND, "FILE: no column is left as a feature ('kind' is the label)"
    ),
    Malformed(
        "all dropped",
        b"a,b,kind\n1,2,x\n",
        KIND | {"drop": ("a", 1)},
        "FILE: no column is left as a feature ('a' is dropped, 'b' is dropped, 'kind' is the label)",
    ),
    Malformed(
        "label is a list",
        b"a,kind\n1,x\n",
        {"label": ["kind"]},
        "label must be the name or number of a column, got ['kind']",
    ),
    Malformed(
        "label is true",
        b"a,kind\n1,x\n",
        {"label": True},
        "label must be the name or number of a column, got True",
    ),
    Malformed(
        "drop holds none",
        b"a,kind\n1,x\n",
        {"drop": [None]},
        "drop must list names or numbers of columns, got [None]",
    ),
    Malformed(
        "long delimiter",
        b"a,kind\n1,x\n",
        {"delimiter": "::"},
        "delimiter must be one character or one of tab, \\t, space, comma, semicolon, bar, pipe, got '::'",
    ),
    Malformed(
        "quote as delimiter",
        b"a,kind\n1,x\n",
        {"delimiter": '"'},
        "delimiter must be one character or one of tab, \\t, space, comma, semicolon, bar, pipe, got '\"'",
    ),
    Malformed(
        "wrong delimiter",
        b"a,kind\n1,x\n",
        KIND | {"delimiter": ";"},
        "FILE: the delimiter ';' is in no line; leave the option out to find it",
    ),
    Malformed("decimal", b"a,kind\n1,x\n", {"decimal": "point"}, "decimal must be '.' or ',', got 'point'"),
    Malformed(
        "encoding",
        b"a,kind\n1,x\n",
        {"encoding": "klingon"},
        "unknown encoding 'klingon'; write e.g. utf-8, utf-16, latin-1 or cp1252",
    ),
    Malformed(
        "encoding is no text",
        b"a,kind\n1,x\n",
        {"encoding": "hex"},
        "unknown encoding 'hex'; write e.g. utf-8, utf-16, latin-1 or cp1252",
    ),
    Malformed(
        "wrong encoding",
        "a,kind\n1,\u00e9\n".encode(),
        {"encoding": "ascii"},
        "FILE, line 2: byte 0xc3 in '1,Ã©' is not ascii; if the file comes from Windows or is "
        "old, give encoding 'cp1252' or 'latin-1' and look at the letters with accents",
    ),
    Malformed(
        "header",
        b"a,kind\n1,x\n",
        {"header": "yes"},
        "header must be True, False or None (find out), got 'yes'",
    ),
    Malformed(
        "header is one",
        b"a,kind\n1,x\n",
        {"header": 1},
        "header must be True, False or None (find out), got 1",
    ),
    Malformed(
        "max_classes is one",
        b"a,kind\n1,x\n",
        {"max_classes": 1},
        "max_classes must be a whole number of at least 2, got 1",
    ),
    Malformed(
        "max_classes is real",
        b"a,kind\n1,x\n",
        {"max_classes": 10.5},
        "max_classes must be a whole number of at least 2, got 10.5",
    ),
    Malformed(
        "unknown suffix",
        b"a,kind\n1,x\n",
        {},
        "FILE is no table file; its name must end in one of .csv, .tsv, .txt, .data, .csv.gz, "
        ".tsv.gz, .txt.gz, .parquet, .npz, .npy",
        file="t.xyz",
    ),
    Malformed("workbook by name", b"", {}, "FILE is a workbook; save its sheet as CSV", file="t.xlsx"),
    Malformed(
        "pickle by name",
        b"",
        {},
        "FILE may hold anything, even programs, so it is not opened; save the table as CSV",
        file="t.pkl",
    ),
    # columns of a trained model
    Malformed(
        "column missing",
        b"a,b\n1,2\n",
        {"kinds": {"a": "number", "width": "number"}},
        "FILE lacks the column 'width'; it has 'a', 'b'",
    ),
    Malformed(
        "column misspelt",
        b"a,witdh\n1,2\n",
        {"kinds": {"a": "number", "width": "number"}},
        "FILE lacks the column 'width'; did you mean 'witdh'?",
    ),
    Malformed(
        "columns missing",
        b"c,d\n1,2\n",
        {"kinds": {"a": "number", "b": "number"}},
        "FILE lacks the columns 'a', 'b'; it has 'c', 'd'",
    ),
    Malformed(
        "names wanted, no header",
        b"1,2\n3,4\n",
        {"kinds": {"a": "number", "b": "number"}},
        "FILE has no names for its columns, so 'a', 'b' cannot be found; write them into the "
        "first line (of npz: into an array feature_names), or tell a text file that it has no "
        "header (option header=False) to take its columns in their order",
    ),
    Malformed(
        "no names, other width",
        b"1,2\n3,4\n",
        {"kinds": {"a": "number"}, "header": False},
        "FILE has 2 columns, expected 1: 'a'",
    ),
    Malformed(
        "number wanted",
        b"a,b\n1,2\nmany,4\n",
        {"kinds": {"a": "number", "b": "number"}},
        "FILE, line 3, column 'a': 'many' is not a number, as the column must be; correct it or "
        "leave it empty if it is missing",
    ),
    Malformed(
        "boolean wanted",
        b"a,b\nyes,2\nmaybe,4\n",
        {"kinds": {"a": "boolean", "b": "number"}},
        "FILE, line 3, column 'a': 'maybe' is not one of the words for true and false that this column has",
    ),
    Malformed(
        "unknown kind",
        b"a,b\n1,2\n",
        {"kinds": {"a": "date"}},
        "kinds: column 'a' must be one of number, boolean, category, got 'date'",
    ),
    Malformed("no kinds", b"a,b\n1,2\n", {"kinds": {}}, "kinds must name at least one column"),
    Malformed(
        "kinds and categories",
        b"a,b\n1,2\n",
        {"kinds": {"a": "number"}, "categorical": "a"},
        "categorical says nothing beside kinds, which names the kind of every column",
    ),
    # arrays
    Malformed(
        "no npz",
        b"a,b\n1,2\n",
        {},
        "FILE is no npz file, or a damaged one; save it again with numpy.savez",
        file="t.npz",
    ),
    Malformed(
        "empty npz",
        b"",
        {},
        "FILE is no npz file, or a damaged one; save it again with numpy.savez",
        file="t.npz",
    ),
    Malformed(
        "cut npz",
        npz(x=X)[:200],
        {},
        "FILE is no npz file, or a damaged one; save it again with numpy.savez",
        file="t.npz",
    ),
    Malformed(
        "npz without x",
        npz(a=X, b=X),
        {},
        "FILE has neither an array x_train nor x; it has 'a', 'b'; save it again as x_train and y_train, or "
        "x and y",
        file="t.npz",
    ),
    Malformed(
        "npz without a test part",
        npz(x_train=X),
        {"part": "test"},
        "FILE has neither an array x_test nor x; it has 'x_train'; save it again as x_test and y_test, or x "
        "and y",
        file="t.npz",
    ),
    Malformed("part", npz(x=X), {"part": "both"}, "part must be 'train' or 'test', got 'both'", file="t.npz"),
    Malformed(
        "npz of objects",
        npz(x=OBJECTS),
        {},
        "FILE: x holds Python objects, which are never loaded; save it as numbers or text",
        file="t.npz",
    ),
    Malformed(
        "npz with labels of objects",
        npz(x=X, y=OBJECTS),
        {},
        "FILE: y holds Python objects, which are never loaded; save it as numbers or text",
        file="t.npz",
    ),
    Malformed(
        "npz of text",
        npz(x=np.array([["a", "b"]])),
        {},
        "FILE: x holds text, expected numbers; give words and dates as CSV or Parquet",
        file="t.npz",
    ),
    Malformed(
        "npz of complex numbers",
        npz(x=X * 1j),
        {},
        "FILE: x holds values of type complex128, expected numbers; give words and dates as CSV or Parquet",
        file="t.npz",
    ),
    Malformed(
        "npz of one axis",
        npz(x=X[0]),
        {},
        "FILE: x has shape (2,), expected rows and columns, at least one of each",
        file="t.npz",
    ),
    Malformed(
        "npz with few labels",
        npz(x=X, y=np.arange(2)),
        {},
        "FILE: y has shape (2,), expected (3,) as x has rows",
        file="t.npz",
    ),
    Malformed(
        "npz with real labels",
        npz(x=X, y=np.array([0.5, 1.0, 2.0])),
        {},
        "FILE, row 0, column 'y': '0.5' is no whole number, and labels must name classes; give "
        "whole numbers or text",
        file="t.npz",
    ),
    Malformed(
        "npz with a missing label",
        npz(x=X, y=np.array([0, 1, np.nan])),
        {},
        "FILE, row 2, column 'y': the label is missing; fill it in or delete the row",
        file="t.npz",
    ),
    Malformed(
        "npz with dates as labels",
        npz(x=X, y=np.zeros(3, "M8[D]")),
        {},
        "FILE, row 0, column 'y': labels of type datetime64[D] are not read; use whole numbers",
        file="t.npz",
    ),
    Malformed(
        "npz with infinity",
        npz(x=INFINITE),
        {},
        "FILE, row 1, column 1 of x is infinite; give nan where the value is unknown",
        file="t.npz",
    ),
    Malformed(
        "npz with few names",
        npz(x=X, feature_names=np.array(["a"])),
        {},
        "FILE: feature_names must name the 2 columns of x, it has length 1",
        file="t.npz",
    ),
    Malformed(
        "npz with a name twice",
        npz(x=X, feature_names=np.array(["a", "a"])),
        {},
        "FILE: columns 0 and 1 (counted from 0) are both called 'a'; give each a name of its own",
        file="t.npz",
    ),
    Malformed(
        "npz with two labels",
        npz(x=X, y=np.arange(3)),
        {"label": 0},
        "FILE keeps its labels in y; leave the option label out",
        file="t.npz",
    ),
    Malformed(
        "npz with a category",
        npz(x=X),
        {"categorical": 0},
        "FILE: arrays hold numbers, not categories; give the table as CSV or Parquet",
        file="t.npz",
    ),
    Malformed(
        "npz with a delimiter",
        npz(x=X),
        {"delimiter": ","},
        "delimiter is for text files; FILE is none",
        file="t.npz",
    ),
    Malformed(
        "npz with other columns",
        npz(x=X),
        {"kinds": {"a": "number"}},
        "FILE has no names for its columns, so 'a' cannot be found; write them into the first "
        "line (of npz: into an array feature_names), or tell a text file that it has no header "
        "(option header=False) to take its columns in their order",
        file="t.npz",
    ),
    Malformed(
        "no npy",
        b"a,b\n",
        {},
        "FILE is no NumPy array, or a damaged one; save it again with numpy.save",
        file="t.npy",
    ),
    Malformed("empty npy", b"", {}, "FILE is empty", file="t.npy"),
    Malformed(
        "npy of objects",
        npy(OBJECTS),
        {},
        "FILE holds Python objects, which are never loaded; save it as numbers or text",
        file="t.npy",
    ),
    Malformed(
        "npy of no rows",
        npy(X[:0]),
        {},
        "FILE: the array has shape (0, 2), expected rows and columns, at least one of each",
        file="t.npy",
    ),
    Malformed(
        "npy with real labels",
        npy(X + 0.5),
        {"label": -1},
        "FILE, row 0, column 1: '1.5' is no whole number, and labels must name classes; give "
        "whole numbers or text",
        file="t.npy",
    ),
    Malformed(
        "no Parquet",
        b"a,b\n1,2\n",
        {},
        "FILE is no Parquet file, or a damaged one; write it again",
        file="t.parquet",
    ),
    Malformed(
        "empty Parquet",
        b"",
        {},
        "FILE is no Parquet file, or a damaged one; write it again",
        file="t.parquet",
    ),
]
