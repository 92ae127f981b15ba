"""Judgement: what a model's answers are worth, as rows tell that its members had not learnt from."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from app.engine.arrays import Array, Outputs, Scores
from app.engine.ensemble import Folds, unseen
from app.engine.metrics import (
    SMALLEST_PROBABILITY,
    classification_metrics,
    confusion_matrix,
    multilabel_metrics,
    regression_metrics,
)
from app.engine.model import Model, Report
from app.engine.pairs import Pairs
from app.engine.preprocessing import encode_labels
from app.engine.table import TrainingRows
from app.engine.training import Trained
from app.engine.uncertainty import Misses, temperature_of


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

    @property
    def judged(self) -> tuple[Scores, Scores]:
        """Give the same where any rows were held out, else all answers to all rows."""
        return self.unseen if self.folds.judged.size else (self.scores.mean(axis=0), self.truth)


def judged(model: Model, rows: TrainingRows, folds: Folds, trained: Trained, choice: str) -> Model:
    """Measure a model that has learnt, and how far its answers may be off; `choice` says why it is what it is."""
    truth = encode_labels(rows.y, model.labels, one_column=False) if isinstance(rows.y, tuple) else rows.y
    model = replace(model, temperature=1.0, misses=Misses.none(_ways(model)))
    answered = _Answered(model.member_scores(rows.X), truth, folds)
    if folds.judged.size and np.isfinite(answered.scores).all():
        model = replace(model, temperature=_temperature(model, *answered.unseen))
        if model.temperature != 1.0:
            answered = answered._replace(scores=model.member_scores(rows.X))
        model = replace(model, misses=_misses(model, answered))
    model = replace(model, pairs=_pairs(model, answered))
    report = _report(model, answered, trained, choice)
    return replace(model, report=replace(report, fingerprint=rows.fingerprint))


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


def _misses(model: Model, answered: _Answered) -> Misses:
    """Measure what members missed of rows that they had not learnt from.

    Members that stopped where they answered these rows best look better on them than they are, by about as much as all
    members together are better than one; others do not, and all together are better by what they differ.
    """
    answers, truth = answered.unseen
    if model.labels:
        return Misses.of_classes((answers * truth).sum(axis=1, keepdims=True), np.ones((len(truth), 1)))
    if model.recipe.task != "regression":
        return Misses.of_classes(answers, truth)
    judges, members = answered.folds.judged, len(answered.scores)
    alone = members > 1 and judges.size == len(answers) and not model.recipe.training.keep_best
    spread = answered.scores[:, np.sort(judges, axis=None)].var(axis=0) if alone else None
    return Misses.of_numbers(answers, truth, spread)


def _pairs(model: Model, answered: _Answered) -> Pairs:
    answers, truth = answered.judged
    if not np.isfinite(answers).all():
        return Pairs.none(answers.shape[1], len(model.targets))
    return Pairs.sample(answers, truth.argmax(axis=1, keepdims=True).astype(np.float64) if model.labels else truth)


def _report(model: Model, answered: _Answered, trained: Trained, choice: str) -> Report:
    """Measure a model on all rows, and on those that members have not seen."""
    several = multilabel_metrics if model.recipe.task == "multilabel" else regression_metrics
    measure = classification_metrics if model.labels else several
    truth, held_out = answered.truth, answered.folds.judged.size > 0
    metrics = {"training": measure(answered.scores.mean(axis=0), truth)}
    answers, judged = answered.judged
    if held_out:
        metrics["validation"] = measure(answers, judged)
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
