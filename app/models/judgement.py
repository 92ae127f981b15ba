"""Judgement: what a model's answers are worth, as rows tell that its members had not learnt from."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from app.engine.arrays import Array, Index, Outputs, Scores
from app.engine.training import Trained
from app.models.ensemble import Folds, Known, learnt_copies, unseen
from app.models.metrics import (
    SMALLEST_PROBABILITY,
    Metrics,
    classification_metrics,
    confusion_matrix,
    multilabel_metrics,
    regression_metrics,
)
from app.models.model import Model, Report
from app.models.pairs import Pairs
from app.models.preprocessing import encode_labels
from app.models.table import TrainingRows
from app.models.uncertainty import Misses, at_temperature, temperature_of

FINEST = 1e-5  # of a target's deviation: misses below are of rounding
MANY_COPIES = 0.1  # share of the rows


class Judged(NamedTuple):
    """A model that has been measured, and how well rows seem to be answered that chose its members' weights."""

    model: Model
    apparent: Metrics


class _Answered(NamedTuple):
    """What members answer to the rows at hand, shape (members, samples, answers), the truth, and who learnt what."""

    scores: Outputs
    truth: Scores
    folds: Folds

    @property
    def unseen(self) -> tuple[Scores, Scores]:
        """Give the answers to rows by those who had not learnt from them, and the truth."""
        answers, held_out = unseen(self.scores, self.folds.judged)
        return answers, self.truth[held_out]

    def at(self, scores: Outputs | None) -> "_Answered":
        """Take other answers, shape (members, judged, answers), to the rows that judged members."""
        if scores is None:
            return self
        others = self.scores.copy()
        others[np.arange(len(scores))[:, np.newaxis], self.folds.judged] = scores
        return self._replace(scores=others)

    @property
    def judged(self) -> tuple[Scores, Scores]:
        """Give the same where any rows were held out, else all answers to all rows."""
        return self.unseen if self.folds.judged.size else (self.scores.mean(axis=0), self.truth)


def judged(
    model: Model, rows: TrainingRows, folds: Folds, trained: Trained, choice: str, *, is_new: bool = True
) -> Judged:
    """Measure a model that has learnt, and how far its answers may be off; `choice` says why it is what it is.

    One that went on from another, which may have learnt rows that are held out now, does not know how far.
    """
    truth = encode_labels(rows.y, model.labels, one_column=False) if isinstance(rows.y, tuple) else rows.y
    model = replace(model, temperature=1.0, misses=Misses.none(_ways(model)))
    fair = None if trained.unseen is None else model.scores_of(trained.unseen)
    own = _Answered(model.member_scores(rows.X), truth, folds)
    answered, apparent = own.at(fair), _measured(model, *own.unseen) if folds.judged.size else {}
    known = learnt_copies(rows.copies, folds) if folds.judged.size else np.zeros(len(truth), dtype=bool)
    if is_new and folds.judged.size and np.isfinite(answered.scores).all():
        if len(own.scores) == 1 or folds.judged.shape[1] == len(truth):  # averages of networks are not as sure as one
            model = replace(model, temperature=_temperature(model, *answered.unseen))
        if model.temperature != 1.0:
            own = own._replace(scores=model.member_scores(rows.X))
            if fair is not None:
                fair = at_temperature(fair, model.temperature, one_of=bool(model.labels))
            answered = own.at(fair)
        model = replace(model, misses=_misses(model, answered, known))
    model = replace(model, pairs=_pairs(model, answered))
    report = _report(model, own.scores.mean(axis=0), answered, trained, choice)
    warnings = tuple(_of_copies(rows.copies)) if known.any() else ()
    report = replace(report, fingerprint=rows.fingerprint, warnings=warnings)
    return Judged(replace(model, report=report), apparent)


def _ways(model: Model) -> int:
    """Count the ways in which an answer can be missed."""
    return 1 if model.labels else len(model.targets)


def _temperature(model: Model, answers: Scores, truth: Scores) -> float:
    if model.recipe.task == "regression":
        return 1.0
    z: Array = np.log(np.clip(answers, SMALLEST_PROBABILITY, 1.0))
    if not model.labels:  # each yes or no is two classes
        no = np.log(np.clip(1.0 - answers, SMALLEST_PROBABILITY, 1.0))
        z, truth = (np.stack(pair, axis=-1).reshape(-1, 2) for pair in ((no, z), (1.0 - truth, truth)))
    return temperature_of(z, truth)


def _of_copies(copies: Index) -> Iterator[str]:
    """Warn of rows that are there more than once."""
    several = int((np.bincount(copies)[copies] > 1).sum())
    if several > MANY_COPIES * len(copies):
        yield (
            f"{several:,} of {len(copies):,} rows are there more than once: who is judged by one has learnt another, "
            "and metrics of rows held out look better than they are. Send each once, with a weight if it counts more."
        )


def _misses(model: Model, answered: _Answered, known: Known) -> Misses:
    """Measure what members missed of rows that they had not learnt from, nor `known` copies of them.

    All members together are better than one by what they differ, unless each has kept weights that it chose by rows of
    its own: what is gained is in their choices then, over which a member's answers to these rows are averaged.
    """
    answers, truth = answered.unseen
    if model.labels:
        return Misses.of_classes((answers * truth).sum(axis=1, keepdims=True), np.ones((len(truth), 1)))
    if model.recipe.task != "regression":
        return Misses.of_classes(answers, truth)
    judges = answered.folds.judged
    held_out = np.unique(judges)
    new = ~known[held_out]
    if not new.any():
        return Misses.none(_ways(model))
    is_alone = len(answered.scores) > 1 and judges.size == len(answers)
    spread = None
    if is_alone and not model.recipe.training.keep_best:
        spread = answered.scores[:, held_out[new]].var(axis=0)
    finest = 0.0 if model.target is None else FINEST * model.target.scale
    return Misses.of_numbers(answers[new], truth[new], spread, finest)


def _pairs(model: Model, answered: _Answered) -> Pairs:
    answers, truth = answered.judged
    if not np.isfinite(answers).all():
        return Pairs.none(answers.shape[1], len(model.targets))
    return Pairs.sample(answers, truth.argmax(axis=1, keepdims=True).astype(np.float64) if model.labels else truth)


def _measured(model: Model, answers: Scores, truth: Scores) -> Metrics:
    several = multilabel_metrics if model.recipe.task == "multilabel" else regression_metrics
    return classification_metrics(answers, truth) if model.labels else several(answers, truth)


def _report(model: Model, own: Scores, answered: _Answered, trained: Trained, choice: str) -> Report:
    """Measure a model's own answers to all rows, and those to rows that members have not seen."""
    truth, held_out = answered.truth, answered.folds.judged.size > 0
    metrics = {"training": _measured(model, own, truth)}
    answers, judged = answered.judged
    if held_out:
        metrics["validation"] = _measured(model, answers, judged)
    return Report(
        choice=choice,
        rows=len(truth),
        rows_held_out=len(judged) if held_out else 0,
        parameters=model.parameters.size,
        parameters_per_row=model.network.size / len(truth),
        epochs=len(trained.history.loss),
        kept_epochs=trained.kept_epochs,
        stopped=trained.stopped,
        loss=trained.loss,
        metrics=metrics,
        confusion_matrix=confusion_matrix(answers, judged) if model.labels else None,
    )
