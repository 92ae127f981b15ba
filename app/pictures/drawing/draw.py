"""Drawing: each kind of picture by its own hand, all on the same canvas."""

from collections.abc import Callable, Mapping
from dataclasses import astuple
from math import inf
from typing import Any

from matplotlib.figure import Figure

from app.errors import NoPicture
from app.pictures.calibration import Coverage, Reliability
from app.pictures.diagram import Diagram
from app.pictures.drawing import comparisons, curves, networks, surfaces
from app.pictures.drawing.canvas import style, written
from app.pictures.learning_curve import LearningCurve
from app.pictures.picture import Picture
from app.pictures.predicted import Confusion, Predicted, Residuals
from app.pictures.response import Response
from app.pictures.surface import Surface

LARGEST = 1e100  # beyond, squares of what is drawn overflow

HANDS: Mapping[type[Picture], Callable[[Any], Figure]] = {
    LearningCurve: curves.learning_curve,
    Response: curves.response,
    Diagram: networks.diagram,
    Predicted: comparisons.predicted,
    Confusion: comparisons.confusion,
    Residuals: comparisons.residuals,
    Reliability: comparisons.reliability,
    Coverage: comparisons.coverage,
    Surface: surfaces.surface,
}


def draw(picture: Picture, form: str, width: int) -> bytes:
    """Draw a picture as `svg` or `png`, so many pixels wide; one at a time, since matplotlib's style is for all.

    Raises NoPicture for numbers that are too large to be drawn.
    """
    if _largest(astuple(picture)) > LARGEST:
        message = f"Numbers beyond {LARGEST:g} are too large to be drawn. As .json the picture has them."
        raise NoPicture(message)
    with style():
        return written(HANDS[type(picture)](picture), picture, form, width)


def _largest(parts: Any) -> float:  # noqa: ANN401 - whatever a picture is made of
    if isinstance(parts, int | float):
        return abs(parts)
    if isinstance(parts, dict):
        parts = parts.values()
    if isinstance(parts, str) or parts is None:
        return 0.0
    return max((_largest(part) for part in parts), default=-inf)
