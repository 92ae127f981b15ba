"""Together: rows that are asked for within one turn of the event loop share the products of matrices."""

import asyncio
import logging
from collections.abc import Callable

from app.models.model import TILE
from app.serving.ready import Ready
from app.tables.plain import PlainRow

log = logging.getLogger(__name__)
Tell = Callable[[bytes | None], None]
"""Takes an answer, as `Ready.answer_each` gives it."""
Asked = list[tuple[PlainRow, Tell]]


class Together:
    """Collects what is asked for in a turn, and answers at its end: whoever is alone waits for nobody."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.asked: dict[Ready, Asked] = {}

    def answer(self, ready: Ready, row: PlainRow, tell: Tell) -> None:
        """Answer a row, and tell the answer, in this turn or at its end."""
        if not self.asked:
            self.loop.call_soon(self._answer_all)
        asked = self.asked.setdefault(ready, [])
        asked.append((row, tell))
        if len(asked) == TILE:  # more would not be answered any sooner
            _answer(ready, self.asked.pop(ready))

    def _answer_all(self) -> None:
        everything, self.asked = self.asked, {}
        for ready, asked in everything.items():
            _answer(ready, asked)


def _answer(ready: Ready, asked: Asked) -> None:
    answers: list[bytes | None]
    try:
        answers = ready.answer_each([row for row, _ in asked])
    except Exception:
        log.exception("a few rows cannot be answered together, and are left to be answered alone")
        answers = [None] * len(asked)
    for (_, tell), answer in zip(asked, answers, strict=True):
        tell(answer)
