"""The pictures that there are: how each is computed, and what may be asked of it."""

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from app.engine.control import GoOn
from app.errors import InvalidRequest, PictureNotFound, PicturesNotInstalled
from app.faults import Fault
from app.later import Later
from app.models.model import Model
from app.pictures.calibration import Coverage, Reliability, calibration
from app.pictures.diagram import Diagram, diagram
from app.pictures.learning_curve import LearningCurve, learning_curve
from app.pictures.picture import Asked
from app.pictures.predicted import Confusion, Predicted, Residuals, predicted, residuals
from app.pictures.response import Response, response
from app.pictures.surface import Surface, surface

AnyPicture: TypeAlias = (
    LearningCurve | Diagram | Predicted | Confusion | Residuals | Reliability | Coverage | Response | Surface
)

drawing: Any = Later("app.pictures.drawing.draw")


class Kind(NamedTuple):
    """How a picture is computed, and which of the questions it takes."""

    make: Callable[[Model, Asked, GoOn], AnyPicture]
    takes: frozenset[str]


def _at_once(make: Callable[[Model, Asked], AnyPicture], *takes: str) -> Kind:
    return Kind(partial(_without_asking, make), frozenset(takes))


def _without_asking(make: Callable[[Model, Asked], AnyPicture], model: Model, asked: Asked, _go_on: GoOn) -> AnyPicture:
    return make(model, asked)


PICTURES: dict[str, Kind] = {
    "learning-curve": _at_once(learning_curve),
    "diagram": _at_once(diagram, "member"),
    "predicted": _at_once(predicted, "answer"),
    "residuals": _at_once(residuals, "answer"),
    "calibration": _at_once(calibration, "answer"),
    "response": Kind(response, frozenset({"column", "answer", "level"})),
    "surface": Kind(surface, frozenset({"x", "y", "answer"})),
}


def kind_named(name: str) -> Kind:
    """Find a picture; raise PictureNotFound."""
    if name not in PICTURES:
        raise PictureNotFound(PICTURES)
    return PICTURES[name]


def require_taken(kind: Kind, asked: Asked) -> None:
    """Raise InvalidRequest for what the picture leaves no choice of."""
    given = [field.name for field in fields(asked) if getattr(asked, field.name) is not None]
    unknown = [name for name in given if name not in kind.takes]
    if unknown:
        message = "The address asks for what this picture has no choice of."
        told = f"one of: {', '.join(sorted(kind.takes))}" if kind.takes else "nothing"
        raise InvalidRequest(message, [Fault(told, field=name) for name in unknown])


def drawn(picture: AnyPicture, form: str, width: int) -> bytes:
    """Draw a picture as `svg` or `png`, so many pixels wide; raise PicturesNotInstalled, or NoPicture."""
    try:
        draw = drawing.draw
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        raise PicturesNotInstalled from error
    content: bytes = draw(picture, form, width)
    return content
