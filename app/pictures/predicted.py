"""Answers beside the truth: each pair a point, or for classes a count in a table; and what is left between them."""

from dataclasses import dataclass

import numpy as np

from app.engine.arrays import Vector
from app.errors import NoPicture
from app.insight.trust import is_judged_by_new_rows, judged_by, why_no_interval
from app.models.metrics import confusion_matrix
from app.models.model import Model
from app.pictures.names import answer_named, listed
from app.pictures.picture import USUAL_LEVEL, Asked, Picture, number
from app.tables.answered import MORE_LIKELY, class_names

MOST_LABELS = 15
OTHERS = "others"


@dataclass(frozen=True, kw_only=True)
class Predicted(Picture):
    """Numbers predicted, and what was true."""

    target: str
    predicted: list[float]
    true: list[float]
    unseen: bool
    """Whether the rows were held out from who answered them; else they were learnt from."""


@dataclass(frozen=True, kw_only=True)
class Confusion(Picture):
    """Rows by true label (one list each) and answered label, both in the order of `labels`."""

    labels: list[str]
    counts: list[list[int]]
    unseen: bool


@dataclass(frozen=True, kw_only=True)
class Residuals(Picture):
    """What the truth is above each answer."""

    target: str
    predicted: list[float]
    residuals: list[float]
    unseen: bool
    margins: list[tuple[float, float]] | None
    """Along the answers, what 9 in 10 rows are missed by at most: (answer, margin)."""


def predicted(model: Model, asked: Asked) -> Predicted | Confusion:
    """Give answers beside the truth; raise NoPicture where none were kept, InvalidRequest for no such target."""
    if model.labels:
        return _of_labels(model)
    target = answer_named(model, asked.answer)
    answers, truth = _pairs(model, target)
    if model.recipe.task == "multilabel":
        return _of_yes_or_no(model, target, answers, truth)
    return Predicted(
        title=f"Predicted and true {model.targets[target]}",
        alt=f"{len(truth)} rows, predicted {_ends(answers)}, true {_ends(truth)}. {_distance(answers, truth)}",
        note=rests_on(model),
        target=model.targets[target],
        predicted=answers.tolist(),
        true=truth.tolist(),
        unseen=is_judged_by_new_rows(model),
    )


def residuals(model: Model, asked: Asked) -> Residuals:
    """Give what is left; raise NoPicture where answers are no numbers, InvalidRequest for no such target."""
    if model.recipe.task != "regression":
        message = "Only numbers have residuals, and this model answers with classes. Ask for predicted, or calibration."
        raise NoPicture(message)
    target = answer_named(model, asked.answer)
    answers, truth = _pairs(model, target)
    left, margins = truth - answers, _margins(model, target, answers)
    words = f"{len(left)} rows: the truth is {_ends(left)} above the answer, {number(left.mean())} in the mean."
    return Residuals(
        title=f"Residuals of {model.targets[target]}",
        alt=words if margins is not None else f"{words} {why_no_interval(model, USUAL_LEVEL)}",
        note=rests_on(model),
        target=model.targets[target],
        predicted=answers.tolist(),
        residuals=left.tolist(),
        unseen=is_judged_by_new_rows(model),
        margins=margins,
    )


def rests_on(model: Model) -> str:
    """Say which rows pairs of answer and truth are of."""
    return f"{_some(len(model.pairs), model.report.rows_held_out or model.report.rows)} {judged_by(model)}"


def _some(shown: int, rows: int) -> str:
    return f"{rows:,} rows" if shown >= rows else f"{shown:,} of {rows:,} rows"


def _pairs(model: Model, target: int) -> tuple[Vector, Vector]:
    if not len(model.pairs):
        message = "No answers beside the truth were kept with this model. Train it again to have them."
        raise NoPicture(message)
    return model.pairs.answers[:, target], model.pairs.truth[:, target]


def _of_labels(model: Model) -> Confusion:
    """Take the report's own counts, which are of all rows; the labels with the fewest are counted together."""
    counts = np.array(model.report.confusion_matrix or np.zeros((len(model.labels),) * 2, dtype=int))
    names = class_names(model)
    note = rests_on(model).replace(f"{len(model.pairs):,} of ", "")
    if len(names) > MOST_LABELS:
        order = np.argsort(-counts.sum(axis=1), kind="stable")
        kept, rest = np.sort(order[: MOST_LABELS - 1]), order[MOST_LABELS - 1 :]
        groups = np.eye(len(names), dtype=int)[[*kept]]
        groups = np.vstack((groups, np.isin(np.arange(len(names)), rest).astype(int)))
        counts, names = groups @ counts @ groups.T, [*(names[place] for place in kept), OTHERS]
        note += f"; the {len(rest)} labels with the fewest rows are counted together"
    return _confusion(f"Predicted and true {model.targets[0]}", note, names, counts.tolist(), model)


def _of_yes_or_no(model: Model, target: int, answers: Vector, truth: Vector) -> Confusion:
    pairs = [np.stack((1.0 - each, each), axis=1) for each in ((answers > MORE_LIKELY) * 1.0, truth)]
    counts = [[*row] for row in confusion_matrix(*pairs)]
    return _confusion(f"Predicted and true {model.targets[target]}", rests_on(model), ["false", "true"], counts, model)


def _confusion(title: str, note: str, labels: list[str], counts: list[list[int]], model: Model) -> Confusion:
    rows, right = sum(map(sum, counts)), sum(row[place] for place, row in enumerate(counts))
    return Confusion(
        title=title,
        alt=f"{right:,} of {rows:,} rows are answered right. True labels: {listed(labels)}.",
        note=note,
        labels=labels,
        counts=counts,
        unseen=is_judged_by_new_rows(model),
    )


def _margins(model: Model, target: int, answers: Vector) -> list[tuple[float, float]] | None:
    bound = model.misses.bound(USUAL_LEVEL)
    if bound is None:
        return None
    at = np.unique(np.concatenate((model.misses.knots[:, target], [answers.min(), answers.max()])))
    margins = model.misses.margins(np.repeat(at[:, np.newaxis], len(model.targets), axis=1), bound)[:, target]
    return [*zip(at.tolist(), margins.tolist(), strict=True)]


def _ends(values: Vector) -> str:
    return f"{number(values.min())} to {number(values.max())}"


def _distance(answers: Vector, truth: Vector) -> str:
    return f"The mean distance is {number(float(np.abs(answers - truth).mean()))}."
