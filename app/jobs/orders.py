"""Orders: what a training was asked for, as plain data, so that it outlives the process that was asked.

The SHA-256 of a safetensors file, and the file: the arrays of the rows are its tensors, all else is JSON in its
metadata.
"""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load, save

from app.engine.arrays import Bytes
from app.errors import OrderDamaged, OrderNewer
from app.models.recipe import Recipe
from app.models.search import Search
from app.models.sweep import Sweep
from app.models.table import TrainingRows
from app.tables.blocks import Plan

if TYPE_CHECKING:
    from cattrs.preconf.json import JsonConverter

KEY = "order"
FORMAT = 1
DIGEST_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """The version whose weights a training begins with, as it was when that was asked for: it may be deleted since."""

    reference: str
    sha256: str
    snapshot: Bytes
    memory: Bytes | None
    """The file of what its optimizer remembers, as it lay there."""


@dataclass(frozen=True, kw_only=True)
class Groups:
    """The groups of rows that are models of their own, those of like size together."""

    names: tuple[str, ...]
    """Of their models."""
    ends: tuple[int, ...]
    """Where the rows of each end; the next one's begin there."""

    @property
    def sizes(self) -> list[int]:
        """How many rows each has."""
        return [end - begin for begin, end in pairwise((0, *self.ends))]


@dataclass(frozen=True, kw_only=True)
class Order:
    """One training that was asked for."""

    name: str
    rows: TrainingRows
    recipe: Recipe
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""
    dataset: str | None = None
    """Where the rows are from, if they were kept."""
    notes: tuple[str, ...] = ()
    """What is to be said of the rows, with the warnings of the report."""
    plan: Plan | None = None
    """What else of the dataset is learnt, where it does not fit into memory."""
    max_epochs: int | None = None
    """How many epochs there are at most, whatever the recipe says."""
    start: Beginning | None = None
    """Where it begins, if not with random weights."""
    weight: str | None = None
    """The column that says how much each row counts, if one does."""
    kinds: dict[str, str] = field(default_factory=dict)
    """What columns were said to be."""
    sweep: Sweep | None = None
    """A setting that is tried with several values, each a training of its own."""
    groups: Groups | None = None
    """The groups, each of which becomes a model, where the rows are of several."""
    search: Search | None = None
    """Settings that are searched, each trial a training of its own."""
    searched: bool = False
    """Whether the settings come from a search, by rows that are not to judge the model."""

    @property
    def count(self) -> int:
        """How many rows are learnt from in an epoch, or drawn to be."""
        if self.groups is not None:  # whose epochs are groups
            return -(-len(self.rows.X) // len(self.groups.names))
        return len(self.rows.X) if self.plan is None else self.plan.more


class _Arrays(threading.local):
    """The arrays of the order that a thread is writing or reading, by the names that stand for them in its JSON."""

    def __init__(self) -> None:
        self.named: dict[str, npt.NDArray[Any]] = {}


def encode(order: Order) -> bytes:
    """Write an order; equal orders give equal bytes."""
    ARRAYS.named = {}
    document = json.dumps(_converter().unstructure(order, Order) | {"format": FORMAT}, sort_keys=True)
    named, ARRAYS.named = ARRAYS.named, {}
    arrays = {name: np.ascontiguousarray(array) for name, array in named.items()}
    data: bytes = save(arrays, metadata={KEY: document})
    return hashlib.sha256(data).digest() + data


def decode(written: bytes) -> Order:
    """Read what `encode` wrote; raise OrderDamaged if it is not that to the last bit, OrderNewer if a later one did."""
    digest, data = written[:DIGEST_BYTES], written[DIGEST_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        raise OrderDamaged
    length = int.from_bytes(data[:8], "little")
    document = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][KEY])
    if document.pop("format", FORMAT) > FORMAT:
        raise OrderNewer
    ARRAYS.named = load(data)
    order = _converter().structure(document, Order)
    ARRAYS.named = {}
    return order


def _put(array: npt.NDArray[Any]) -> str:
    """Name an array, each once: the rows of a plan are those of its order."""
    named = ARRAYS.named
    for name, other in named.items():
        if other is array:
            return name
    named[str(len(named))] = array
    return str(len(named) - 1)


def _find(name: str, _type: object) -> npt.NDArray[Any]:
    return ARRAYS.named[name]


def _put_if_array(value: object) -> object:
    return {"array": _put(value)} if isinstance(value, np.ndarray) else value


def _find_if_array(value: Any, _type: object) -> object:  # noqa: ANN401 - JSON
    return ARRAYS.named[value["array"]] if isinstance(value, dict) else value and tuple(value)


def _as_it_is(value: Any, _type: object) -> Any:  # noqa: ANN401 - JSON
    return value


def _is_array(type_: object) -> bool:
    return getattr(type_, "array_type", type_) is np.ndarray  # of an array with a shape, in its type, or without


def _may_be_array(type_: object) -> bool:
    """Whether an array is one of several things that a value may be: labels, or nothing, are the others."""
    return get_origin(type_) in {Union, UnionType} and any(map(_is_array, get_args(type_)))


def _is_plain(type_: object) -> bool:
    """Whether a value may be one of several things, and each is the same in JSON."""
    return get_origin(type_) in {Union, UnionType} and set(get_args(type_)) <= {str, bool, int, float, NoneType}


@cache
def _converter() -> "JsonConverter":
    from cattrs.preconf.json import make_converter  # noqa: PLC0415 - only who trains needs it

    converter = make_converter()
    converter.register_unstructure_hook_func(_is_array, _put)
    converter.register_structure_hook_func(_is_array, _find)
    converter.register_unstructure_hook_func(_may_be_array, _put_if_array)
    converter.register_structure_hook_func(_may_be_array, _find_if_array)
    converter.register_structure_hook_func(_is_plain, _as_it_is)
    return converter


ARRAYS = _Arrays()
