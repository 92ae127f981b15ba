"""Explaining: what each column that was sent adds to an answer, within the bounds of one request."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from app.api.parts import Limits
from app.api.predict_schemas import Named
from app.api.predictions import require_answerable
from app.engine.arrays import Cells
from app.engine.control import GoOn
from app.errors import TableTooLarge
from app.insight.explain import baseline, contributions, evaluations
from app.models.model import Model
from app.tables.answered import class_names
from app.tables.cells import rows_at
from app.tables.columns import groups_of, sources_of
from app.tables.wanted import Wanted


class Explained(NamedTuple):
    """The answer to the row in the middle, and what each column adds to that, row by row."""

    baseline: Named
    contributions: list[dict[str, Named]]


def explained(model: Model, X: Cells, limits: Limits, go_on: GoOn) -> Explained:
    """Explain rows, shape (samples, columns).

    Raises TooManyAnswers or TableTooLarge where that takes too many answers, BadTable where one of them overflows.
    """
    sources = sources_of(model)
    answers = len(X) * evaluations(len(sources))
    require_answerable(model, answers, Wanted(), most=limits.answers)
    if answers * X.shape[1] > limits.bounds.cells:
        raise TableTooLarge(answers, X.shape[1], limits.bounds.cells, of="cells, with all that explains them,")
    groups = groups_of(model)
    names = class_names(model) or model.targets

    def named(scores: Sequence[float]) -> Named:
        return scores[0] if len(names) == 1 else dict(zip(names, scores, strict=True))

    def shares_of(row: int) -> list[Any]:
        with rows_at(lambda _mixed: row):
            shares: list[Any] = contributions(model, X[row], groups, go_on).tolist()
            return shares

    told = [
        {source.name: named(share) for source, share in zip(sources, shares_of(row), strict=True)}
        for row in range(len(X))
    ]
    return Explained(named(baseline(model).tolist()), told)
