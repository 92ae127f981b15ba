"""What a service tells, as types: each knows the fields of an answer by name, and keeps the whole of it as `raw`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Self, TypeAlias

Label: TypeAlias = str | int | bool
Answer: TypeAlias = float | list[float] | Label | list[bool] | None


PARTED = re.compile(r"[/\\:]")
"""What parts the names of folders on any system."""
TIMES = {"created", "started", "ended", "at"}


@dataclass(frozen=True, kw_only=True, repr=False)
class Told:
    """Base of all answers."""

    raw: dict[str, Any] = field(compare=False)
    """The answer as it was told, with what this version of the client does not know."""

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """Read an answer."""
        names = [each.name for each in fields(cls) if each.name != "raw"]
        return cls(raw=told, **{name: _time(told.get(name)) if name in TIMES else told.get(name) for name in names})

    def __repr__(self) -> str:
        known = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "raw"}
        told = ", ".join(f"{name}={value!r}" for name, value in known.items() if value is not None)
        return f"{type(self).__name__}({told})"


def _time(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)


@dataclass(frozen=True, kw_only=True, repr=False)
class Column(Told):
    """One column that a model takes."""

    name: str
    kind: str
    lowest: float | str | None
    highest: float | str | None
    levels: list[Label] | None
    level_count: int | None
    frequent: list[list[Any]] | None
    missing: bool
    missing_share: float
    example: Label | float | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Report(Told):
    """How a training went."""

    choice: str
    rows: int
    rows_held_out: int
    parameters: int
    parameters_per_row: float
    epochs: int
    kept_epochs: list[int]
    stopped: str
    loss: float
    metrics: dict[str, dict[str, float | None]]
    confusion_matrix: list[list[int]] | None
    warnings: list[str]
    loss_before: float | None
    old_rows: dict[str, Any] | None
    sweep: dict[str, Any] | None
    search: dict[str, Any] | None
    imported: str | None
    fingerprint: str | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Model(Told):
    """One version of a model."""

    model: str
    version: int
    reference: str
    """What to ask for to get exactly this version."""
    task: str
    columns: list[Column]
    target: str | list[str]
    labels: list[Label] | None
    network: dict[str, Any]
    training: dict[str, Any]
    scaling: dict[str, Any]
    report: Report
    tags: dict[str, str]
    description: str
    dataset: str | None
    continued_from: str | None
    created: datetime
    sha256: str
    bytes: int
    aliases: dict[str, int]
    """Of a model that was asked for by its name, all; of a version, those that point to it."""
    versions: list[int] | None
    """Of a model that was asked for by its name: all there are."""
    keep_last: int | None

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """Read an answer."""
        aliases = told["aliases"]
        return replace(
            super().of(told),
            columns=[Column.of(column) for column in told["columns"]],
            report=Report.of(told["report"]),
            aliases=dict.fromkeys(aliases, told["version"]) if isinstance(aliases, list) else aliases,
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class ListedModel(Told):
    """One model in a list."""

    model: str
    versions: list[int]
    task: str | None
    columns: list[str] | None
    target: str | list[str] | None
    tags: dict[str, str] | None
    damage: str | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Alias(Told):
    """A word that points at a version."""

    model: str
    alias: str
    reference: str
    version: int
    revision: int


@dataclass(frozen=True, kw_only=True, repr=False)
class Move(Told):
    """Something that happened to an alias."""

    revision: int
    at: datetime
    origin: int | None
    """The version it pointed to before; None if it was not there."""
    to: int | None
    restores: int | None
    who: str
    why: str

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """Read an answer."""
        return replace(super().of(told), origin=told["from"])


@dataclass(frozen=True, kw_only=True, repr=False)
class Kept(Told):
    """How many versions a model keeps."""

    model: str
    keep_last: int | None
    expired: list[int]
    """The versions that were deleted just now because of it."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Job(Told):
    """A training."""

    job: str
    status: str
    model: str
    paused: bool
    version: int | None
    partial: bool
    priority: int
    attempt: int
    waits_for: str | None
    """What keeps a running one from beginning, such as a cluster that has no room for it yet, or its model from being
    kept."""
    request_id: str | None
    groups: int | None
    """How many models it makes, where it makes one of each group; its epochs are groups then."""
    epoch: int | None
    epochs: int | None
    loss: float | None
    validation_loss: float | None
    rows_per_second: float | None
    eta_seconds: float | None
    history: dict[str, Any] | None
    search: dict[str, Any] | None
    error: str | None
    created: datetime
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True, kw_only=True, repr=False)
class GroupModel(Told):
    """What became of a group."""

    group: str | None
    model: str
    version: int | None
    rows: int
    validation: dict[str, float] | None
    error: str | None

    @property
    def reference(self) -> str | None:
        """What to ask for to get exactly this version; None where the group has none."""
        return None if self.version is None else f"{self.model}/{self.version}"


@dataclass(frozen=True, kw_only=True, repr=False)
class Groups(Told):
    """The models of a training that makes one of each group."""

    job: str
    name: str
    models: list[GroupModel]

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """Read an answer."""
        return replace(super().of(told), models=[GroupModel.of(model) for model in told["models"]])

    @property
    def failed(self) -> list[GroupModel]:
        """The groups that have no model, each with its error."""
        return [model for model in self.models if model.error is not None]


@dataclass(frozen=True, kw_only=True, repr=False)
class Progress(Told):
    """Where a training stands after an epoch."""

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    rows_per_second: float | None
    eta_seconds: float | None


@dataclass(frozen=True, kw_only=True, repr=False)
class Search(Told):
    """How far a search is."""

    metric: str
    done: int
    most: int | None
    budget_seconds: float | None
    best: dict[str, Any] | None
    trials: list[dict[str, Any]] | None
    """In an event, those that were not told before."""


@dataclass(frozen=True)
class Event:
    """One thing that is told of a job."""

    name: str
    """Its new state, `progress` or `search`."""
    told: Job | Progress | Search


@dataclass(frozen=True, kw_only=True, repr=False)
class Dataset(Told):
    """A table that is kept to be trained from."""

    dataset: str
    rows: int
    bytes: int
    columns: list[dict[str, Any]]
    created: datetime
    models: list[str]


@dataclass(frozen=True, kw_only=True, repr=False)
class ListedDataset(Told):
    """One dataset in a list."""

    dataset: str
    rows: int | None
    bytes: int | None
    columns: list[str] | None
    created: datetime | None
    damage: str | None


@dataclass(frozen=True)
class Export:
    """A model as a file of its own."""

    name: str
    """What the file may be called: one name, which leads to no other folder and hides nothing."""
    data: bytes
    reference: str
    max_difference: float
    """How far its answers are from the service's at most."""
    checked_rows: int
    checked_by: str

    @classmethod
    def of(cls, headers: Mapping[str, str], data: bytes) -> Self:
        """Read an answer that is a file; raise ValueError for one without a name, KeyError where more is missing."""
        return cls(
            name=file_name(headers["content-disposition"].partition('filename="')[2].rstrip('"')),
            data=data,
            reference=headers["x-model"],
            max_difference=float(headers["x-max-difference"]),
            checked_rows=int(headers["x-checked-rows"]),
            checked_by=headers["x-checked-by"],
        )


def file_name(told: str) -> str:
    """Give the last part of a name that a service tells; raise ValueError for none, or a hidden one."""
    name = PARTED.split(told)[-1]
    if not name or name.startswith(".") or not name.isprintable():
        message = f"{told[:100]!r} is no name of a file"
        raise ValueError(message)
    return name
