"""A model: trained networks with all it takes to answer in the user's own units."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from app.engine.arrays import Answers, Cells, Outputs, Parameters, PerRow, Scores
from app.engine.choices import FINITE
from app.engine.control import GoOn, go_on_for_ever
from app.engine.network import Encode, Layer, Network
from app.engine.training import History
from app.errors import BadTable
from app.faults import MOST_FAULTS, Fault
from app.models.applicability import Neighbours
from app.models.metrics import Metrics
from app.models.pairs import Pairs
from app.models.preprocessing import Encoder, Scaler
from app.models.recipe import Recipe
from app.models.sweep import Swept
from app.models.table import Column, Label, Source
from app.models.trials import Searched
from app.models.uncertainty import Misses

TILE = 8  # rows in one matrix product where answers are computed
LONGEST_TAG, LONGEST_VALUE, MOST_TAGS = 100, 200, 50  # of one that is trained here
BLOCK_NUMBERS = 2**15  # numbers in the widest layer of rows that are answered at once: bounds the memory


@dataclass(frozen=True)
class OldRows:
    """The loss, in scaled units, on rows that a model had learnt before another training."""

    rows: int
    loss_before: float
    loss_after: float


@dataclass(frozen=True)
class Report:
    """What is worth telling about a training.

    `loss` is in scaled units, `metrics` in the user's. `training` metrics rest on all rows; `validation` metrics on the
    `rows_held_out`, each answered by the members that had not seen it, as they were at an epoch that it had no part in
    choosing (a model that this one went on from may have seen it). `parameters` are those of all members.
    """

    __pydantic_config__ = FINITE

    choice: str
    """What was chosen for these rows, and why."""
    rows: int
    rows_held_out: int
    parameters: int
    parameters_per_row: float
    epochs: int
    kept_epochs: tuple[int, ...]
    stopped: str
    loss: float
    metrics: dict[str, Metrics]
    confusion_matrix: tuple[tuple[int, ...], ...] | None = None
    """Rows by true label and answered label, in the order of the labels: of the rows held out, or else of all."""
    warnings: tuple[str, ...] = ()
    """Of the rows, by whoever read them."""
    loss_before: float | None = None
    """What `loss` was before the training, where that did not begin with random weights."""
    old_rows: OldRows | None = None
    """What the training did to the answers for rows that had been learnt before, as far as these are still there."""
    sweep: Swept | None = None
    """How the training went with each value of a setting, where several were tried."""
    search: Searched | None = None
    """How the trials of a search went, where there was one."""
    imported: str | None = None
    """SHA-256 of the file that the weights were taken from, where nothing was learnt here: rows and loss are 0 then."""
    fingerprint: str | None = None
    """SHA-256 of the rows as they were learnt, whatever they were sent in; null where they came from a long dataset."""


UNKNOWN = Report("", 0, 0, 0, 0.0, 0, (), "", 0.0, {})  # of a model that has not been measured yet


@dataclass(frozen=True, kw_only=True)
class Model:
    """Preprocessing, networks and record of the training; never written again once made."""

    columns: tuple[Column, ...]
    targets: tuple[str, ...]
    labels: tuple[Label, ...]
    """The classes in the order of their probabilities; empty for numbers."""
    recipe: Recipe
    """The settings, with everything filled in that the user left open."""
    network: Network
    parameters: Parameters
    """One row for each member."""
    encoder: Encoder
    target: Scaler | None
    neighbours: Neighbours
    history: History
    misses: Misses
    pairs: Pairs
    """Some of the rows that the metrics rest on: held out ones, where there were any, else those that were learnt."""
    temperature: float = 1.0
    """What the last layer's weighted sums are divided by where answers are probabilities."""
    report: Report = UNKNOWN
    sources: tuple[Source, ...] = ()
    """The columns as they were sent."""
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""
    dataset: str | None = None
    """Where the rows were from, if they were kept."""
    continued_from: str | None = None
    """The version whose weights the training began with."""
    weight: str | None = None
    """The column that said how much each row counts."""
    kinds: dict[str, str] = field(default_factory=dict)
    """What columns were said to be, where their cells do not tell."""

    @cached_property
    def missing(self) -> frozenset[str]:
        """Names of the columns in which a value may be missing, as some were in training."""
        return frozenset(
            column.name for column, missing in zip(self.columns, self.encoder.missing, strict=True) if missing
        )

    def scores(self, X: Cells, go_on: GoOn = go_on_for_ever) -> Scores:
        """Answer rows: numbers in the user's units (samples, targets), or probabilities (samples, labels or targets).

        `go_on` is called before each block of rows.

        Raises BadTable for a row so far outside the trained ranges that the arithmetic overflows.
        """
        members = self.member_scores(X, go_on)
        scores: Scores = members[0].copy()
        for others in members[1:]:  # one after the other, so that the sum is the same for any number of rows
            scores += others
        scores /= len(members)
        finite = np.isfinite(scores)
        if not finite.all():
            overflown = np.flatnonzero(~finite.all(axis=1))
            message = "An answer overflows: the row lies too far outside the trained ranges."
            faults = [Fault("numbers nearer to the trained ranges", row=int(row)) for row in overflown[:MOST_FAULTS]]
            raise BadTable(message, faults, len(overflown))
        return scores

    def member_scores(self, X: Cells, go_on: GoOn = go_on_for_ever) -> Outputs:
        """Answer rows with each member, shape (members, samples, answers)."""
        with np.errstate(all="ignore"):
            a = tiled_outputs(self.network, self.parameters, X, self.encoder.encode, layers=self.layers, go_on=go_on)
            return self.scores_of(a)

    def scores_of(self, outputs: Outputs) -> Answers:
        """Put the networks' outputs, shape (..., outputs), as answers."""
        a = outputs.astype(np.float64, copy=False)
        if self.target is not None:
            return self.target.scale_out(a[..., : len(self.targets)])  # a variance may stand behind
        return np.concatenate((1.0 - a, a), axis=-1) if self.labels and a.shape[-1] == 1 else a

    def distances(self, X: Cells, go_on: GoOn = go_on_for_ever) -> PerRow:
        """Measure how far each row is from those that were learnt from, as `Neighbours.distances` does."""
        return self.neighbours.distances(self.encoder, X, go_on)

    @cached_property
    def layers(self) -> list[Layer]:
        """The layers that answers are computed with: those that were learnt, the last one at its temperature."""
        *hidden, (W, b) = self.network.layers(self.parameters)
        if self.temperature == 1.0:
            return [*hidden, Layer(W, b)]
        kind = self.parameters.dtype.type(self.temperature)
        return [*hidden, Layer(W / kind, None if b is None else b / kind)]


