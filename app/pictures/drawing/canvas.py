"""The canvas: how every picture looks, and how it becomes an SVG or a PNG that says in words what is on it."""

import io
import re
import unicodedata
import warnings
from html import escape
from typing import Any, TypeAlias

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.pictures.picture import Picture

Look: TypeAlias = dict[str, Any]
"""Settings of a line, a text or an area, by matplotlib's names."""
INCHES = 7.2  # the width of every picture, to which its texts are made
FONTS = ["DejaVu Sans", "Verdana", "Arial"]  # the first comes with matplotlib; the next is as wide
INK, QUIET, FAINT = "#1a1a1a", "#5c5c5c", "#d9d9d9"
BLUE, RED, GREEN, ORANGE, PURPLE, SKY = "#0059a6", "#c8500a", "#00745a", "#b87900", "#8a3d78", "#3d8fc4"
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, SKY)  # after Okabe, Ito: also told apart without red or green
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (1.5, 1.5)), (0, (8, 2, 1.5, 2)), (0, (3, 3)), (0, (10, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P")
LONGEST = 34  # characters of a name
ACROSS, BESIDE = 112, 8  # characters that fit a line of a legend, and those whose room a mark takes
STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": FONTS,
    "font.size": 9.5,
    "text.color": INK,
    "text.parse_math": False,  # names are the user's, dollars among them
    "text.usetex": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 9.5,
    "axes.formatter.use_mathtext": False,
    "axes.formatter.offset_threshold": 6,  # digits that all ticks share before they are written once
    "axes.formatter.limits": (-4, 6),
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "hatch.color": "#bdbdbd",
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.fonttype": "none",  # texts stay texts, to be read, searched and in any script
    "svg.hashsalt": "netlet",  # the same picture has the same bytes
}


def words(text: str, most: int = LONGEST) -> str:
    """Make a text of the user's fit to be drawn: in one line, not too long, nothing in it that cannot be seen."""
    seen = "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return seen if len(seen) <= most else seen[: most - 1] + "…"


def figure(height: float) -> Figure:
    """Begin a picture that is so many inches high."""
    return Figure(figsize=(INCHES, height), layout="constrained", facecolor="white")


def headed(canvas: Figure, picture: Picture) -> None:
    """Write the title above, and below what the picture rests on."""
    canvas.suptitle(words(picture.title, 58), fontsize=12, fontweight="bold", x=0.012, ha="left")
    if picture.note:
        canvas.supxlabel(_broken(picture.note), fontsize=8, color=QUIET, x=0.012, ha="left")


def explained(axes: Axes) -> None:
    """Say above a plot, where nothing is hidden by it, what its lines and marks mean; in as many columns as fit."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    columns = min(4, max(1, ACROSS // (max(map(len, labels)) + BESIDE)))
    above: Look = {"loc": "lower left", "bbox_to_anchor": (-0.012, 1.0), "borderaxespad": 0.3, "columnspacing": 1.6}
    axes.legend(handles=handles, ncols=columns, fontsize=8.5, handlelength=2.8, **above)


def ruled(axes: Axes, axis: Any = "both") -> None:  # noqa: ANN401 - one of three words that matplotlib names
    """Draw quiet lines to read values by."""
    axes.grid(visible=True, axis=axis)
    axes.tick_params(length=3)


def written(canvas: Figure, picture: Picture, form: str, width: int) -> bytes:
    """Write a finished picture as `svg` or `png`, so many pixels wide."""
    data = io.BytesIO()
    if form == "png":
        about = {"Title": picture.title, "Description": picture.alt, "Software": None}
        canvas.savefig(data, format="png", dpi=width / INCHES, metadata=about)
        return data.getvalue()
    canvas.savefig(data, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _told(data.getvalue().decode(), picture, width, canvas).encode()


def style() -> Any:  # noqa: ANN401 - a context manager of matplotlib's own kind
    """Draw in this style; what a font lacks is drawn as a box."""
    warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
    return rc_context(STYLE)


def _told(svg: str, picture: Picture, width: int, canvas: Figure) -> str:
    """Give an SVG its size in pixels, its title and its description."""
    _, start, rest = svg.partition("<svg ")  # before it is a reference to a document type, which nobody needs
    tag, _, body = rest.partition(">")
    size = f'width="{width}" height="{round(width * canvas.get_figheight() / INCHES)}"'
    tag = re.sub(r'width="[^"]*" height="[^"]*"', size, tag, count=1)
    about = f"<title>{_safe(picture.title)}</title><desc>{_safe(picture.alt)}</desc>"
    return f'{start}{tag} role="img" aria-label="{_safe(picture.alt)}">\n {about}{body}'


def _safe(text: str) -> str:
    """Escape a text, without what XML cannot hold."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return escape(kept)


def _broken(note: str) -> str:
    """Break a note into lines that fit."""
    lines = [""]
    for word in words(note, 330).split(" "):
        if len(lines[-1]) + len(word) > 112:  # noqa: PLR2004 - characters of this size fit the width
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines)
