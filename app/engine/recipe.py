"""A recipe: everything that decides what a training does, and what is chosen where the user leaves it open."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, NamedTuple

from app.engine.activations import ACTIVATIONS
from app.engine.choices import STRICT, OneOf
from app.engine.losses import LOSSES
from app.engine.network import Architecture
from app.engine.preprocessing import Scaling
from app.engine.training import TrainingConfig
from app.errors import UnsuitableTarget

Task = Literal["regression", "classification"]
TASKS: dict[str, str] = {"regression": "numbers", "classification": "labels"}
PROBABILITIES = ("sigmoid", "softmax")
VALIDATION_FROM = 100  # rows: with fewer, holding some out costs more than it tells


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Network, training and scaling, as the user sets them; the task follows the target where it is not given."""

    __pydantic_config__ = STRICT

    task: Annotated[str, OneOf(TASKS)] | None = None
    network: Architecture = Architecture()
    training: TrainingConfig = TrainingConfig()
    scaling: Scaling = Scaling()

    @property
    def wants_labels(self) -> bool | None:
        """Whether the target is to be read as classes, whatever it looks like; None leaves it to the target."""
        if self.task is not None:
            return self.task == "classification"
        cross_entropy = self.training.loss is not None and LOSSES[self.training.loss].is_cross_entropy
        return True if cross_entropy or self.network.output_activation == "softmax" else None


class Problem(NamedTuple):
    """What is to be learnt: so many rows, and classes (0 for numbers)."""

    rows: int
    classes: int


def complete(recipe: Recipe, problem: Problem) -> Recipe:
    """Fill in all that the user left open; raise UnsuitableTarget where settings and target contradict."""
    architecture, training, scaling = recipe.network, recipe.training, recipe.scaling
    output = architecture.output_activation or _usual_output(problem.classes)
    loss = training.loss or _usual_loss(output, problem.classes)
    _require_consistent(output, loss, problem.classes)
    if not problem.classes:
        scaling = replace(scaling, target=_target_scaler(scaling, output))
    validation = training.validation
    if validation is None:
        validation = 0.1 if problem.rows >= VALIDATION_FROM else 0.0
    epochs, batch_size, rate = training.chosen_for(problem.rows - held_out(problem.rows, validation))
    return Recipe(
        task="classification" if problem.classes else "regression",
        network=replace(architecture, output_activation=output),
        training=replace(
            training, loss=loss, validation=validation, epochs=epochs, batch_size=batch_size, learning_rate=rate
        ),
        scaling=scaling,
    )


def held_out(rows: int, share: float) -> int:
    """Count the rows to hold out; at least one is left to learn from."""
    return min(round(rows * share), rows - 1)


def _usual_output(classes: int) -> str:
    if not classes:
        return "identity"
    return "sigmoid" if classes <= 2 else "softmax"  # noqa: PLR2004 - two classes need one output


def _usual_loss(output: str, classes: int) -> str:
    if not classes:
        return "mse"
    return "binary_cross_entropy" if output == "sigmoid" else "categorical_cross_entropy"


def _target_scaler(scaling: Scaling, output: str) -> str:
    if scaling.target_maximum is not None:
        if scaling.target not in {None, "maximum"}:
            message = f"scaling.target_maximum goes with scaling.target maximum, not {scaling.target}. Leave one out."
            raise UnsuitableTarget(message)
        return "maximum"
    return scaling.target or ("minmax" if ACTIVATIONS[output].bounded else "standard")


def _require_consistent(output: str, loss: str, classes: int) -> None:
    """Raise UnsuitableTarget unless output activation, loss and classes can go together."""
    if classes == 1:
        message = "The target has one class only; a classifier needs rows of at least two."
        raise UnsuitableTarget(message)
    if classes and output not in PROBABILITIES:
        message = f"Classes need output_activation sigmoid or softmax, not {output}. Leave it out."
        raise UnsuitableTarget(message)
    if classes > 2 and output == "sigmoid":  # noqa: PLR2004 - two classes need one output
        message = f"output_activation sigmoid tells two classes apart; the target has {classes}. Use softmax."
        raise UnsuitableTarget(message)
    paired_with = LOSSES[loss].paired_with
    if paired_with and output != paired_with:
        message = f"Loss {loss} needs output_activation {paired_with}, not {output}. Leave one of the two out."
        raise UnsuitableTarget(message)


PRESETS: dict[str, dict[str, dict[str, object]]] = {
    # The 60-line tutorial network, setting by setting.
    "tutorial": {
        "network": {
            "hidden": [3],
            "activation": "sigmoid",
            "output_activation": "sigmoid",
            "bias": False,
            "initializer": "normal",
        },
        "training": {
            "loss": "quadratic",
            "optimizer": "gradient_descent",
            "learning_rate": 1.0,
            "schedule": "constant",
            "epochs": 1000,
            "batch_size": 10_000_000,
            "validation": 0.0,
            "tolerance": 0.0,
            "keep_best": False,
            "generator": "mt19937",
        },
        "scaling": {"features": "maximum", "target": "maximum", "target_maximum": 100.0},
    }
}
"""Settings that a name stands for, as they would be sent; what is sent beside the name wins."""
