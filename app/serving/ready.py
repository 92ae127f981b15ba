"""A version made ready: what its answers begin with, and the quick ways to read its rows and to answer them."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from pydantic_core import to_json

from app.engine.arrays import Cells, Scores
from app.errors import BadTable
from app.models.few_rows import FewRows, Room
from app.models.model import TILE
from app.serving.use import Use, Uses
from app.store.store import Stored
from app.tables.answered import in_words
from app.tables.plain import PlainRow, PlainRows

IN_RANGE = {False: b"[false]", True: b"[true]"}


class Ready:
    """A version that is loaded; what makes it quick is made when it is first asked for, on the event loop."""

    def __init__(self, stored: Stored, room: Room, uses: Uses) -> None:
        self.stored, self._room, self._uses = stored, room, uses
        self.use = Use()  # one that is not told of

    @cached_property
    def plain(self) -> PlainRows:
        """Read rows that are just as the model has its columns."""
        return PlainRows(self.stored.model)

    @cached_property
    def few_rows(self) -> FewRows | None:
        """Answer a few rows; None where that saves nothing."""
        model = self.stored.model
        return FewRows(model, self._room) if FewRows.fits(model) else None

    @cached_property
    def beginning(self) -> bytes:
        """Give what every answer begins with."""
        return to_json({"model": self.stored.name, "version": self.stored.version})[:-1]

    def answer(self, X: Cells) -> bytes | None:
        """Answer rows as POST /predict does; None where an answer overflows."""
        scores = self._scores(X)
        if scores is None:
            return None
        model = self.stored.model
        in_range = model.encoder.in_range(X).tolist()
        self._count(X, in_range)
        if len(X) > TILE:
            self.use.settle()
        return self._written(to_json(in_words(model, scores)), to_json(in_range))

    def answer_each(self, rows: Sequence[PlainRow]) -> list[bytes | None]:
        """Answer rows that were sent alone, as POST /predict does; None for all where an answer overflows."""
        X = np.array(rows, dtype=np.float64)
        scores = self._scores(X)
        if scores is None:
            return [None] * len(rows)
        model = self.stored.model
        in_range = model.encoder.in_range(X).tolist()
        self._count(X, in_range)
        told = zip(in_words(model, scores), in_range, strict=True)
        return [self._written(to_json([answer]), IN_RANGE[is_within]) for answer, is_within in told]

    def _count(self, X: Cells, in_range: list[bool]) -> None:
        if self.use.drift is None:
            self.use = self._uses.of(self.stored)
        self.use.add(X, in_range)

    def _scores(self, X: Cells) -> Scores | None:
        if self.few_rows is not None and len(X) <= TILE:
            return self.few_rows.scores(X)
        try:
            return self.stored.model.scores(X)
        except BadTable:
            return None

    def _written(self, predictions: bytes, in_range: bytes) -> bytes:
        return b'%b,"predictions":%b,"in_range":%b}' % (self.beginning, predictions, in_range)
