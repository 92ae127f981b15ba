"""The learning curve: how the loss fell from epoch to epoch, and which weights were kept."""

from dataclasses import dataclass

import numpy as np

from app.engine.arrays import Array
from app.errors import NoPicture
from app.models.model import Model
from app.pictures.picture import Asked, Picture, number

MOST_POINTS = 1000
WORTH_A_LOGARITHM = 10.0  # times that the largest loss is as large as the smallest


@dataclass(frozen=True, kw_only=True)
class LearningCurve(Picture):
    """The loss of each epoch, thinned to at most 1,000 of them."""

    epochs: list[int]
    loss: list[float]
    validation_loss: list[float] | None
    kept_epochs: list[int]
    """After which epoch each member had the weights that were kept."""
    logarithmic: bool


def learning_curve(model: Model, _asked: Asked) -> LearningCurve:
    """Give the curves; raise NoPicture where nothing was learnt step by step."""
    loss, validation = model.history.loss, model.history.validation_loss
    if not len(loss):
        message = "No epoch of this training is known, so that there is no curve of it."
        raise NoPicture(message)
    chosen = np.unique(np.linspace(0, len(loss) - 1, min(len(loss), MOST_POINTS)).astype(int))
    kept = sorted(model.report.kept_epochs)
    return LearningCurve(
        title="Learning curve",
        alt=_in_words(loss, validation, kept),
        note=_note(model),
        epochs=(chosen + 1).tolist(),
        loss=loss[chosen].tolist(),
        validation_loss=validation[chosen].tolist() if len(validation) else None,
        kept_epochs=kept,
        logarithmic=_is_wide(np.concatenate((loss, validation))),
    )


def kept_in_words(kept: list[int]) -> str:
    """Name the epochs whose weights were kept."""
    if not kept:
        return ""
    return f"epoch {kept[0]:,}" if kept[0] == kept[-1] else f"epochs {kept[0]:,} to {kept[-1]:,}"


def _is_wide(losses: Array) -> bool:
    return bool(losses.min() > 0 and losses.max() > WORTH_A_LOGARITHM * losses.min())


def _note(model: Model) -> str:
    members = len(model.parameters)
    of_several = f", mean of {members} members" if members > 1 else ""
    return f"{model.recipe.training.loss} loss in scaled units{of_several}"


def _in_words(loss: Array, validation: Array, kept: list[int]) -> str:
    words = f"The training loss goes from {number(loss[0])} to {number(loss[-1])} in {len(loss):,} epochs."
    if len(validation):
        least = int(validation.argmin())
        words += f" The loss on rows held out is least after epoch {least + 1:,}: {number(validation[least])}."
    return words + (f" The weights of {kept_in_words(kept)} were kept." if kept else "")
