"""What a model card holds."""

from pydantic import BaseModel

from app.api.schemas import LOOSE, ModelDetail


class Certainty(BaseModel):
    """How sure an interval, or a set of labels, can be asked to be."""

    model_config = LOOSE

    rows: int
    """Whose misses are known, at most 1,000: rows that a network had not learnt from."""
    highest_level: float | None
    """With which probability truth can be said to be inside, at most; null where nothing can be said."""
    reason: str | None
    """Why there is no interval at 0.9, if there is none."""


class Card(ModelDetail):
    """One version of a model with all that is known of it, and what it is known not to know."""

    model_config = LOOSE

    seed: int
    parameters: int
    rests_on: str
    """Which rows the metrics rest on."""
    certainty: Certainty
    limits: list[str]
    """What it is known not to know, from facts alone."""
    libraries: dict[str, str]
    """The versions that wrote the model."""
