"""What requests hold and answers look like."""

from datetime import datetime
from typing import Annotated, Any, Literal

from annotated_types import MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from app.api.search_schemas import SearchRequest
from app.docstrings import Described
from app.engine.choices import OneOf
from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.errors import InvalidRequest
from app.faults import Fault
from app.models.model import LONGEST_TAG, LONGEST_VALUE, MOST_TAGS, Report
from app.models.preprocessing import Scaling
from app.models.recipe import TASKS
from app.models.sweep import MOST_RUNS
from app.models.table import Label
from app.presets import PRESETS
from app.tables.kinds import KINDS
from app.tables.summaries import ColumnSummary

LOOSE = ConfigDict(json_schema_extra=Described())

TUTORIAL_ROWS = [
    {"hours_studied": 2, "hours_slept": 9, "score": 92},
    {"hours_studied": 1, "hours_slept": 5, "score": 86},
    {"hours_studied": 3, "hours_slept": 6, "score": 89},
]

TRAIN_EXAMPLE = {"name": "exam", "preset": "tutorial", "rows": TUTORIAL_ROWS, "target": "score"}
GROUPS_EXAMPLE = {
    "name": "pupils",
    "group_by": "pupil",
    "rows": [
        {"pupil": pupil, "hours_studied": hours, "score": score}
        for pupil, scores in {"ann": (62, 71, 83, 88), "ben": (55, 58, 66, 79)}.items()
        for hours, score in enumerate(scores, start=1)
    ],
    "target": "score",
}
CONTINUE_EXAMPLE = {"rows": [{"hours_studied": 4, "hours_slept": 8, "score": 91}], "training": {"epochs": 100}}


def strict(example: object = None) -> ConfigDict:
    """Configure what a request holds: unknown fields and near types are errors."""
    return ConfigDict(strict=True, extra="forbid", json_schema_extra=Described(example))


ByKind = Discriminator(lambda value: "text" if isinstance(value, str) else "other")


class LabelledRows(BaseModel):
    """A table with what is to be learnt, in any of its forms."""

    model_config = strict()

    rows: list[Any] | None = None
    """The table: objects by column, or lists in the order of `columns`. A column is of numbers, text (a category), true
    and false, or dates; null, empty text and NA are missing values."""
    columns: list[str] | None = None
    """Names of the columns, for rows that are lists (the target among them) or for `X`."""
    target: Annotated[Annotated[str, Tag("text")] | Annotated[list[str], Tag("other")], ByKind] | None = None
    """The column, or columns, to be learnt. Text and true/false are learnt as classes, numbers as numbers; several
    columns of true/false as a yes or no each."""
    X: list[Any] | None = None
    """Instead of `rows`: the features alone, one list a row."""
    y: list[Any] | None = None
    """With `X`: the target of each row; a list for several."""
    weight: str | None = None
    """With `rows`: the column that says how much each row counts; it is no feature."""
    weights: list[Any] | None = None
    """With `X`: how much each row counts."""


class LearntRows(LabelledRows):
    """A table to learn from, and how it is learnt."""

    dataset: str | None = None
    """Instead of `rows`: the id of a dataset, all of whose columns are taken."""
    training: Annotated[Annotated[Literal["auto"], Tag("text")] | Annotated[TrainingConfig, Tag("other")], ByKind] = (
        "auto"
    )
    """Optimizer, epochs, seed and so on."""
    tags: Annotated[
        dict[Annotated[str, MaxLen(LONGEST_TAG)], Annotated[str, MaxLen(LONGEST_VALUE)]], MaxLen(MOST_TAGS)
    ] = Field(default_factory=dict)
    """Words of your own to find the model by."""
    description: Annotated[str, MaxLen(2000)] = ""
    """A sentence of your own."""


