"""What a person sees on standard error: what happens, and on a terminal a bar that shows how far it is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import rich.progress
from rich.console import Console
from rich.filesize import pick_unit_and_suffix
from rich.progress import BarColumn, TextColumn, wrap_file

from app.client import Progress
from app.client.sending import Table

NOTHING = ("",) * 5
UNITS = ["", "k", "M", "G"]


class Screen:
    """Standard error; if `quiet`, nothing but what went wrong is shown."""

    def __init__(self, *, quiet: bool) -> None:
        self.console = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)
        self.quiet = quiet
        self.has_bars = not quiet and sys.stderr.isatty()

    def say(self, text: str) -> None:
        """Tell what happens."""
        if not self.quiet:
            self.complain(text)

    def complain(self, text: str) -> None:
        """Tell what went wrong."""
        self.console.print(text)

    @contextmanager
    def sending(self, table: Table) -> Iterator[Table]:
        """Show how much of a table was sent."""
        size, console = table.size, self.console
        with wrap_file(
            table.file, size, description="sending", console=console, transient=True, disable=not self.has_bars
        ) as file:
            yield replace(table, file=file)

    @contextmanager
    def bar(self) -> Iterator["Bar"]:
        """Show how far a training is."""
        columns = [TextColumn(f"{{task.fields[told][{place}]}}") for place in range(len(NOTHING))]
        progress = rich.progress.Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            *columns,
            console=self.console,
            expand=True,
            disable=not self.has_bars,
        )
        with progress:
            yield Bar(progress)


class Bar:
    """One training's bar."""

    def __init__(self, progress: rich.progress.Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("waiting", total=None, told=NOTHING)

    def show(self, told: Progress) -> None:
        """Show where the training stands."""
        columns = tuple(_columns(told))
        self.progress.update(self.task, description="", completed=told.epoch, total=told.epochs, told=columns)


def _columns(told: Progress) -> Iterator[str]:
    """Say where a training stands, in few letters: all of it fits beside a bar on 80 columns."""
    yield f"epoch {told.epoch:,}/{told.epochs:,}"
    yield f"loss {told.loss:.3g}"
    yield "" if told.validation_loss is None else f"val {told.validation_loss:.3g}"
    yield "" if told.rows_per_second is None else _speed(int(told.rows_per_second))
    yield "" if told.eta_seconds is None else f"{timedelta(seconds=round(told.eta_seconds))} left"


def _speed(rows: int) -> str:
    unit, suffix = pick_unit_and_suffix(rows, UNITS, 1000)
    return f"{rows / unit:.3g}{suffix} rows/s"
