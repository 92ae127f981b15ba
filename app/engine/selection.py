"""Selection: what members answer to rows that judged them, at epochs that these rows had no part in choosing."""

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from app.engine.arrays import Array, Outputs
from app.engine.backpropagation import Batch

if TYPE_CHECKING:
    from app.engine.training import Course

MOST_RECORDED = 2**20  # numbers; with more rows to judge by, that they chose an epoch hardly matters

Recorded = npt.NDArray[Any]
OUTPUTS, LOSSES = "judged_outputs", "judged_losses"


class Recording:
    """What members answered to the rows held out from them, epoch by epoch, as long as that is not too much.

    A member keeps the weights with which it answered these rows best, so that they look better answered than they are.
    What it answered at the epochs that the others have chosen, on average, does not; where there are no others, one
    half of the rows chooses for the other half.
    """

    def __init__(self, models: int = 1) -> None:
        """Record so many models that learn at once, each with as many members as the others."""
        self.models = models
        self.outputs: list[Recorded] = []
        self.losses: list[Recorded] = []
        self.is_given_up = False

    def note(self, course: "Course", z: Outputs, a: Outputs, batch: Batch) -> None:
        """Note an epoch's answers, and the loss of each member, or of each half of one member's rows."""
        if self.is_given_up:
            return
        if (len(self.outputs) + 1) * a.size > MOST_RECORDED * self.models:
            self.give_up()
            return
        parts = _parts(a.shape[0] // self.models, a.shape[1])
        losses = [
            course.loss.value(z[:, part], a[:, part], rows.y, rows.weights)
            for part, rows in ((part, batch.part(part)) for part in parts)
        ]
        self.outputs.append(np.array(course.device.fetch(a)))
        self.losses.append(np.array([course.device.fetch(loss) for loss in losses]))

    def give_up(self) -> None:
        """Forget all, for good."""
        self.outputs, self.losses, self.is_given_up = [], [], True

    def fair(self, model: int = 0) -> Outputs | None:
        """Give a model's answers, (members, judged, outputs), of epochs that others chose; None where that is unknown.

        A member is judged by its rows, one member by halves of them, and a row alone by nobody.
        """
        if not self.outputs:
            return None
        width = self.outputs[0].shape[0] // self.models
        own = slice(model * width, (model + 1) * width)
        outputs = np.array([each[own] for each in self.outputs])
        losses = np.array([each[:, own] for each in self.losses], dtype=np.float64)
        _, members, judged, _ = outputs.shape
        parts = _parts(members, judged)
        if len(parts) * members == 1:
            return None
        best = losses.argmin(axis=0).reshape(-1)
        fair: Array = np.empty_like(outputs[0])
        for number, (part, member) in enumerate(product(parts, range(members))):
            fair[member, part] = outputs[np.delete(best, number), member, part].mean(axis=0)
        return fair

    def checkpoint(self) -> dict[str, Recorded]:
        """Put down what is known so far."""
        return {OUTPUTS: np.array(self.outputs), LOSSES: np.array(self.losses)}

    def resume(self, arrays: dict[str, Recorded], epochs: int) -> None:
        """Go back to where it was put down after so many epochs."""
        self.outputs, self.losses = list(arrays[OUTPUTS]), list(arrays[LOSSES])
        if len(self.outputs) < epochs:
            self.give_up()


def _parts(members: int, rows: int) -> list[slice]:
    """Say which rows of a member choose together: all, or halves where there is one member."""
    if members > 1 or rows == 1:
        return [slice(None)]
    return [slice(0, None, 2), slice(1, None, 2)]