class NewModel(LearntRows):
    """A table that a new model, or several, learn, and how."""

    name: str | None = None
    """The model's name; training it again makes its next version. One is made up where it is not given."""
    kinds: dict[str, Annotated[str, OneOf(KINDS)]] = Field(default_factory=dict)
    """What a column is, by its name, where its cells do not tell: a number that stands for a `category`, say."""
    task: Annotated[str, OneOf(TASKS)] | None = None
    """`classification` learns whole numbers as classes, `multilabel` 0 and 1 of each target as no and yes; follows the
    target where it is not given."""
    network: Annotated[Annotated[Literal["auto"], Tag("text")] | Annotated[Architecture, Tag("other")], ByKind] = "auto"
    """Layers and activations."""
    scaling: Scaling = Scaling()
    """How numbers are scaled on the way in and un-scaled on the way out."""
    preset: Annotated[str, OneOf(PRESETS)] | None = None
    """Settings that a name stands for; what is set beside it wins."""


class GroupsRequest(NewModel):
    """A table of several groups, each of which a model of its own learns."""

    model_config = strict(GROUPS_EXAMPLE)

    group_by: str
    """The column that tells which group a row is of: text or numbers that can be part of a name. It is no input."""


class TrainRequest(NewModel):
    """A table to learn from, and how; everything but the table can be left out."""

    model_config = strict(TRAIN_EXAMPLE)

    sweep: Annotated[dict[str, Annotated[list[Any], MinLen(2), MaxLen(MOST_RUNS)]], MinLen(1), MaxLen(1)] | None = None
    """One setting of `training` and values to try, `{"learning_rate": [0.5, 0.1, 0.05]}`: from the same first weights
    each is trained with, the best is kept, and `report.sweep` has the curves of all."""
    search: SearchRequest | None = None
    """Tries settings, first of all what would be trained without it, and trains the best anew on all rows;
    `report.search` has all trials."""


class ContinueRequest(LearntRows):
    """More rows for a version to learn; target, settings, tags and description that are not given are the version's."""

    model_config = strict(CONTINUE_EXAMPLE)

    @model_validator(mode="before")
    @classmethod
    def require_the_same_network(cls, sent: Any) -> Any:  # noqa: ANN401 - whatever was sent
        """Raise InvalidRequest for what stays as it is in the version, and cannot be set."""
        fixed = [name for name in TrainRequest.model_fields if name not in LearntRows.model_fields and name in sent]
        if fixed:
            message = "What goes on learning is the same network with the same columns. POST /train makes a new model."
            raise InvalidRequest(message, [Fault("nothing: it stays the version's", field=name) for name in fixed])
        return sent


class Column(BaseModel):
    """One column a model takes."""

    model_config = LOOSE

    name: str
    kind: Annotated[str, OneOf(KINDS)]
    """An integer is a number that was always whole in training; it need not be so later."""
    lowest: float | str | None
    """Of numbers and dates, in training."""
    highest: float | str | None
    levels: list[Label] | None
    """Of a category: the first 100."""
    level_count: int | None
    frequent: list[tuple[Label, int]] | None
    """The most frequent levels, each with its number of rows in training."""
    missing: bool
    """Whether null is taken: only where values were missing in training."""
    missing_share: float
    """Share of the training's rows that had no value."""
    example: Label | float | None
    """Its value in one row of the training."""


class ModelDetail(BaseModel):
    """One version of a model: what it takes, how it was made and how good it was."""

    model_config = LOOSE

    model: str
    version: int
    reference: str
    """What to ask for to get exactly this version."""
    task: str
    columns: list[Column]
    """What the model takes, with the range it was trained on."""
    target: str | list[str]
    labels: list[Label] | None
    """The classes, where the task is classification."""
    network: Architecture
    """Every setting of the network, those that were chosen for you included."""
    training: TrainingConfig
    """Every setting of the training; with the same rows they give the same model again."""
    scaling: Scaling
    """How numbers were scaled."""
    report: Report
    tags: dict[str, str]
    description: str
    dataset: str | None
    """What it was trained on, if that was kept; it may have been deleted since."""
    continued_from: str | None
    """The version whose weights this one began with."""
    created: datetime
    sha256: str
    bytes: int


class ModelSummary(BaseModel):
    """One model in a list."""

    model_config = LOOSE

    model: str
    versions: list[int]
    task: str | None
    columns: list[str] | None
    target: str | list[str] | None
    tags: dict[str, str] | None
    damage: str | None
    """Why the version that its name means cannot be read, if it cannot."""


