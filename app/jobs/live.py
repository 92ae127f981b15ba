"""What a network is like while it learns: two files beside the note, written now and then, for whoever watches.

One is the network as it began, a snapshot; the other holds an epoch and the parameters after it.
"""

import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np

from app.engine.arrays import Parameters
from app.models.model import Model
from app.store import snapshot
from app.store.document import Damage

EPOCH = struct.Struct("<q")
MOST_NUMBERS = 20_000  # of a network that can still be looked at
SECONDS_BETWEEN = 0.1  # a quick training is over before, and never writes

log = logging.getLogger(__name__)


def _parameters_beside(path: Path) -> Path:
    return path.with_suffix(".live-parameters")


class LiveWriter:
    """Writes a network down while it learns, if it is small enough to be looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.due = monotonic() + SECONDS_BETWEEN
        self.model: Model | None = None
        self.parameters: Callable[[], Parameters] | None = None
        self.is_told = False

    def begin(self, model: Model, parameters: Callable[[], Parameters]) -> None:
        """Take what will learn, and what gives its parameters as they are then."""
        is_small = model.parameters.size <= MOST_NUMBERS
        kind = np.dtype(model.recipe.training.precision)  # it may have been drawn in others
        model = replace(model, parameters=model.parameters.astype(kind))
        self.model, self.parameters, self.is_told = (model, parameters, False) if is_small else (None, None, False)

    def __call__(self, epoch: int, *, now: bool = False) -> None:
        """Write the parameters as they are after an epoch, if it is time, or now."""
        if self.model is None or self.parameters is None or (monotonic() < self.due and not now):
            return
        learnt = self.parameters().astype(self.model.parameters.dtype)
        try:
            if not self.is_told:
                self._write(self.path, snapshot.encode(self.model))
                self.is_told = True
            self._write(_parameters_beside(self.path), EPOCH.pack(epoch) + learnt.tobytes())
        except OSError as error:  # a training must not fail for what is only shown
            log.warning("a network cannot be shown while it learns (%s)", error.strerror)
        self.due = monotonic() + SECONDS_BETWEEN

    def _write(self, path: Path, data: bytes) -> None:
        aside = self.path.with_suffix(".live-new")
        try:
            aside.write_bytes(data)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


@dataclass(frozen=True)
class Live:
    """A network after an epoch."""

    epoch: int
    model: Model
    is_other: bool
    """Whether it is another network than the one that was read before."""


class LiveReader:
    """Reads what was written since it was asked last."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.model: Model | None = None
        self.epoch: int | None = None

    def read(self, path: Path) -> Live | None:
        """Give the network as it was written last; None if there is nothing new."""
        try:
            data = _parameters_beside(path).read_bytes()
            (epoch,) = EPOCH.unpack_from(data)
            is_other = path != self.path or self.model is None
            if not is_other and epoch == self.epoch:
                return None
            model = snapshot.decode(path.read_bytes())[0] if is_other or self.model is None else self.model
            parameters = np.frombuffer(data, model.parameters.dtype, offset=EPOCH.size).reshape(model.parameters.shape)
        except FileNotFoundError:
            return None
        except (OSError, Damage, ValueError, struct.error) as error:  # who watches must not lose sight of the rest
            log.warning("a network cannot be shown while it learns (%s)", error)
            return None
        self.path, self.model, self.epoch = path, model, epoch
        return Live(epoch, replace(model, parameters=parameters), is_other)
