"""The diagram of a network: units are circles in columns, weights are lines between them, wide where they are large."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from app.pictures.diagram import Diagram, UnitLayer
from app.pictures.drawing.canvas import BLUE, DASHES, INCHES, INK, QUIET, RED, Look, figure, headed, words
from app.pictures.picture import number

RADIUS, LAYERS_APART = 0.24, 2.7  # in units of what is between two units
FAR, NEAR = 1.5, 1.0  # between units that values are written beside, and others
WIDEST, NARROWEST = 4.5, 0.4
MOST_WRITTEN, MOST_BESIDE = 24, 5  # weights, and units that they lead to, whose values have room
LOWEST, HIGHEST = 2.4, 7.0  # inches
LONGEST = 24  # characters of a name
SIGNS = {True: (BLUE, DASHES[0], "weight above 0"), False: (RED, DASHES[1], "weight below 0")}
MIDDLE: Look = {"ha": "center", "va": "center", "zorder": 4}


class Edge(NamedTuple):
    """A weight between two places."""

    begin: tuple[float, float]
    end: tuple[float, float]
    weight: float
    share: float
    """Of the largest weight between these layers."""


def diagram(picture: Diagram) -> Figure:
    """Draw units, weights and biases, with names of inputs and outputs."""
    is_small = _is_small(picture.layers)
    apart = FAR if is_small else NEAR
    height = apart * max(_slots(layer) for layer in picture.layers)
    left, right = (_room(picture.layers[place]) for place in (0, -1))
    width = left + right + LAYERS_APART * (len(picture.layers) - 1)
    canvas = figure(min(HIGHEST, max(LOWEST, 0.8 + INCHES * (height + 1.6) / width)))
    axes = canvas.subplots()
    for place, (before, after) in enumerate(pairwise(picture.layers)):
        _draw_weights(axes, [*_edges(before, after, place, apart)], written=is_small)
        _say_between(axes, after.number - before.number - 1, place)
    for place, layer in enumerate(picture.layers):
        _draw_units(axes, layer, place, apart, written=is_small)
        _say_around(axes, layer, place, apart, height)
    axes.set(xlim=(-left, width - left), ylim=(-0.5 * height - 0.2, 0.5 * height + 1.4), aspect="equal")
    axes.set_axis_off()
    _explain(axes, picture, written=is_small)
    headed(canvas, picture)
    return canvas


def _is_small(layers: list[UnitLayer]) -> bool:
    weights = sum(len(layer.shown) * len(layer.weights or ()) for layer in layers)
    return weights <= MOST_WRITTEN and max(len(layer.shown) for layer in layers[1:]) <= MOST_BESIDE


def _room(layer: UnitLayer) -> float:
    """Leave room for the longest name beside a layer."""
    return 0.8 + 0.15 * max((len(words(name, LONGEST)) for name in layer.names), default=4)


def _slots(layer: UnitLayer) -> int:
    return len(layer.shown) + (len(layer.shown) < layer.units)


def _places(layer: UnitLayer, place: int, apart: float) -> list[tuple[float, float]]:
    """Put units below each other around the middle; the last slot is left for those that are not shown."""
    top = 0.5 * (_slots(layer) - 1)
    return [(LAYERS_APART * place, apart * (top - row)) for row in range(len(layer.shown))]


def _edges(before: UnitLayer, after: UnitLayer, place: int, apart: float) -> Iterator[Edge]:
    largest = max((abs(weight) for row in after.weights or () for weight in row), default=0.0) or 1.0
    for begin, weights in zip(_places(before, place, apart), after.weights or (), strict=False):
        for end, weight in zip(_places(after, place + 1, apart), weights, strict=True):
            yield Edge(begin, end, weight, abs(weight) / largest)


def _draw_weights(axes: Axes, edges: list[Edge], *, written: bool) -> None:
    """Draw the smallest first, so that large ones lie above them."""
    for edge in sorted(edges, key=lambda edge: edge.share):
        colour, dash, _ = SIGNS[edge.weight >= 0]
        width = NARROWEST + (WIDEST - NARROWEST) * edge.share
        along = zip(edge.begin, edge.end, strict=True)
        axes.plot(*along, color=colour, linestyle=dash, linewidth=width, alpha=0.3 + 0.65 * edge.share)
    if written:
        beside = len({edge.end for edge in edges})
        for edge in edges:
            _write_weight(axes, edge, 1.0 / (1.0 + beside))


def _write_weight(axes: Axes, edge: Edge, along: float) -> None:
    """Write a value on its line, where lines from and to other units are farthest from it."""
    (x, y), (right, top) = edge.begin, edge.end
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.9}
    at = x + along * (right - x), y + along * (top - y)
    axes.text(*at, _short(edge.weight), fontsize=8, color=SIGNS[edge.weight >= 0][0], bbox=box, **MIDDLE)


def _draw_units(axes: Axes, layer: UnitLayer, place: int, apart: float, *, written: bool) -> None:
    for row, (x, y) in enumerate(_places(layer, place, apart)):
        face = "white" if layer.number else "#e9e9e9"
        axes.add_patch(Circle((x, y), RADIUS, facecolor=face, edgecolor=INK, linewidth=1.1, zorder=3))
        if layer.names:
            side, align = (1, "left") if layer.number else (-1, "right")
            beside: Look = MIDDLE | {"ha": align}
            axes.text(x + side * (RADIUS + 0.12), y, words(layer.names[row], LONGEST), fontsize=9, **beside)
        else:
            axes.text(x, y, str(layer.shown[row]), fontsize=7.5, color=QUIET, **MIDDLE)
        if written and layer.biases is not None:
            bias = f"b {_short(layer.biases[row])}"
            axes.text(x, y - RADIUS - 0.15, bias, fontsize=7.5, color=QUIET, **MIDDLE)


def _say_around(axes: Axes, layer: UnitLayer, place: int, apart: float, height: float) -> None:
    """Say above a layer what it is, and below how many of its units are not shown."""
    name = layer.activation or ("input" if layer.units == 1 else "inputs")
    x = LAYERS_APART * place
    axes.text(x, 0.5 * height + 0.3, f"{layer.units:,} {name}", fontsize=9, color=QUIET, **MIDDLE)
    hidden = layer.units - len(layer.shown)
    if hidden:
        lowest = _places(layer, place, apart)[-1][1]
        axes.text(x, lowest - 0.85, f"⋮\n{hidden:,} more", fontsize=8, color=QUIET, **MIDDLE)


def _say_between(axes: Axes, layers: int, place: int) -> None:
    if layers:
        text = f"…\n{layers} more\nlayers"
        axes.text(LAYERS_APART * (place + 0.5), 0.0, text, fontsize=9, color=QUIET, **MIDDLE)


def _explain(axes: Axes, picture: Diagram, *, written: bool) -> None:
    look: Look = {"linewidth": 2.6}
    lines = [Line2D([], [], color=colour, linestyle=dash, label=told, **look) for colour, dash, told in SIGNS.values()]
    told = "" if written else "the wider, the larger beside its neighbours"
    if written and picture.layers[-1].biases:
        told = "b: bias"
    lines.append(Line2D([], [], linestyle="", label=told))
    axes.legend(handles=lines, loc="upper left", ncols=len(lines), fontsize=8.5, handlelength=2.8, borderaxespad=0.0)


def _short(value: float) -> str:
    return number(float(f"{value:.3g}")).replace("-", "\N{MINUS SIGN}")
