"""What a network is like while it learns: a file beside the note, written now and then, for whoever watches."""

import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from app.engine.arrays import Parameters
from app.engine.model import Model
from app.store import snapshot
from app.store.document import Damage

EPOCH = struct.Struct("<q")
MOST_NUMBERS = 20_000  # of a network that can still be looked at
SECONDS_BETWEEN = 0.1  # a quick training is over before, and never writes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Live:
    """A network after an epoch."""

    epoch: int
    model: Model


class LiveWriter:
    """Writes a network down while it learns, if it is small enough to be looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.due = monotonic() + SECONDS_BETWEEN
        self.model: Model | None = None
        self.parameters: Callable[[], Parameters] | None = None

    def begin(self, model: Model, parameters: Callable[[], Parameters]) -> None:
        """Take what will learn, and what gives its parameters as they are then."""
        is_small = model.parameters.size <= MOST_NUMBERS
        self.model, self.parameters = (model, parameters) if is_small else (None, None)

    def __call__(self, epoch: int, *, now: bool = False) -> None:
        """Write the network as it is after an epoch, if it is time, or now."""
        if self.model is None or self.parameters is None or (monotonic() < self.due and not now):
            return
        aside = self.path.with_suffix(".live-new")
        learnt = replace(self.model, parameters=self.parameters())
        try:
            aside.write_bytes(EPOCH.pack(epoch) + snapshot.encode(learnt))
            aside.replace(self.path)
        except OSError as error:  # a training must not fail for what is only shown
            log.warning("a network cannot be shown while it learns (%s)", error.strerror)
            self.model = None
        self.due = monotonic() + SECONDS_BETWEEN


def read_live(path: Path) -> Live | None:
    """Read what was written last, if there is anything."""
    try:
        data = path.read_bytes()
        return Live(int(EPOCH.unpack_from(data)[0]), snapshot.decode(data[EPOCH.size :])[0])
    except FileNotFoundError:
        return None
    except (OSError, Damage) as error:  # a training must not fail for what is only shown
        log.warning("a network cannot be shown while it learns (%s)", error)
        return None
