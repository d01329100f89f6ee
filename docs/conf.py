"""Sphinx configuration: `make docs` builds the site into build/docs, and any warning is an error."""

import re
from typing import Any

import mpnn

project = "mpnn"
author = "The mpnn authors"
copyright = "2026, The mpnn authors"
release = version = mpnn.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # MathJax from the site itself: it is read without a network
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "mpnn"
html_static_path = ["_static"]
html_css_files = ["tutorials.css"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
math_number_all = False
math_eqref_format = "({number})"

nb_execution_timeout = 1200  # seconds a cell
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"  # what compilers say about slow machines
nb_code_prompt_show = "How it is drawn"
nb_code_prompt_hide = "Hide"

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"
bibtex_reference_style = "author_year"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_param = False  # types are words, not references: several rooms have a Moments or a Method
smartquotes_action = "De"  # dashes, but no curled quotes: defaults are shown as one writes them


ITEM = re.compile(r"^([a-z_]+(?:, [a-z_]+)*): (?=\S)")


def _skip_noise(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out numbers of named tuples' fields, scikit-learn's metadata routing, attributes listed above."""
    numbered = (getattr(member, "__doc__", None) or "").startswith("Alias for field number")
    routing = re.fullmatch(r"set_\w+_request|get_metadata_routing", name)
    listed = isinstance(member, property) and "LinearView." in getattr(member.fget, "__qualname__", "")
    return True if numbered or routing or listed else None


def _show_items(app: Any, what: str, name: str, member: Any, options: Any, lines: list[str]) -> None:
    """Docstrings explain fields as `name: text` after an empty line; make these field lists."""
    in_list = False
    for place, line in enumerate(lines):
        starts = place == 0 or in_list or not lines[place - 1].strip()
        is_item = bool(ITEM.match(line)) and starts
        if is_item:
            lines[place] = ITEM.sub(r":\1: ", line)
        in_list = is_item or (in_list and bool(line.strip()))
        if in_list and not is_item:
            lines[place] = f"    {line.strip()}"


def setup(app: Any) -> None:
    """Register the two filters."""
    app.connect("autodoc-skip-member", _skip_noise)
    app.connect("autodoc-process-docstring", _show_items)
