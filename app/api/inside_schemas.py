"""What is asked for, and told, when somebody looks inside a model."""

from typing import Annotated, Any

from annotated_types import MaxLen
from pydantic import BaseModel

from app.api.schemas import LOOSE, TUTORIAL_ROWS, LabelledRows, strict

OneRow = dict[str, Any] | list[Any]
TRACE_EXAMPLE = {"row": TUTORIAL_ROWS[0]}
COUNTERFACTUAL_EXAMPLE = {"row": {"hours_studied": 1, "hours_slept": 5}, "wanted": 90}


class TraceRequest(BaseModel):
    """One row to follow through the networks."""

    model_config = strict(TRACE_EXAMPLE)

    row: OneRow
    """An object by column, or a list in the order of the model's. With the true answer among its columns, or as `y`,
    the way back is told too."""
    y: Any = None
    """The true answer, or a list of several."""


class LayerTraceAnswer(BaseModel):
    """What one layer computes: z from what is before it, a from z, and in training delta and the slopes."""

    model_config = LOOSE

    activation: str
    z: list[float]
    """Weighted sums: inputs · W + b."""
    a: list[float]
    """Activations."""
    delta: list[float] | None = None
    """How the loss changes with each z."""
    slope_W: list[list[float]] | None = None  # noqa: N815 - the textbook's
    """How the loss changes with each weight: what is before the layer times delta."""
    slope_b: list[float] | None = None
    """How the loss changes with each bias."""


class MemberTrace(BaseModel):
    """One network's way: inputs, then layer by layer."""

    inputs: list[float]
    layers: list[LayerTraceAnswer]
    loss: float | None = None


class TraceAnswer(BaseModel):
    """All numbers of one row's way through the networks, in their own units, and back where the truth is known."""

    model_config = LOOSE

    model: str
    version: int
    inputs: list[str]
    """What each input is made from; `/weights` tells how."""
    members: list[MemberTrace]
    y: list[float] | None = None
    """The truth in the networks' units."""
    temperature: float
    """What the last z is divided by before its activation, where the networks answer; 1 in training."""
    prediction: Any
    """The answer of all networks together, in the user's units."""


class GradientCheckRequest(LabelledRows):
    """Rows with their true answers, to compare the two ways to a derivative on; the fewer the larger the networks."""

    model_config = strict({"rows": TUTORIAL_ROWS})


class ComparedAnswer(BaseModel):
    """One parameter's derivative by both ways."""

    member: int
    parameter: str
    """As arrays are called in a snapshot, with its place: `layers.1.W[0, 2]`."""
    backpropagation: float
    finite_difference: float


class GradientCheckAnswer(BaseModel):
    """Whether backpropagation gives the derivative of the loss."""

    model_config = LOOSE

    model: str
    version: int
    agrees: bool
    """Whether the difference is below 1e-5."""
    difference: float
    """‖backpropagated - finite differences‖ / (‖backpropagated‖ + ‖finite differences‖)."""
    checked: int
    """Parameters that were moved; of large networks 200 of each."""
    rows: int
    loss: float
    """Mean over the networks, in their units."""
    worst: ComparedAnswer
    """The parameter where both ways differ most."""


class VerificationAnswer(BaseModel):
    """Whether a version's record and its dataset give the same version again."""

    model_config = LOOSE

    model: str
    version: int
    verified: bool
    """Whether all that answers rest on is the same to the last bit: weights, scaling, levels, what intervals are made
    of, and the metrics."""
    differs: list[str]
    """What is not, as it is called in a snapshot."""
    weights_sha256: str
    retrained_sha256: str
    largest_difference: float | None
    """Between a weight and the same one of then; null where there are more or fewer of them. With other versions of
    netlet or NumPy, or on another kind of processor, the last bits may differ."""


class ImportantColumn(BaseModel):
    """How much a column moves answers."""

    model_config = LOOSE

    column: str
    importance: float
    """Mean size of its contributions, in the units of the answer."""
    share: float
    """Of all columns' together."""


class ImportanceAnswer(BaseModel):
    """What moves the answers of a model, the most important column first."""

    model: str
    version: int
    columns: list[ImportantColumn]


class CounterfactualRequest(BaseModel):
    """A row, and the answer that is wanted instead of its own."""

    model_config = strict(COUNTERFACTUAL_EXAMPLE)

    row: OneRow
    wanted: Any
    """A number, or a label."""
    fixed: Annotated[list[str], MaxLen(10_000)] = []
    """Columns that are to stay as they are."""


class ChangedColumn(BaseModel):
    """What has to be otherwise."""

    model_config = LOOSE

    column: str
    before: Any
    after: Any


class CounterfactualAnswer(BaseModel):
    """The nearest row, within what the model was trained on, that it answers as is wanted."""

    model_config = LOOSE

    model: str
    version: int
    row: dict[str, Any]
    prediction: Any
    """What the model answers to that row."""
    changed: list[ChangedColumn]
    distance: float
    """From the row that was asked about; as in `applicability`."""
