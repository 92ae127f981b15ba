"""Inputs: what each of a network's is made from, in words."""

from collections.abc import Iterator

from app.models.preprocessing import EMBEDDING_WIDTH, PAIR, Encoder
from app.tables.answered import label_name


def input_names(encoder: Encoder) -> Iterator[str]:
    """Name each input, in the order in which the encoder makes them."""
    columns = encoder.columns
    yield from (columns[index].name for index in encoder.numbers)
    for index, begins, width in zip(*(list(part) for part in encoder.bins), strict=True):
        yield f"{columns[index].name} {begins:.3g}…{begins + width:.3g}"
    yield from (f"{column.name} missing" for column, gap in zip(columns, encoder.missing, strict=True) if gap)
    for index, levels in encoder.categories:
        shown = columns[index].levels[1:] if levels == PAIR else columns[index].levels
        yield from (f"{columns[index].name} = {label_name(level)}" for level in shown)
    for index, _ in encoder.coded:
        yield from (f"{columns[index].name} ({place + 1})" for place in range(EMBEDDING_WIDTH))
