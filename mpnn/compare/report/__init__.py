"""The report of a finished comparison: `page` writes it, from the rows of a folder alone.

`series` groups rows, `tables`, `paired_tables` and `significance` compare them, `figures` and `figure_style`
draw them, `artifacts` reads the arrays that were kept.
"""
