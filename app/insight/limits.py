"""Limits: what a model is known not to know, in sentences that follow from facts about it."""

from collections.abc import Iterator

from app.insight.trust import judged_by, why_no_interval
from app.models.model import Model

FEW_ROWS, FEW_OF_A_LABEL = 50, 5
MOST_NAMED = 10
SURE = 0.9  # how sure an interval is asked to be


def limits_of(model: Model) -> list[str]:
    """List them, those that weigh most first."""
    return [*_of_rows(model), *_of_answers(model), *_of_columns(model), *model.report.warnings]


def _of_rows(model: Model) -> Iterator[str]:
    report = model.report
    if report.rows < FEW_ROWS:
        yield f"It has learnt from {report.rows} rows only."
    if not report.rows_held_out:
        yield "No row was held out: metrics are of rows that were learnt from, and say little about new ones."
    if report.rows_held_out and model.continued_from is not None:
        yield f"Its metrics are of rows {judged_by(model)}: they may look better than it is."
    if report.parameters_per_row > 1.0:
        yield f"Each network has {report.parameters_per_row:.3g} parameters for each row."
    if model.labels and report.confusion_matrix:
        rows = [sum(counts) for counts in report.confusion_matrix]
        rare = [
            str(label).lower() if isinstance(label, bool) else str(label)
            for label, count in zip(model.labels, rows, strict=True)
            if count < FEW_OF_A_LABEL
        ]
        if rare:
            yield f"Fewer than {FEW_OF_A_LABEL} rows that it was judged by are of: {_listed(rare)}."


def _of_answers(model: Model) -> Iterator[str]:
    judged = model.report.metrics.get("validation", {})
    r2, balanced = judged.get("r2"), judged.get("balanced_accuracy")
    if r2 is not None and r2 <= 0.0:
        yield "On rows held out it is no better than the mean of what they are."
    if balanced is not None and balanced <= 1.0 / max(2, len(model.labels)):
        yield "On rows held out it is no better than chance."
    if model.misses.bound(SURE) is None:
        yield why_no_interval(model, SURE)
    if model.temperature != 1.0:
        how = "less" if model.temperature > 1.0 else "more"
        yield f"Its probabilities are made {how} certain, by a temperature of {model.temperature:.3g}, to be right."


def _of_columns(model: Model) -> Iterator[str]:
    encoder = model.encoder
    yield "A row with a number beyond those of the training is answered, but that is a guess: in_range is then false."
    if len(encoder.numbers) < len(model.columns):
        yield "A category that was not there in the training is answered as none of the others: in_range is then false."
    ends = zip(model.columns, encoder.lowest, encoder.highest, strict=True)
    constant = [column.name for column, low, high in ends if low == high]
    if constant:
        yield f"What never varied in the training cannot be learnt: {_listed(constant)}."
    if model.missing:
        yield f"A value may be missing only where some were in the training: {_listed(sorted(model.missing))}."


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
