"""Tables on standard output, for people."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Heading: TypeAlias = Callable[[Mapping[str, Any]], object]
"""What stands below a heading in a row, made of what is told of it."""
WIDE = 1000
"""Columns where no terminal cuts lines off."""


def show(headings: Mapping[str, Heading], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a table; numbers are flush right, and a column without anything is left out."""
    columns = {name: [heading(row) for row in rows] for name, heading in headings.items()}
    columns = {name: cells for name, cells in columns.items() if any(map(written, cells))}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold cyan")
    for name, cells in columns.items():
        are_numbers = any(isinstance(cell, int | float) for cell in cells)
        table.add_column(name, justify="right" if are_numbers else "left", overflow="fold")
    for line in zip(*columns.values(), strict=True):
        table.add_row(*(Text(written(cell)) for cell in line))
    width = None if sys.stdout.isatty() else WIDE
    Console(width=width, highlight=False).print(table)


def moment(told: str) -> str:
    """Write a time as a person's clock has it."""
    return f"{datetime.fromisoformat(told).astimezone():%Y-%m-%d %H:%M:%S}"


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
