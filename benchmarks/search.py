"""What a search finds beside the defaults: errors on the same rows to answer, and what the search costs.

Run it with `.venv/bin/python -m benchmarks.search` (`--help` tells more).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import NamedTuple

import numpy as np

from app.engine.config import TrainingConfig
from app.engine.control import Control
from app.jobs.searching import Attempt, Searching
from app.models.defaults import labels_of, problem_of
from app.models.learning import apart, learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.search import Search, usual_metric, usual_ways
from app.models.table import TrainingRows
from benchmarks.accuracy import judge
from benchmarks.measuring import cpu_seconds, limited_to
from benchmarks.report import Section, markdown, say
from benchmarks.tables import FOLDER_VARIABLE, Table, folder_of, read_tables


class Compared(NamedTuple):
    """One split: errors on the rows to answer, what the searched model says its own is, and processor seconds."""

    usual: float
    searched: float
    told: float
    best: int
    seconds: float
    usual_seconds: float


def compare(table: Table, number: int, trials: int) -> Compared:
    """Learn one split, the number of which is the seed, without and with a search."""
    split = table.split(number)
    recipe = Recipe(training=TrainingConfig(seed=number))
    usual, usual_seconds = cpu_seconds(lambda: learn(split.learnt, recipe))
    found, seconds = cpu_seconds(lambda: searched(split.learnt, recipe, trials))
    search = found.report.search
    assert search is not None  # noqa: S101 - it was searched
    metrics = found.report.metrics["validation"]
    told = metrics["rmse"] if "rmse" in metrics else 1.0 - (metrics["accuracy"] or 0.0)
    errors = [judge(model.scores(split.X), split)[0] for model in (usual, found)]
    return Compared(errors[0], errors[1], told or 0.0, search.best or 0, seconds, usual_seconds)


def searched(rows: TrainingRows, recipe: Recipe, trials: int) -> Model:
    """Search as a job does, but for what it writes down."""
    problem = problem_of(rows, labels_of(rows), recipe.scaling.one_hot)
    search = Search(metric=usual_metric(recipe, problem), ways=usual_ways(recipe, problem), trials=trials)
    judges = apart(rows, recipe.training.seed)
    seen = rows.part(np.setdiff1d(np.arange(len(rows.X)), judges))
    searching = Searching(
        search=search,
        recipe=recipe,
        rows=seen,
        learn=_trial,
        keeps=lambda: False,
        clock=process_time,
        note=lambda _trials: None,
    )
    searching.run(())
    return searching.told(learn(rows, searching.recipe_of_the_best, judges=judges))


def _trial(attempt: Attempt) -> Model:
    return learn(attempt.rows, attempt.recipe, control=Control(on_epoch=attempt.watch))


def section(tables: Sequence[Table], splits: int, trials: int) -> Section:
    """Compare on the first splits of each table, on one thread."""
    rows = []
    with limited_to(1):
        for table in tables:
            found = []
            for number in range(min(splits, len(table.answered))):
                found.append(compare(table, number, trials))
                say(f"{table.name} {number}: {found[-1]}")
            rows.append((table.name, *_shown(found)))
    header = ("table", "defaults", "search", "ratio", "told by the model", "best trials", "seconds", "of the defaults")
    note = (
        f"{trials} trials; error is RMSE, or the share of wrong labels, on rows that neither has seen; means of splits."
    )
    return Section("Search", header, rows, (note,))


def _shown(found: Sequence[Compared]) -> tuple[str, ...]:
    usual, best, told = (
        float(np.mean([getattr(each, name) for each in found])) for name in ("usual", "searched", "told")
    )
    seconds, before = (float(np.mean([getattr(each, name) for each in found])) for name in ("seconds", "usual_seconds"))
    numbers = ", ".join(str(each.best) for each in found)
    return (
        f"{usual:.4g}",
        f"{best:.4g}",
        f"{best / usual:.3f}",
        f"{told:.4g}",
        numbers,
        f"{seconds:.1f}",
        f"{before:.2f}",
    )


def main() -> None:
    """Measure what is asked for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--tables", type=Path, help=f"folder of the tables (else ${FOLDER_VARIABLE})")
    parser.add_argument("--only", nargs="*", help="names of tables; all if not given")
    parser.add_argument("--most-rows", type=int, default=2000, help="larger tables are left out")
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--trials", type=int, default=30)
    asked = parser.parse_args()
    tables = read_tables(folder_of(asked.tables), asked.most_rows)
    chosen = [table for table in tables if asked.only is None or table.name in asked.only]
    say(markdown([section(chosen, asked.splits, asked.trials)]))


if __name__ == "__main__":
    main()
