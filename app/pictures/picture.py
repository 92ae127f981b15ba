"""A picture: what it says of a model, in numbers and in words, before anybody draws it; and what may be asked for."""

from dataclasses import dataclass

from app.engine.choices import DESCRIBED

USUAL_LEVEL = 0.9


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What of a model is to be in a picture, where there is a choice."""

    member: int | None = None
    """Which of several networks the diagram shows, counted from 1."""
    column: str | None = None
    """The column that the response runs over; the first where it is not given."""
    x: str | None = None
    """The column that the surface has from left to right; the first where it is not given."""
    y: str | None = None
    """The column that the surface has from bottom to top."""
    answer: str | None = None
    """The target, or for classes the label, that is shown of several."""
    level: float | None = None
    """How often truth is to be within the interval of a response; 0.9 where it is not given."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What every picture has."""

    __pydantic_config__ = DESCRIBED

    title: str
    alt: str
    """The picture in words, for who cannot see it."""
    note: str = ""
    """What it rests on, and what it leaves out."""


def number(value: float) -> str:
    """Write a number in four digits."""
    return f"{value:.4g}"