class ModelList(BaseModel):
    """A page of models."""

    model_config = LOOSE

    models: list[ModelSummary]
    next: str | None
    """Send as `after` to get the following page; null on the last."""


class HistoryAnswer(BaseModel):
    """How the loss fell, in scaled units."""

    model: str
    version: int
    epochs: list[int]
    loss: list[float]
    validation_loss: list[float] | None


class LayerAnswer(BaseModel):
    """One layer: activation(inputs · W + b)."""

    activation: str
    W: list[list[float]]
    b: list[float] | None


class ScalerAnswer(BaseModel):
    """(value - center) / scale, column by column."""

    center: list[float]
    scale: list[float]


class InputAnswer(BaseModel):
    """How an input of the networks is made from a column."""

    model_config = LOOSE

    column: str
    made: Literal["scaled", "bin", "missing", "pair", "level", "embedded"]
    """scaled: z = (value - center) / scale, then z / √(1 + (z / clip)²) where there is a clip; bin: from -1 at `begins`
    to 1 after `width`, and no further; missing: 1 where the value is; pair: 1 for the second level, -1 for the first,
    0 for neither; level: 1 for this level, else 0; embedded: as many inputs as an embedding is wide."""
    center: float | None = None
    scale: float | None = None
    clip: float | None = None
    fill: float | None = None
    """What stands in for a missing value; of bins too."""
    begins: float | None = None
    width: float | None = None
    level: Label | None = None
    levels: list[Label] | None = None
    """Of a pair, or of what is embedded, in their order."""


class MemberAnswer(BaseModel):
    """One network: its layers, and for each embedded column a vector for no level and for each level."""

    layers: list[LayerAnswer]
    embeddings: list[list[list[float]]] | None = None


class WeightsAnswer(BaseModel):
    """Every number of a model: make the inputs, run each member's layers, average the answers, scale the target out.

    With loss gaussian_nll the first half of the outputs are the answers, the second the logarithms of their variances.
    """

    model_config = LOOSE

    model: str
    version: int
    inputs: list[InputAnswer]
    members: list[MemberAnswer]
    target: ScalerAnswer | None
    """Null for classes: the last layer gives their probabilities (one number: that of the second label)."""
    temperature: float
    """What the last layer's weighted sums are divided by before its activation; 1 for numbers."""


class UploadSettings(BaseModel):
    """What the address of an upload may say of it, beside how a CSV is written."""

    model_config = strict()

    columns: list[str] | None = None
    """Names of the columns, for a format that has none."""
    kinds: dict[str, Literal["category"]] = Field(default_factory=dict)
    """Columns stated as `category` keep their cells as they are written in a CSV: 007 is not 7."""


class DatasetDetail(BaseModel):
    """A table that was uploaded once, to be trained from many times."""

    model_config = LOOSE

    dataset: str
    """Its id: the same bytes, read the same way, have the same."""
    rows: int
    bytes: int
    """As it is kept, which is as Parquet."""
    columns: list[ColumnSummary]
    created: datetime
    models: list[str]
    """References of the models that were trained on it and are still there, the newest 1,000 at most."""


class DatasetSummary(BaseModel):
    """One dataset in a list."""

    model_config = LOOSE

    dataset: str
    rows: int | None = None
    bytes: int | None = None
    columns: list[str] | None = None
    created: datetime | None = None
    damage: str | None = None
    """Why it cannot be used, as far as its document tells."""


class DatasetList(BaseModel):
    """A page of datasets."""

    model_config = LOOSE

    datasets: list[DatasetSummary]
    next: str | None
    """Send as `after` to get the following page; null on the last."""


class FaultAnswer(BaseModel):
    """One thing wrong with what was sent; rows count from 0."""

    row: int | None = None
    column: str | None = None
    field: str | None = None
    got: str | None = None
    expected: str


class Problem(BaseModel):
    """What went wrong and what to do (RFC 9457)."""

    model_config = LOOSE

    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[FaultAnswer] | None = None
    """The first 20."""
    total_errors: int | None = None
