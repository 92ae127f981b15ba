"""Pictures that compare: answers with the truth, and certainty with how often it is so."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from app.pictures.calibration import Coverage, Reliability
from app.pictures.drawing.canvas import (
    BLUE,
    COLOURS,
    DASHES,
    INK,
    MARKERS,
    ORANGE,
    QUIET,
    Look,
    explained,
    figure,
    headed,
    ruled,
    words,
)
from app.pictures.predicted import Confusion, Predicted, Residuals

UPRIGHT = 40  # characters of all labels that stand side by side


def _dots(rows: int) -> Look:
    """Tell how points look: the more, the smaller and the more transparent."""
    small = rows > 150  # noqa: PLR2004 - where they begin to hide one another
    return {
        "s": 16 if small else 28,
        "facecolor": BLUE,
        "alpha": 0.45 if small else 0.7,
        "edgecolor": "white",
        "linewidth": 0.4,
    }


def predicted(picture: Predicted) -> Figure:
    """Draw each row as a point; on the line it is answered right."""
    canvas = figure(5.4)
    axes = canvas.subplots()
    both = [*picture.predicted, *picture.true]
    room = 0.04 * (max(both) - min(both)) or 1.0
    ends = min(both) - room, max(both) + room
    axes.plot(ends, ends, color=INK, linewidth=1.0, linestyle=DASHES[1], label="answered right")
    marker = "o" if picture.unseen else "D"
    label = "row held out" if picture.unseen else "row learnt from"
    axes.scatter(picture.true, picture.predicted, marker=marker, label=label, **_dots(len(picture.true)))
    target = words(picture.target)
    axes.set(xlim=ends, ylim=ends, aspect="equal", xlabel=f"true {target}", ylabel=f"predicted {target}")
    ruled(axes)
    explained(axes)
    headed(canvas, picture)
    return canvas


def confusion(picture: Confusion) -> Figure:
    """Draw the counts as a table, darker where a larger share of a label's rows are."""
    labels, counts = [words(label, 16) for label in picture.labels], np.array(picture.counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    canvas = figure(min(7.2, 3.4 + 0.3 * len(labels)))
    axes = canvas.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.25, aspect="auto" if len(labels) < 4 else "equal")  # noqa: PLR2004 - few are no square
    for row, column in np.ndindex(*counts.shape):
        style: Look = {"color": "white" if shares[row, column] > 0.62 else INK}  # noqa: PLR2004 - as dark as that
        weight = "bold" if row == column else "normal"
        if counts[row, column]:
            axes.text(
                column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=8.5, weight=weight, **style
            )
    upright = sum(map(len, labels)) <= UPRIGHT
    axes.set_xticks(range(len(labels)), labels, rotation=0 if upright else 45, ha="center" if upright else "right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="answered", ylabel="true")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    headed(canvas, picture)
    return canvas


def residuals(picture: Residuals) -> Figure:
    """Draw what is left over the answers, and how it is spread beside."""
    canvas = figure(4.4)
    axes, beside = canvas.subplots(1, 2, width_ratios=(4, 1), sharey=True)
    axes.axhline(0.0, color=INK, linewidth=1.0, linestyle=DASHES[1], label="answered right")
    if picture.margins is not None:
        answers, margins = (np.array(each) for each in zip(*picture.margins, strict=True))
        for order, sign in enumerate((1.0, -1.0)):
            label = "" if order else "interval of 0.9"
            axes.plot(answers, sign * margins, color=ORANGE, linewidth=1.2, linestyle=DASHES[3], label=label)
    marker, label = ("o", "row held out") if picture.unseen else ("D", "row learnt from")
    axes.scatter(picture.predicted, picture.residuals, marker=marker, label=label, **_dots(len(picture.residuals)))
    target = words(picture.target)
    axes.set(xlabel=f"predicted {target}", ylabel=f"true − predicted {target}")  # noqa: RUF001 - a minus
    ruled(axes)
    bins = int(np.clip(len(picture.residuals) ** 0.5, 5, 30))
    beside.hist(picture.residuals, bins=bins, orientation="horizontal", color="#a9c4de", edgecolor=BLUE, linewidth=0.6)
    beside.axhline(0.0, color=INK, linewidth=1.0, linestyle=DASHES[1])
    beside.set(xlabel="rows")
    beside.xaxis.set_major_locator(MaxNLocator(2, integer=True))
    beside.tick_params(length=3, labelleft=False)
    explained(axes)
    headed(canvas, picture)
    return canvas


def reliability(picture: Reliability) -> Figure:
    """Draw how often each probability came true, and below how many rows had it."""
    canvas = figure(5.6)
    axes, below = canvas.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    _diagonal(axes)
    x, y = ([getattr(each, name) for each in picture.bins] for name in ("probability", "frequency"))
    off = [
        [each.frequency - each.lower for each in picture.bins],
        [each.upper - each.frequency for each in picture.bins],
    ]
    axes.errorbar(x, y, off, color=BLUE, marker="o", capsize=3, elinewidth=1.0, label="rows held out, 9 in 10 certain")
    whose = words(picture.of, 26)
    axes.set(ylim=(-0.03, 1.03), ylabel="share of rows that it came true for")
    below.bar(x, [each.rows for each in picture.bins], width=0.04, color="#a9c4de", edgecolor=BLUE, linewidth=0.6)
    below.set(xlim=(-0.02, 1.02), xlabel=f"probability of {whose}", ylabel="rows")
    for each in (axes, below):
        ruled(each)
    explained(axes)
    headed(canvas, picture)
    return canvas


def coverage(picture: Coverage) -> Figure:
    """Draw how often truth is inside intervals of each level, for low, middle and high answers too."""
    canvas = figure(5.2)
    axes = canvas.subplots()
    _diagonal(axes)
    levels = np.array([0.0, *picture.levels, 1.0])
    doubt = 2 * picture.doubt * np.sqrt(levels * (1.0 - levels))
    style: Look = {"color": "#e8e8e8", "linewidth": 0, "label": "as it may be by chance"}
    axes.fill_between(levels, levels - doubt, levels + doubt, zorder=0.6, **style)
    for (name, shares), colour, dash, marker in zip(picture.inside.items(), COLOURS, DASHES, MARKERS, strict=False):
        is_all = colour == COLOURS[0]
        look: Look = {"linewidth": 2.2 if is_all else 1.2, "markersize": 7 if is_all else 5}
        axes.plot(picture.levels, shares, color=colour, linestyle=dash, marker=marker, label=name, **look)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="level of the interval", ylabel="share of rows whose truth is inside")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    ruled(axes)
    explained(axes)
    headed(canvas, picture)
    return canvas


def _diagonal(axes: Axes) -> None:
    axes.add_line(Line2D([0, 1], [0, 1], color=QUIET, linewidth=1.0, linestyle=DASHES[1], label="as it should be"))
