"""Calibration: whether what a model says of its own certainty is so, on rows that it had not learnt from."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from app.engine.arrays import Scores, Vector
from app.errors import NoPicture
from app.insight.trust import is_judged_by_new_rows, why_no_interval
from app.models.metrics import BINS
from app.models.model import Model
from app.models.uncertainty import Misses
from app.pictures.names import answer_named
from app.pictures.picture import USUAL_LEVEL, Asked, Picture, number
from app.pictures.predicted import rests_on
from app.tables.answered import class_names

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
FEWEST = 20
DEVIATIONS = 1.645  # within which 9 in 10 lie
GROUPS = ("lowest third of answers", "middle third", "highest third")


@dataclass(frozen=True)
class Bin:
    """Rows with about the same probability: its mean, how often it came true, and between what that is to be seen."""

    probability: float
    frequency: float
    lower: float
    upper: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class Reliability(Picture):
    """How often what is given a probability comes true (DeGroot, Fienberg 1983)."""

    of: str
    """Whose probability it is; null stands for the label that is answered."""
    bins: list[Bin]


@dataclass(frozen=True, kw_only=True)
class Coverage(Picture):
    """How often truth is inside intervals of each level: of all rows, and of low, middle and high answers."""

    target: str
    levels: list[float]
    inside: dict[str, list[float]]
    rows: int
    doubt: float
    """By how much a share of so many rows may differ by chance, at a level of one half."""


def calibration(model: Model, asked: Asked) -> Reliability | Coverage:
    """Compare; raise NoPicture where too few rows were held out, InvalidRequest for no such target or label."""
    if model.continued_from is not None:
        raise NoPicture(why_no_interval(model, USUAL_LEVEL))
    if not is_judged_by_new_rows(model) or len(model.pairs) < FEWEST:
        known = len(model.pairs) if is_judged_by_new_rows(model) else 0
        message = (
            f"Calibration takes {FEWEST} rows that a network had not learnt from; there are {known}. Train with more "
            "rows, or hold some out (training.validation)."
        )
        raise NoPicture(message)
    return _of_numbers(model, asked) if model.recipe.task == "regression" else _of_classes(model, asked)


def _of_classes(model: Model, asked: Asked) -> Reliability:
    answers, truth, names = model.pairs.answers, model.pairs.truth, class_names(model)
    several = len(model.labels) > 2 and asked.answer is None  # noqa: PLR2004 - of two, one tells of the other
    chosen = answer_named(model, asked.answer, 1 if len(model.labels) > 1 else 0)
    if several:
        of, probabilities = "the answered label", answers.max(axis=1)
        came_true = answers.argmax(axis=1) == truth[:, 0]
    else:
        of, probabilities = names[chosen], answers[:, chosen]
        came_true = truth[:, 0] == chosen if model.labels else truth[:, chosen] > 0
    bins = _bins(np.clip(probabilities, 0.0, 1.0), came_true * 1.0)
    off = sum(each.rows * abs(each.probability - each.frequency) for each in bins) / len(probabilities)
    return Reliability(
        title=f"Calibration of the probability of {of}",
        alt=f"Probabilities differ from how often they come true by {number(off)} in the mean of {len(bins)} bins.",
        note=rests_on(model),
        of=of,
        bins=bins,
    )


def _bins(probabilities: Vector, came_true: Vector) -> list[Bin]:
    places = np.minimum((probabilities * BINS).astype(np.intp), BINS - 1)
    bins = []
    for place in np.unique(places):
        own = places == place
        frequency, rows = float(came_true[own].mean()), int(own.sum())
        bins.append(Bin(float(probabilities[own].mean()), frequency, *_wilson(frequency, rows), rows))
    return bins


def _wilson(share: float, rows: int) -> tuple[float, float]:
    """Tell between what a share of so many rows may truly lie, 9 times in 10 (Wilson 1927)."""
    weight = DEVIATIONS**2 / rows
    middle = (share + weight / 2) / (1 + weight)
    half = DEVIATIONS * sqrt(share * (1 - share) / rows + weight / (4 * rows)) / (1 + weight)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))  # but for rounding


def _of_numbers(model: Model, asked: Asked) -> Coverage:
    target = answer_named(model, asked.answer)
    answers, truth = model.pairs.answers[:, [target]], model.pairs.truth[:, [target]]
    smallest = min(len(answers) // 2, len(answers) - len(answers) // 2)
    levels = [level for level in LEVELS if (smallest + 1) * level <= smallest]
    inside = np.stack([_inside(answers, truth, level) for level in levels])
    third = np.argsort(np.argsort(answers[:, 0], kind="stable")) * len(GROUPS) // len(answers)
    shares = {"all rows": inside.mean(axis=1).tolist()}
    shares |= {name: inside[:, third == place].mean(axis=1).tolist() for place, name in enumerate(GROUPS)}
    told = ", ".join(f"{number(share)} at {level}" for level, share in zip(levels, shares["all rows"], strict=True))
    return Coverage(
        title=f"Calibration of the intervals of {model.targets[target]}",
        alt=f"Share of rows whose truth is inside the interval: {told}.",
        note=f"{rests_on(model)}; intervals of each half are made of what was missed in the other",
        target=model.targets[target],
        levels=levels,
        inside=shares,
        rows=len(answers),
        doubt=DEVIATIONS * 0.5 / sqrt(len(answers)),
    )


def _inside(answers: Scores, truth: Scores, level: float) -> Vector:
    """Tell for each row whether truth is inside an interval made of the other half of the rows: 1 or 0."""
    inside, half = np.zeros(len(answers)), np.arange(len(answers)) % 2
    for own in (0, 1):
        misses = Misses.of_numbers(answers[half != own], truth[half != own])
        bound = misses.bound(level)
        assert bound is not None  # noqa: S101 - there are as many rows as the level takes
        mine = half == own
        margins = misses.margins(answers[mine], bound)
        inside[mine] = (np.abs(answers[mine] - truth[mine]) <= margins)[:, 0]
    return inside
