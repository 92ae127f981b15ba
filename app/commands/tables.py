"""Tables on standard output, for people."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Heading: TypeAlias = Callable[[Mapping[str, Any]], object]
"""What stands below a heading in a row, made of what is told of it."""
WIDE = 1000
"""Columns where no terminal cuts lines off."""


def show(headings: Mapping[str, Heading], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print a table; numbers are flush right."""
    cells = [[heading(row) for heading in headings.values()] for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(headings):
        are_numbers = any(isinstance(line[place], int | float) for line in cells)
        table.add_column(name, justify="right" if are_numbers else "left", overflow="fold")
    for line in cells:
        table.add_row(*(Text(written(cell)) for cell in line))
    width = None if sys.stdout.isatty() else WIDE
    Console(width=width, highlight=False).print(table)


def written(cell: object) -> str:
    """Write a cell as a person reads it."""
    match cell:
        case None:
            return ""
        case bool():
            return "yes" if cell else "no"
        case int():
            return f"{cell:,}"
        case float():
            return f"{cell:.6g}"
        case list():
            return ", ".join(map(str, cell))
    return str(cell)
