"""Predictions: the answers to rows as the schema promises them, and what cannot be asked of a model."""

from collections.abc import Sequence

from app.api.predict_schemas import Applicability, Explanation, OutsideAnswer, Predictions, PredictRequest
from app.errors import InvalidRequest, TooManyAnswers
from app.faults import Fault
from app.insight.trust import why_no_interval
from app.models.model import Model
from app.store.store import Stored
from app.tables.answered import class_names, in_words
from app.tables.wanted import Answered, Wanted, joined, labels_in


def wanted_by(request: PredictRequest) -> Wanted:
    """Tell what a request wants beside the answers."""
    return Wanted(request.proba, request.interval, request.applicability, request.abstain)


def told(
    stored: Stored, answered: Sequence[Answered], wanted: Wanted, explanations: list[Explanation] | None = None
) -> Predictions:
    """Tell answers that were computed some rows at a time."""
    model, found = stored.model, joined(answered)
    predictions = Predictions(
        model=stored.name,
        version=stored.version,
        predictions=[*in_words(model, found.scores)],
        in_range=found.in_range,
        explanations=explanations,
    )
    if wanted.proba:
        labels = class_names(model)
        predictions.probabilities = [dict(zip(labels, row, strict=True)) for row in found.scores.tolist()]
    if wanted.interval is not None:
        _tell_interval(predictions, model, found, wanted.interval)
    if found.reasons is not None:
        predictions.none_because = found.reasons  # type: ignore[assignment]
        pairs = zip(predictions.predictions, found.reasons, strict=True)
        predictions.predictions = [None if reason else answer for answer, reason in pairs]
    if found.outside is not None and found.distances is not None:
        told_rows = zip(found.in_range, found.outside, found.distances, strict=True)
        predictions.applicability = [
            Applicability(
                in_range=in_range, outside=[OutsideAnswer(**each._asdict()) for each in outside], distance=distance
            )
            for in_range, outside, distance in told_rows
        ]
    return predictions


def _tell_interval(predictions: Predictions, model: Model, found: Answered, level: float) -> None:
    rows = len(predictions.predictions)
    if model.recipe.task == "regression":
        ends = [None] * rows if found.ends is None else found.ends.tolist()
        predictions.intervals = [each if each is None or len(model.targets) > 1 else each[0] for each in ends]
    else:
        predictions.label_sets = [None] * rows if found.sets is None else labels_in(model, found.sets)
    if found.ends is None and found.sets is None:
        predictions.interval_reason = why_no_interval(model, level)


def require_answerable(model: Model, rows: int, wanted: Wanted, most: int) -> None:
    """Raise TooManyAnswers for more than so many numbers, InvalidRequest for what only classes have."""
    count = rows * wanted.numbers(model)
    if count > most:
        raise TooManyAnswers(count, most)
    is_regression = model.recipe.task == "regression"
    if wanted.proba and is_regression:
        message = "Only classes have probabilities, and this model answers with numbers. Leave proba out."
        raise InvalidRequest(message, [Fault("false, or nothing", got="true", field="proba")])
    if wanted.abstain and not model.labels:
        message = "Only a model that tells classes apart can say that a row is of none of them. Leave abstain out."
        raise InvalidRequest(message, [Fault("false, or nothing", got="true", field="abstain")])


def require_form(model: Model, form: str | None) -> None:
    """Raise InvalidRequest where the answers are texts, but the form has numbers only."""
    if form == "npy" and any(isinstance(label, str) for label in model.labels):
        message = "An npy array holds numbers, and this model answers with texts. Ask for another form with Accept."
        raise InvalidRequest(message, [Fault("application/json, or text/csv", got="application/x-npy", field="accept")])


def numbers_in(model: Model, rows: int) -> int:
    """Count the numbers in the answers to so many rows, with nothing beside them."""
    return rows * Wanted().numbers(model)
