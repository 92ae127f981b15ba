"""Pictures of lines: the learning curve, and the response."""

from itertools import chain

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from app.pictures.drawing.canvas import (
    BLUE,
    COLOURS,
    DASHES,
    INK,
    MARKERS,
    QUIET,
    RED,
    Look,
    explained,
    figure,
    headed,
    ruled,
    words,
)
from app.pictures.learning_curve import LearningCurve, kept_in_words
from app.pictures.response import Response

FEW_DECADES = 1e3
FEW = 12  # points that are marked one by one
MOST_TEXT = 60  # characters of all levels that stand upright


def learning_curve(picture: LearningCurve) -> Figure:
    """Draw the losses over the epochs, and mark those whose weights were kept."""
    canvas = figure(4.2)
    axes = canvas.subplots()
    marker = "o" if len(picture.epochs) <= FEW else ""
    axes.plot(picture.epochs, picture.loss, color=BLUE, linestyle=DASHES[0], marker=marker, label="training")
    if picture.validation_loss is not None:
        style: Look = {"color": RED, "linestyle": DASHES[1], "marker": "s" if marker else ""}
        axes.plot(picture.epochs, picture.validation_loss, label="rows held out", **style)
    if picture.logarithmic:
        _by_logarithm(axes)
    _mark_kept(axes, picture.kept_epochs)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="epoch", ylabel="loss (logarithmic)" if picture.logarithmic else "loss")
    ruled(axes)
    explained(axes)
    headed(canvas, picture)
    return canvas


def _by_logarithm(axes: Axes) -> None:
    """Name the ticks 0.1, 0.2, 0.5, 1, … over a few decades, and only the decades over many."""
    axes.set_yscale("log")
    lowest, highest = axes.get_ylim()
    steps = (1.0, 2.0, 5.0) if highest < FEW_DECADES * lowest else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=steps, numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _mark_kept(axes: Axes, kept: list[int]) -> None:
    if not kept:
        return
    label = f"weights kept: {kept_in_words(kept)}"
    if kept[0] != kept[-1]:
        axes.axvspan(
            kept[0], kept[-1], facecolor="#f0f0f0", edgecolor="#c4c4c4", hatch="//", linewidth=0.5, label=label
        )
        return
    axes.axvline(kept[0], color=INK, linestyle=DASHES[2], linewidth=1.2, label=label)


def response(picture: Response) -> Figure:
    """Draw answers along a column: a line over numbers, a point for each level of a category."""
    canvas = figure(4.4)
    axes = canvas.subplots()
    if picture.trained is None:
        _points(axes, picture)
    else:
        _lines(axes, picture, picture.trained)
    if picture.probability:
        axes.set_ylim(-0.04, 1.04)
    what = "probability" if picture.probability else words(next(iter(picture.answers)))
    axes.set(xlabel=words(picture.column), ylabel=what)
    ruled(axes, "both" if picture.trained else "y")
    explained(axes)
    headed(canvas, picture)
    return canvas


def _lines(axes: Axes, picture: Response, trained: tuple[float, float]) -> None:
    x = [float(value) for value in picture.x]
    if picture.lower is not None and picture.upper is not None:
        label = f"truth in {picture.level:.4g} of cases"
        axes.fill_between(x, picture.lower, picture.upper, color=BLUE, alpha=0.14, linewidth=0, label=label)
        for ends in (picture.lower, picture.upper):
            axes.plot(x, ends, color=BLUE, linewidth=0.9, linestyle=DASHES[4])
    for (name, values), colour, dash, marker in zip(picture.answers.items(), COLOURS, DASHES, MARKERS, strict=False):
        several: Look = {"marker": marker, "markevery": 0.08, "markersize": 5} if len(picture.answers) > 1 else {}
        axes.plot(x, values, color=colour, linestyle=dash, label=words(name, 22), **several)
    axes.set_xlim(x[0], x[-1])
    beyond: Look = {"facecolor": "#f2f2f2", "edgecolor": "#bdbdbd", "hatch": "///", "linewidth": 0.4, "zorder": 0.5}
    axes.axvspan(x[0], trained[0], label="not trained there", **beyond)
    axes.axvspan(trained[1], x[-1], **beyond)
    for end in trained:
        axes.axvline(end, color=QUIET, linewidth=0.9)
    tick: Look = {"color": INK, "marker": "|", "linestyle": "", "markersize": 7, "markeredgewidth": 0.8, "alpha": 0.55}
    bottom = [0.012] * len(picture.rows)
    axes.plot(picture.rows, bottom, label="rows learnt from", transform=axes.get_xaxis_transform(), **tick)


def _points(axes: Axes, picture: Response) -> None:
    levels = [words(str(value), 18) for value in picture.x]
    places = range(len(levels))
    shift = 0.12 if len(picture.answers) > 1 else 0.0
    for order, ((name, values), colour, marker) in enumerate(
        zip(picture.answers.items(), COLOURS, MARKERS, strict=False)
    ):
        at = [place + shift * (order - (len(picture.answers) - 1) / 2) for place in places]
        if picture.lower is not None and picture.upper is not None:
            label = f"truth in {picture.level:.4g} of cases"
            axes.vlines(at, picture.lower, picture.upper, color=colour, linewidth=1.4, label=label)
            for ends in (picture.lower, picture.upper):
                axes.plot(at, ends, color=colour, linestyle="", marker="_", markersize=11)
        axes.plot(at, values, color=colour, linestyle="", marker=marker, markersize=7, label=words(name, 22))
    upright = sum(map(len, levels)) <= MOST_TEXT
    axes.set_xticks(places, levels, rotation=0 if upright else 40, ha="center" if upright else "right")
    axes.set_xlim(-0.6, len(levels) - 0.4)
    counted = [picture.rows.count(place) for place in places]
    if picture.rows and len(levels) <= FEW:
        for place, count in enumerate(counted):
            style: Look = {"ha": "center", "va": "bottom", "fontsize": 7.5, "color": QUIET}
            axes.annotate(f"{count} rows", (place, 0.01), xycoords=axes.get_xaxis_transform(), **style)
    shown = [*chain(*picture.answers.values(), picture.lower or [], picture.upper or [])]
    if not picture.probability and max(shown) > min(shown):
        axes.margins(y=0.12)
