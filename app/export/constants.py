"""Constants: the names and numbers of a model's own, as a programming language states them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.engine.arrays import Array
from app.export.description import Description
from app.export.literals import INDENT, Word, listed, matrix, pairs


@dataclass(frozen=True)
class Language:
    """How one language states a constant, and writes comments, words and arrays."""

    comment: str
    state: Callable[[str, str], str]
    """Takes a name and a literal."""
    word: Word
    numbers: Callable[[str], str]
    """Makes an array of float64 from lists of numbers."""
    weights: Callable[[str], str]
    """The same in the precision of the networks."""
    bias: Callable[[Array], Array] = lambda b: b
    """Shapes the biases of several members, (members, units), so that they are added to (members, samples, units)."""


def categories(description: Description, language: Language) -> Iterator[str]:
    """State which columns may miss a value, and the levels of categories."""
    comment, word = language.comment, language.word
    if description.missing:
        yield f"\n{comment} Columns of which the network is told whether they are missing."
        yield language.state("TOLD_MISSING", listed(map(word, description.missing)))
    if description.plain:
        yield f"\n{comment} Categories: -1 or 1 for the first or second of two levels; else an input for each level."
        yield language.state("CATEGORIES", pairs([(own.column, own.levels) for own in description.plain], word))


def weights(description: Description, language: Language) -> Iterator[str]:
    """State the weights, biases and embeddings of all members, and how answers are un-scaled."""
    comment, state, is_single = language.comment, language.state, description.members == 1
    shape = "" if is_single else f", for each of {description.members} networks"
    yield f"\n{comment} Weights: a row for each input, a column for each unit{shape}."
    for number, layer in enumerate(description.layers, start=1):
        yield state(f"W{number}", language.weights(matrix(layer.W[0] if is_single else layer.W)))
        if layer.b is not None:
            b = layer.b[0] if is_single else language.bias(layer.b)
            yield state(f"B{number}", language.weights(matrix(b)))
    if description.embeddings:
        yield f"\n{comment} Embedded categories: a vector for no level, then one for each level."
        embedded = [(own.column, own.levels) for own in description.embedded]
        yield state("EMBEDDED", pairs(embedded, language.word))
        tables = [matrix(table[0] if is_single else table, INDENT) for table in description.embeddings]
        lines = "".join(f"{INDENT}{language.weights(table)},\n" for table in tables)
        yield state("EMBEDDINGS", f"[\n{lines}]")
    if description.target is not None:
        yield f"\n{comment} Un-scaling: an answer is a * TARGET_SCALE + TARGET_CENTER."
        yield state("TARGET_SCALE", language.numbers(matrix(description.target.scale)))
        yield state("TARGET_CENTER", language.numbers(matrix(description.target.center)))
