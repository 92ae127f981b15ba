"""The surface: shades with lines of equal answers, or regions of labels, over two columns."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from app.engine.arrays import Array
from app.pictures.drawing.canvas import DASHES, INK, Look, explained, figure, headed, words
from app.pictures.surface import Axis, Surface

LIGHT = ("#bcd7ef", "#f6cfae", "#bfe3d3", "#f1e3a4", "#dcc6e0", "#d3d3d3", "#f4c2c9", "#c9e4ee")
HATCHES = ("", "///", "...", "\\\\\\", "xx", "--", "++", "oo")
MOST_REGIONS = len(LIGHT)
MOST_WRITTEN = 100  # cells whose values are written
DARKER = 0.5  # of the range, that shades go on beyond it
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
    _frame(axes, picture)
    _rows(axes, picture)
    axes.spines[:].set_visible(True)
    axes.set(xlabel=words(picture.x.column), ylabel=words(picture.y.column))
    explained(axes)
    headed(canvas, picture)
    return canvas


def _shades(picture: Surface, z: Array) -> Look:
    """Choose shades that are all light enough to be written on."""
    low, high = (0.0, 1.0) if picture.probability else (float(z.min()), float(z.max()))
    return {"cmap": "Blues", "vmin": low, "vmax": high + DARKER * ((high - low) or 1.0)}


def _at(axis: Axis) -> Array:
    """Give where along an axis the values are: themselves, or for levels their positions."""
    return np.arange(len(axis.values)) * 1.0 if axis.trained is None else np.array(axis.values, dtype=np.float64)


def _contours(canvas: Figure, axes: Axes, picture: Surface, z: Array) -> None:
    x, y = _at(picture.x), _at(picture.y)
    if np.ptp(z) == 0:
        _cells(canvas, axes, picture, z)
        return
    levels: Any = np.linspace(0.0, 1.0, 11) if picture.probability else 12
    mesh = axes.contourf(x, y, z, levels, **_shades(picture, z))
    widths = [2.2 if picture.probability and round(level, 6) == HALF else 0.7 for level in mesh.levels]
    lines = axes.contour(x, y, z, mesh.levels, colors=INK, linewidths=widths)
    axes.clabel(lines, fontsize=8, inline=True, inline_spacing=4)
    canvas.colorbar(mesh, ax=axes, label=_what(picture), pad=0.02)


def _cells(canvas: Figure, axes: Axes, picture: Surface, z: Array) -> None:
    mesh = axes.pcolormesh(_at(picture.x), _at(picture.y), z, shading="nearest", **_shades(picture, z))
    bar = canvas.colorbar(mesh, ax=axes, label=_what(picture), pad=0.02)
    if np.ptp(z) > 0:
        bar.ax.set_ylim(float(z.min()), float(z.max()))
    if z.size <= MOST_WRITTEN and picture.x.trained is None and picture.y.trained is None:
        for row, column in np.ndindex(*z.shape):
            axes.text(column, row, f"{z[row, column]:.3g}", ha="center", va="center", fontsize=8.5)


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
        if own.any():
            _name_region(axes, x, y, own, name)


def _name_region(axes: Axes, x: Array, y: Array, own: Array, name: str) -> None:
    """Write a label's name where its region is thickest."""
    inside, depth = own > 0, np.zeros(own.shape)
    while inside.any():
        depth += inside
        around = np.pad(inside, 1, constant_values=False)
        inside = around[1:-1, 1:-1] & around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    rows, columns = np.nonzero(depth == depth.max())
    middle = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
    axes.text(
        x[columns[middle]],
        y[rows[middle]],
        name,
        ha="center",
        va="center",
        fontsize=9,
        weight="bold",
        bbox=box,
        zorder=4,
    )


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
    """Mark between what the model was trained: a frame, or two lines where the other column is a category."""
    x, y = picture.x.trained, picture.y.trained
    for colour, width, dash, label in (("white", 3.0, "-", ""), (INK, 1.3, DASHES[1], "trained within")):
        look: Look = {"linewidth": width, "linestyle": dash, "label": label}
        if x and y:
            axes.add_patch(
                Rectangle((x[0], y[0]), x[1] - x[0], y[1] - y[0], fill=False, edgecolor=colour, zorder=2.5, **look)
            )
        elif x:
            axes.vlines(x, *axes.get_ylim(), color=colour, **look)
        elif y:
            axes.hlines(y, *axes.get_xlim(), color=colour, **look)


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
        dots: Look = {"s": 15, "facecolor": INK, "edgecolor": "white", "linewidth": 0.5, "zorder": 3}
        axes.scatter(x, y, label="rows learnt from", **dots)


def _is_there(axis: Axis, value: float) -> bool:
    return axis.trained is not None or value >= 0


def _what(picture: Surface) -> str:
    return f"probability of {words(picture.answer, 24)}" if picture.probability else words(picture.answer)
