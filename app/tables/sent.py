"""Sent: the parts of a request that hold a table, as they came."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.models.model import Model
from app.tables.table import Table


@dataclass(frozen=True, kw_only=True)
class Sent:
    """The parts of a request that hold a table, as they came.

    Either `table`, or `rows` (objects; or lists, with `columns`), with `target`, and `weight` the name of a column; or
    `X` and `y`, with `weights`.
    """

    table: Table | None = None
    rows: list[Any] | None = None
    columns: tuple[str, ...] | None = None
    target: str | tuple[str, ...] | None = None
    X: list[Any] | None = None
    y: list[Any] | None = None
    weight: str | None = None
    weights: list[Any] | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    """What columns are, where it is not to be told by their cells."""
    ignore_extra: bool = False
    """Whether columns that a model does not know are left out, instead of refused."""
    like: Model | None = None
    """The model that goes on learning, from columns that have to be its own."""
