"""The surface: shades with lines of equal answers, or regions of labels, over two columns."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from app.engine.arrays import Array
from app.pictures.drawing.canvas import INK, Look, explained, figure, headed, words
from app.pictures.surface import Axis, Surface

LIGHT = ("#bcd7ef", "#f6cfae", "#bfe3d3", "#f1e3a4", "#dcc6e0", "#d3d3d3", "#f4c2c9", "#c9e4ee")
HATCHES = ("", "///", "...", "\\\\\\", "xx", "--", "++", "oo")
MOST_REGIONS = len(LIGHT)
MOST_WRITTEN = 100  # cells whose values are written
DARK = 0.6  # of the shades, from where on what is written on them is white
HALF = 0.5


def surface(picture: Surface) -> Figure:
    """Draw it as what it is: over numbers, over levels of categories, or as regions of labels."""
    canvas = figure(5.4)
    axes = canvas.subplots()
    z = np.array(picture.z)
    over_levels = picture.x.trained is None or picture.y.trained is None
    if picture.labels:
        _regions(axes, picture, z, over_levels=over_levels)
    elif over_levels:
        _cells(canvas, axes, picture, z)
    else:
        _contours(canvas, axes, picture, z)
    _ticks(axes, picture)
    if not over_levels:
        _frame(axes, picture)
    _rows(axes, picture)
    axes.spines[:].set_visible(True)
    axes.set(xlabel=words(picture.x.column), ylabel=words(picture.y.column))
    explained(axes)
    headed(canvas, picture)
    return canvas


def _scale(picture: Surface) -> Look:
    return {"vmin": 0.0, "vmax": 1.25} if picture.probability else {}


def _at(axis: Axis) -> Array:
    """Give where along an axis the values are: themselves, or for levels their positions."""
    return np.arange(len(axis.values)) * 1.0 if axis.trained is None else np.array(axis.values, dtype=np.float64)


def _contours(canvas: Figure, axes: Axes, picture: Surface, z: Array) -> None:
    x, y = _at(picture.x), _at(picture.y)
    if np.ptp(z) == 0:
        mesh: Any = axes.pcolormesh(x, y, z, cmap="Blues", shading="nearest")
    else:
        levels: Any = np.linspace(0.0, 1.0, 11) if picture.probability else 12
        mesh = axes.contourf(x, y, z, levels, cmap="Blues", **_scale(picture))
        widths = [2.4 if picture.probability and abs(level - HALF) < 1e-9 else 0.7 for level in mesh.levels]  # noqa: PLR2004 - rounding
        lines = axes.contour(x, y, z, mesh.levels, colors=INK, linewidths=widths)
        axes.clabel(lines, fontsize=7.5, inline=True, inline_spacing=3)
    canvas.colorbar(mesh, ax=axes, label=_what(picture), pad=0.02)


def _cells(canvas: Figure, axes: Axes, picture: Surface, z: Array) -> None:
    mesh = axes.pcolormesh(_at(picture.x), _at(picture.y), z, cmap="Blues", shading="nearest", **_scale(picture))
    canvas.colorbar(mesh, ax=axes, label=_what(picture), pad=0.02)
    if z.size > MOST_WRITTEN or (picture.x.trained is not None) or (picture.y.trained is not None):
        return
    shades = z / 1.25 if picture.probability else (z - z.min()) / (np.ptp(z) or 1.0)
    for row, column in np.ndindex(*z.shape):
        colour = "white" if shades[row, column] > DARK else INK
        axes.text(column, row, f"{z[row, column]:.3g}", ha="center", va="center", fontsize=8.5, color=colour)


def _regions(axes: Axes, picture: Surface, z: Array, *, over_levels: bool) -> None:
    """Shade and hatch the place of each label; those beyond so many look alike."""
    x, y = _at(picture.x), _at(picture.y)
    regions = np.minimum(z, MOST_REGIONS - 1)
    colours = ListedColormap(LIGHT)
    axes.pcolormesh(x, y, regions, cmap=colours, vmin=-HALF, vmax=MOST_REGIONS - HALF, shading="nearest")
    for place, label in enumerate(picture.labels[:MOST_REGIONS]):
        own = (regions == place) * 1.0
        others = len(picture.labels) > MOST_REGIONS and place == MOST_REGIONS - 1
        if not over_levels and own.min() < own.max():
            axes.contourf(x, y, own, [HALF, 1.5], colors="none", hatches=[HATCHES[place]])
            axes.contour(x, y, own, [HALF], colors=INK, linewidths=0.9)
        name = "other labels" if others else words(label, 18)
        hatch = HATCHES[place] if not over_levels else ""
        axes.bar([], [], color=LIGHT[place], edgecolor="#8a8a8a", hatch=hatch, label=name)
        if own.any():
            _name_region(axes, x, y, own, name)


def _name_region(axes: Axes, x: Array, y: Array, own: Array, name: str) -> None:
    """Write a label's name where its region is thickest."""
    inside, depth = own > 0, np.zeros(own.shape)
    while inside.any():
        depth += inside
        around = np.pad(inside, 1, constant_values=True)
        inside = around[1:-1, 1:-1] & around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
        if inside.all():
            break
    rows, columns = np.nonzero(depth == depth.max())
    middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
    axes.text(x[columns[middle]], y[rows[middle]], name, ha="center", va="center", fontsize=9, weight="bold", bbox=box)


def _ticks(axes: Axes, picture: Surface) -> None:
    for axis, set_ticks in ((picture.x, axes.set_xticks), (picture.y, axes.set_yticks)):
        if axis.trained is None:
            labels = [words(str(value), 16) for value in axis.values]
            crowded = set_ticks == axes.set_xticks and sum(map(len, labels)) > 50  # noqa: PLR2004 - characters side by side
            set_ticks(
                range(len(labels)),
                labels,
                rotation=40 if crowded else 0,
                ha="right" if crowded or set_ticks != axes.set_xticks else "center",
            )
    axes.tick_params(length=3)


def _frame(axes: Axes, picture: Surface) -> None:
    """Mark between what the model was trained."""
    assert picture.x.trained is not None and picture.y.trained is not None  # noqa: S101, PT018 - both are of numbers
    (left, right), (bottom, top) = picture.x.trained, picture.y.trained
    axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, fill=False, edgecolor="white", linewidth=3.0))
    axes.add_patch(
        Rectangle(
            (left, bottom),
            right - left,
            top - bottom,
            fill=False,
            edgecolor=INK,
            linewidth=1.3,
            linestyle=(0, (5, 2)),
            label="trained within",
        )
    )


def _rows(axes: Axes, picture: Surface) -> None:
    """Draw a sample of the rows that were learnt from, where they can be told apart."""
    if picture.x.trained is None and picture.y.trained is None:
        return
    shown = [
        (x, y)
        for x, y in zip(picture.x.rows, picture.y.rows, strict=True)
        if _is_there(picture.x, x) and _is_there(picture.y, y)
    ]
    if shown:
        x, y = zip(*shown, strict=True)
        axes.scatter(
            x, y, s=13, facecolor=INK, edgecolor="white", linewidth=0.5, alpha=0.75, label="rows learnt from", zorder=3
        )


def _is_there(axis: Axis, value: float) -> bool:
    return axis.trained is not None or value >= 0


def _what(picture: Surface) -> str:
    return f"probability of {words(picture.answer, 24)}" if picture.probability else words(picture.answer)