def tiled_outputs(
    network: Network,
    parameters: Parameters,
    X: Cells,
    encode: Encode = np.asarray,
    *,
    layers: Sequence[Layer] = (),
    go_on: GoOn = go_on_for_ever,
) -> Outputs:
    """Compute the members' outputs, shape (members, samples, outputs), in bounded memory: features are made on the way.

    A row's answer is the same to the last bit alone and among any others: on some processors BLAS takes other kernels,
    with other rounding, for other shapes, so all products have the shape of a tile. `layers` are those of the
    parameters, where they are at hand.
    """
    members, outputs, layers = len(parameters), network.sizes[-1], layers or network.layers(parameters)
    tiles = -(-len(X) // TILE)
    if not tiles:
        return np.empty((members, 0, outputs), dtype=parameters.dtype)
    widest = max(members * max(network.sizes), 4 * network.sizes[0])  # features come in float64, with what made them
    step = max(1, BLOCK_NUMBERS // (TILE * widest))
    blocks = []
    for start in range(0, tiles, step):
        features = encode(X[start * TILE : (start + step) * TILE])
        if len(features) % TILE:
            features = np.concatenate((features, np.zeros((-len(features) % TILE, features.shape[1]))))
        tiled = np.ascontiguousarray(features, dtype=parameters.dtype).reshape(-1, 1, TILE, features.shape[1])
        go_on()
        blocks.append(network.answers(layers, network.enter(parameters, tiled)))
    answers = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    return answers.swapaxes(0, 1).reshape(members, tiles * TILE, outputs)[:, : len(X)]
