"""Control: what those who ordered a training may ask of it on its way, and what they are handed."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from sys import maxsize
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from app.engine.arrays import Parameters, Randomness
from app.errors import Cancelled

CANCELLED = "cancelled"
MEMORY = ("memory", "scale", "scale_memory")

GoOn = Callable[[], None]
"""Called between the pieces of long work; whatever it raises ends it."""


def go_on_for_ever() -> None:
    """Let work come to its end."""


class Progress(NamedTuple):
    """Where a training stands after an epoch: losses are means over the members."""

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None


@dataclass(frozen=True)
class Checkpoint:
    """All that the rest of a training depends on after some epochs, as plain data: arrays, and facts for JSON.

    Trained on from it, the same rows and recipe come to the same bytes. The steps of a solver are too few to be worth
    keeping: its checkpoint only tells how many there were, and all are taken again.
    """

    epoch: int
    arrays: dict[str, npt.NDArray[Any]]
    facts: dict[str, Any]

    @property
    def memory(self) -> "Checkpoint":
        """All of it that another training can go on with: what the optimizer remembers."""
        arrays = {name: array for name, array in self.arrays.items() if name in MEMORY}
        return Checkpoint(self.epoch, arrays, {name: self.facts[name] for name in ("step", "by")})


class Wish(StrEnum):
    """What is asked of a training."""

    GO_ON = "go on"
    CANCEL = "cancel"
    """End now, with nothing (Cancelled)."""
    KEEP = "keep"
    """End now, with the best so far; with nothing before the first epoch has ended."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """How a training is followed, stopped, and gone on with; all of it is called by the training, between two steps."""

    on_begin: Callable[[Any, Callable[[], Parameters]], None] = lambda _model, _parameters: None
    """Told what will learn, a model of whatever kind that begins it, and what gives its parameters, (members,
    parameters), as they are when it is called."""
    on_epoch: Callable[[Progress], None] = lambda _progress: None
    wish: Callable[[], Wish] = lambda: Wish.GO_ON
    """Asked before every step; an answer holds until there is another."""
    is_due: Callable[[str | None], bool] = lambda _stopped: False
    """Whether to hand out a checkpoint, asked after each epoch with why training stops, None if it goes on."""
    save: Callable[[Checkpoint], None] = lambda _checkpoint: None
    """Takes a checkpoint, which is nobody else's; may wait, or raise, which leaves it to whoever resumes."""
    resume: Checkpoint | None = None
    """Where the same training was left."""
    most_epochs: int = maxsize
    """How many epochs there are at most, of those that the recipe's schedule is for."""

    def ending(self, epoch: int) -> str | None:
        """Say why so many epochs are enough, if they are."""
        return "max_epochs" if epoch >= self.most_epochs else None

    def ends_now(self) -> bool:
        """Tell whether to end with what there is; raise Cancelled where nothing is wanted."""
        wish = self.wish()
        if wish is Wish.CANCEL:
            raise Cancelled
        return wish is Wish.KEEP

    def after_epoch(self, stopped: str | None, checkpoint: Callable[[], Checkpoint]) -> None:
        """Hand out a checkpoint if it is due."""
        if self.is_due(stopped):
            self.save(checkpoint())

    def unseen(self) -> "Control":
        """Go on obeying, but tell nobody: for a training that is only a try, and done again when the other is."""
        return Control(wish=self.wish, most_epochs=self.most_epochs)


def random_state(rng: Randomness) -> dict[str, Any]:
    """Tell where a generator stands, in a form that JSON keeps."""
    if isinstance(rng, np.random.Generator):
        return dict(rng.bit_generator.state)
    name, key, *rest = rng.get_state(legacy=True)
    return {"legacy": [name, np.asarray(key).tolist(), *rest]}


def set_random_state(rng: Randomness, state: dict[str, Any]) -> None:
    """Put a generator where another of its kind stood."""
    if isinstance(rng, np.random.Generator):
        rng.bit_generator.state = state
    else:
        rng.set_state(tuple(state["legacy"]))
