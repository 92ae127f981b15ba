"""How often truth is in the intervals, and in the sets of labels, and how wide and large these are."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from app.engine.arrays import Scores
from app.engine.config import TrainingConfig
from app.insight.explain import baseline, contributions
from app.insight.trust import intervals, sets
from app.models.learning import learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.uncertainty import Sets
from benchmarks.measuring import limited_to
from benchmarks.report import Section, say, verdict
from benchmarks.tables import Matrix, Split, Table

LEVEL = 0.9
EXPLAINED = 3  # rows of each split
PARTS = 3  # of the rows to answer, by the size of something
LOWEST, HIGHEST, WORST, WIDEST = 0.88, 0.93, 0.85, 1.1
REGRESSION = (
    f"Intervals at {LEVEL:.0%}. Width is beside the one width for all rows that, in hindsight, holds {LEVEL:.0%} of "
    "the rows to answer. The worst third of the rows, by the size of an input or of the answer, is that whose truths "
    "are least often in their intervals; each figure is a mean over the splits."
)
CLASSES = f"Sets of labels at {LEVEL:.0%}; the log loss of answers, and what it is without the temperature."


class Held(NamedTuple):
    """What intervals held on one split, and how wide they were; `thirds` of the rows by each column, and more."""

    share: float
    width: float
    thirds: Matrix
    off: float
    """By how much contributions and baseline fail to add up to an answer, at most."""


class Kept(NamedTuple):
    """What sets held on one split, how many labels they had, and the log loss with and without a temperature."""

    share: float
    labels: float
    log_loss: float
    raw_log_loss: float
    off: float
    """As in Held."""


def sections(tables: Sequence[Table], splits: int) -> list[Section]:
    """Learn each table so many times with nothing set, and look at the rows to answer."""
    numbers, classes = {}, {}
    with limited_to(1):
        for table in tables:
            found = [_measured(*_learnt(table, number)) for number in range(splits)]
            say(f"{table.name}: {np.mean([each.share for each in found]):.3f}")
            if table.classification:
                classes[table.name] = [each for each in found if isinstance(each, Kept)]
            else:
                numbers[table.name] = [each for each in found if isinstance(each, Held)]
    return [_of_numbers(numbers), _of_classes(classes)]


def _learnt(table: Table, number: int) -> tuple[Model, Split]:
    """Learn one split; where the table has no more, one that is drawn."""
    if number >= len(table.answered):
        order = np.random.default_rng(number).permutation(len(table))
        drawn = tuple(order[: len(table.answered[0])].tolist())
        table = replace(table, answered=(*table.answered, *[drawn] * (number - len(table.answered) + 1)))
    split = table.split(number)
    return learn(split.learnt, Recipe(training=TrainingConfig(seed=number))), split


def _measured(model: Model, split: Split) -> Held | Kept:
    if isinstance(split.y, tuple):
        return _kept(model, split, split.y)
    ends, answers = intervals(model, split.X, LEVEL), model.scores(split.X)[:, 0]
    assert ends is not None  # noqa: S101 - these tables have rows enough
    lower, upper = ends[:, 0, 0], ends[:, 0, 1]
    inside = (lower <= split.y[:, 0]) & (upper >= split.y[:, 0])
    one_width = 2 * np.quantile(np.abs(split.y[:, 0] - answers), LEVEL)
    thirds = [_thirds(inside, by) for by in (answers, *split.X.T)]
    return Held(float(inside.mean()), float((upper - lower).mean() / one_width), np.array(thirds), _off(model, split))


def _off(model: Model, split: Split) -> float:
    groups = [[index] for index in range(len(model.columns))]
    rows = split.X[:EXPLAINED]
    added = [contributions(model, row, groups).sum(axis=0) + baseline(model) for row in rows]
    return float(np.abs(np.array(added) - model.scores(rows)).max())


def _thirds(inside: Sets, by: Matrix) -> list[float]:
    order = np.argsort(by, kind="stable")
    return [float(inside[part].mean()) for part in np.array_split(order, PARTS)]


def _kept(model: Model, split: Split, y: Sequence[str]) -> Kept:
    scores = model.scores(split.X)
    truth = np.array([split.labels.index(label) for label in y])
    kept = sets(model, scores, LEVEL)
    assert kept is not None  # noqa: S101 - these tables have rows enough
    raw = replace(model, temperature=1.0).scores(split.X)
    rows = np.arange(len(truth))
    held, labels = float(kept[rows, truth].mean()), float(kept.sum(axis=1).mean())
    log_loss, raw_log_loss = _losses(scores, raw, truth)
    return Kept(held, labels, log_loss, raw_log_loss, _off(model, split))


def _losses(scores: Scores, raw: Scores, truth: Matrix) -> Iterator[float]:
    for each in (scores, raw):
        yield float(-np.log(np.clip(each[np.arange(len(truth)), truth], 1e-15, 1.0)).mean())


def _of_numbers(found: dict[str, list[Held]]) -> Section:
    rows, notes = [], []
    for name, splits in found.items():
        share, width = (np.mean([getattr(each, field) for each in splits]) for field in ("share", "width"))
        worst = np.mean([each.thirds for each in splits], axis=0).min()
        rows.append((name, str(len(splits)), f"{share:.3f}", f"{width:.2f}", f"{worst:.3f}", _most(splits)))
    if rows:
        shares, widths, worsts = (np.array([float(row[place]) for row in rows]) for place in (2, 3, 4))
        held, width, worst = shares.mean(), widths.mean(), worsts.min()
        notes = [
            f"Held {held:.3f} ({verdict(held, LOWEST, at_least=True)}; {verdict(held, HIGHEST)}).",
            f"Width {width:.2f} ({verdict(width, WIDEST)}), on any table {widths.max():.2f}.",
            f"Worst third {worst:.3f} ({verdict(worst, WORST, at_least=True)}).",
        ]
    header = ("table", "splits", "held", "width", "worst third", "contributions off by")
    return Section("Intervals", header, rows, (REGRESSION, *notes))


def _most(splits: Sequence[Held] | Sequence[Kept]) -> str:
    return f"{max(each.off for each in splits):.1e}"


def _of_classes(found: dict[str, list[Kept]]) -> Section:
    rows = [
        (
            name,
            str(len(splits)),
            *(f"{np.mean(each):.3f}" for each in list(zip(*splits, strict=True))[:-1]),
            _most(splits),
        )
        for name, splits in found.items()
    ]
    header = ("table", "splits", "held", "labels", "log loss", "without temperature", "contributions off by")
    return Section("Sets of labels", header, rows, (CLASSES,))
