"""Model cards: what is known of a version, put together."""

from app.api.answers import detail
from app.api.card_schemas import Card, Certainty
from app.insight.limits import SURE, limits_of
from app.insight.trust import judged_by, why_no_interval
from app.models.model import Model
from app.store.store import Stored


def card_of(stored: Stored) -> Card:
    """Put together what is known of a version."""
    model = stored.model
    return Card(
        **dict(detail(stored)),
        seed=model.recipe.training.seed,
        parameters=model.parameters.size,
        rests_on=f"{model.report.rows_held_out or model.report.rows:,} rows {judged_by(model)}",
        certainty=_certainty(model),
        limits=limits_of(model),
        libraries=stored.libraries,
    )


def _certainty(model: Model) -> Certainty:
    rows = len(model.misses.sizes)
    reason = why_no_interval(model, SURE) if model.misses.bound(SURE) is None else None
    return Certainty(rows=rows, highest_level=rows / (rows + 1) if rows else None, reason=reason)
