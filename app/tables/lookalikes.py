"""Lookalikes: texts that are learnt as categories, and that a person reads as a number, a date or the name of a row."""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from app.models.table import Label, TrainingRows

CORE = r"(?:\d{1,3}(?:[.,'\u2019 \xa0]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?)"
NUMBER = re.compile(rf"[-+(]?\s?[$€£¥₹]?\s?{CORE}\s?(?:[%‰°$€£¥₹]|\s[^\W\d_]{{1,3}})?\)?")
PLAIN = re.compile(r"[-+]?\d+(?:\.\d+)?")
DATE = re.compile(r"(?:\d{4}([./-])\d{1,2}\1\d{1,2}|\d{1,2}([./-])\d{1,2}\2(?:\d{2}){1,2})(?:[ T].*)?")
FEWEST = 10  # different texts that are worth a word
MOST_LOOKED_AT = 1000
SHOWN = 24
AS_NUMBERS = "If these are numbers, send them plain, as 1234.5: no currency, no unit, no separator of thousands"
AS_DATES = "If these are dates, send them as 2024-12-31"


def lookalikes(rows: TrainingRows, stated: Collection[str] = ()) -> Iterator[str]:
    """Warn of texts that are probably no categories, in columns and targets that nobody has `stated` to be of them."""
    levels = {column.name: column.levels for column in rows.columns}
    for name in (source.name for source in rows.sources if source.kind == "category" and source.name not in stated):
        yield from _warned(f"Column {name}", "categories", levels[name], len(rows.X))
    if isinstance(rows.y, tuple) and rows.targets[0] not in stated:
        yield from _warned(f"Target {rows.targets[0]}", "classes", sorted({*rows.y}, key=str), len(rows.X))


def _warned(what: str, learnt_as: str, levels: Sequence[Label], rows: int) -> Iterator[str]:
    texts = [level for level in islice(levels, MOST_LOOKED_AT) if isinstance(level, str)]
    for looks, remedy in ((NUMBER, AS_NUMBERS), (DATE, AS_DATES)):
        alike = [text for text in texts if looks.fullmatch(text) and not PLAIN.fullmatch(text)]
        if alike and 2 * len(alike) >= len(texts):
            yield f'{what} holds texts such as "{alike[0][:SHOWN]}", which are learnt as {learnt_as}. {remedy}.'
            return
    if len(texts) >= FEWEST and 2 * len(levels) > rows:
        yield (
            f"{what} has {len(levels)} different texts in {rows} rows: what is there once says nothing of other rows. "
            "If it only names each row, leave it out."
        )
