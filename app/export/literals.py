"""Literals: numbers and words as Python and JavaScript write them, so that they are read back to the last bit."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from app.engine.arrays import Array

LINE = 108
INDENT = "    "
NAMED = 6
Word = Callable[[Any], str]


def matrix(array: Array, indent: str = "") -> str:
    """Write an array as lists within lists, a line for each list of numbers that fits in one."""
    return _lists(array.tolist(), indent)


def _lists(values: Any, indent: str) -> str:  # noqa: ANN401 - lists of any depth
    if not values or not isinstance(values[0], list):
        return listed(map(repr, values), indent)
    within = indent + INDENT
    return "[\n" + "".join(f"{within}{_lists(each, within)},\n" for each in values) + f"{indent}]"


def listed(words: Iterable[str], indent: str = "") -> str:
    """Write a list, in one line or in as few as it takes."""
    words = list(words)
    line = f"[{', '.join(words)}]"
    if len(indent) + len(line) <= LINE:
        return line
    lines, within = [""], indent + INDENT
    for word in words:
        if lines[-1] and len(within) + len(lines[-1]) + len(word) + 2 > LINE:
            lines.append("")
        lines[-1] += f"{word}, "
    return "[\n" + "".join(f"{within}{text.rstrip()}\n" for text in lines) + f"{indent}]"


def pairs(rows: Sequence[tuple[str, Any]], word: Word) -> str:
    """Write pairs of a word with another, or with a list of words; a line for each."""
    lines = []
    for name, value in rows:
        other = listed(map(word, value), INDENT) if isinstance(value, tuple) else word(value)
        lines.append(f"{INDENT}[{word(name)}, {other}],\n")
    return "[\n" + "".join(lines) + "]"


def in_javascript(value: object) -> str:
    """Write a text, number, true, false or null as JavaScript has it, harmless also within a page."""
    return json.dumps(value).replace("<", "\\u003c")


def named(names: Iterable[str], word: Word) -> str:
    """List names for a comment, as literals, so that none can end it."""
    words = [word(name if len(name) <= LINE // 2 else name[: LINE // 2] + "…") for name in names]
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return ", ".join(words[:NAMED]) + more
