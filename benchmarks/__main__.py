"""All comparisons with the peers that are installed, as a table and a chart; a short form unless all is asked for.

Run it with `.venv/bin/python -m benchmarks` (`--help` tells more).
"""

import argparse
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import accuracy, answers, bulk, intervals, parsing, speed, standings, trainings, tutorial, upload
from benchmarks.peers import CONTESTANTS, is_installed
from benchmarks.report import Section, draw, markdown, say
from benchmarks.serving import many_models
from benchmarks.serving import section as serving
from benchmarks.tables import FOLDER_VARIABLE, folder_of, read_tables

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    splits: int
    interval_splits: int
    most_rows: int | None
    """Larger tables are left out."""
    rounds: int
    epochs: int
    activations: tuple[str, ...]
    parsed: int
    """Rows of the CSV that is read."""
    megabytes: int
    """Of a CSV that is uploaded."""


SMALL = 2000  # rows of the tables whose intervals are looked at
SHORT = Extent(
    splits=3,
    interval_splits=3,
    most_rows=2000,
    rounds=3,
    epochs=2,
    activations=("relu",),
    parsed=200_000,
    megabytes=100,
)
FULL = Extent(
    splits=3,
    interval_splits=20,
    most_rows=None,
    rounds=7,
    epochs=2,
    activations=("relu", "silu"),
    parsed=1_000_000,
    megabytes=2000,
)

Part = Callable[[Extent, Path], list[Section]]


def accuracy_sections(extent: Extent, folder: Path) -> list[Section]:
    """Let all that are installed learn the tables of a folder."""
    tables = read_tables(folder, extent.most_rows)
    if not tables:
        say(f"no tables in {folder}: accuracy is left out")
        return []
    present = {name: contestant for name, contestant in CONTESTANTS.items() if is_installed(contestant.needs)}
    return standings.sections(accuracy.compete(tables, present, extent.splits))


PARTS: dict[str, Part] = {
    "tutorial": lambda extent, _folder: [tutorial.section(extent.rounds)],
    "answers": lambda extent, _folder: [answers.section(extent.rounds)],
    "trainings": lambda extent, _folder: [trainings.section(extent.rounds)],
    "parsing": lambda extent, _folder: [parsing.section(extent.rounds, extent.parsed)],
    "bulk": lambda _extent, _folder: [bulk.section()],
    "speed": lambda extent, _folder: [
        speed.section(rounds=extent.rounds, epochs=extent.epochs, activations=extent.activations)
    ],
    "serving": lambda extent, _folder: serving.sections(extent.rounds),
    "models": lambda _extent, _folder: [many_models.section()],
    "upload": lambda extent, _folder: [upload.section(extent.megabytes)],
    "accuracy": accuracy_sections,
    "intervals": lambda extent, folder: intervals.sections(read_tables(folder, SMALL), extent.interval_splits),
}


def main() -> None:
    """Measure what is asked for, print the report and write it down."""
    asked = _asked()
    warnings.simplefilter("ignore")  # peers warn of what their defaults do,
    logging.disable(logging.WARNING)  # and log every training
    for name in sorted({contestant.needs for contestant in CONTESTANTS.values()} | {"torch"}):
        if not is_installed(name):
            say(f"{name} is not installed: its measurements are left out")
    extent = FULL if asked.full else SHORT
    sections = [section for part in asked.parts for section in PARTS[part](extent, folder_of(asked.tables))]
    say(markdown(sections))
    _write(sections, asked.results)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"some of {', '.join(PARTS)}; all if not given")
    parser.add_argument("--full", action="store_true", help="all tables and more rounds")
    parser.add_argument("--tables", type=Path, help=f"folder of the tables (else ${FOLDER_VARIABLE})")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return asked


def _write(sections: list[Section], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.md").write_text(markdown(sections))
    if is_installed("matplotlib"):
        draw(sections, folder / "benchmarks.svg")
    else:
        say("matplotlib is not installed: no chart is drawn")


if __name__ == "__main__":
    main()
