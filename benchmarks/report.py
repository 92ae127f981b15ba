"""The report: what was measured, as Markdown tables and as one chart."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("numpy", "scikit-learn", "torch", "pytabkit")
ACROSS, DOWN = 7.0, 2.4  # inches of one panel of the chart


@dataclass(frozen=True)
class Bars:
    """One panel of the chart: a bar for each name."""

    title: str
    values: Mapping[str, float]
    logarithmic: bool = False


@dataclass(frozen=True)
class Section:
    """One table of the report, what is to be said under it, and its panels of the chart."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = ()
    bars: tuple[Bars, ...] = ()


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - a benchmark prints


def verdict(measured: float, goal: float, *, at_least: bool = False) -> str:
    """Say what the goal is and whether it is met."""
    met = measured >= goal if at_least else measured <= goal
    return f"goal {'≥' if at_least else '≤'} {goal:g}: {'met' if met else 'not met'}"


def markdown(sections: Iterable[Section]) -> str:
    """Write the report."""
    return "\n\n".join((f"# Benchmarks\n\n{_machine()}", *map(_section, sections))) + "\n"


def _section(section: Section) -> str:
    lines = [section.header, tuple("---" for _ in section.header), *section.rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return "\n\n".join((f"## {section.title}", table, *section.notes))


def _machine() -> str:
    packages = ", ".join(f"{package} {number}" for package in PACKAGES if (number := _version(package)))
    return f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}, {packages}."


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def draw(sections: Iterable[Section], path: Path) -> None:
    """Draw all panels, one under the other; needs Matplotlib."""
    panels = [bars for section in sections for bars in section.bars]
    if not panels:
        return
    figure = import_module("matplotlib.figure").Figure(figsize=(ACROSS, DOWN * len(panels)), layout="constrained")
    for axes, bars in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        drawn = axes.barh(list(bars.values), list(bars.values.values()), log=bars.logarithmic)
        axes.bar_label(drawn, fmt="%.3g", padding=3)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set_title(bars.title, loc="left", fontsize="medium")
    figure.savefig(path)
