"""Sphinx configuration: `make docs` builds the site into build/docs, and any warning is an error."""

from typing import Any

import mpnn

project = "mpnn"
author = "The mpnn authors"
copyright = "2026, The mpnn authors"
release = version = mpnn.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "mpnn"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
math_number_all = False
math_eqref_format = "({number})"

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"
bibtex_reference_style = "author_year"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False


def _skip_field_numbers(app: Any, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of named tuples, whose only text is their number: the class explains them."""
    return True if (getattr(member, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app: Any) -> None:
    """Register the filter."""
    app.connect("autodoc-skip-member", _skip_field_numbers)
