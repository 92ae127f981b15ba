"""The document of a snapshot: all of a model that is no array, and what must hold among its parts."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from app.errors import UnsuitableTarget
from app.models.defaults import Problem, candidates
from app.models.model import Report
from app.models.recipe import Recipe
from app.models.table import Column, Label, Source
from app.models.uncertainty import COOLEST, HOTTEST
from app.tables.columns import PARTS
from app.tables.kinds import KINDS
from app.tables.table import LONGEST_NAME

FORMAT = 3
LEAST_DISTANCE = 1e-200  # between rows that differ
DATASET = re.compile(r"[0-9a-f]{32}", re.ASCII)
LEVELS: dict[str, set[type]] = {"category": {str}, "boolean": {bool}}
"""Types of the levels that kinds of columns have; others have none."""


def _give_up_early(schema: Any) -> None:  # noqa: ANN401 - Pydantic's own
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            _give_up_early(part)
    if isinstance(schema, dict) and schema.get("type") in {"tuple", "list"}:
        schema["fail_fast"] = True


class Damage(Exception):
    """These bytes are not a snapshot as it was written; the text says why."""


class Document(BaseModel):
    """The JSON document of a snapshot."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    sha256: str
    format: Annotated[int, Ge(FORMAT), Le(FORMAT)]
    libraries: dict[str, str]
    columns: tuple[Column, ...]
    sources: tuple[Source, ...]
    targets: tuple[str, ...]
    labels: tuple[Label, ...]
    recipe: Recipe
    report: Report
    temperature: Annotated[float, Ge(COOLEST), Le(HOTTEST)]
    near: Annotated[float, Gt(LEAST_DISTANCE)]
    reach: Annotated[float, Ge(0)]
    tags: dict[str, str] = Field(default_factory=dict)
    description: str = ""
    dataset: str | None = None
    continued_from: str | None = None
    weight: str | None = None
    kinds: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - of Pydantic
        """Let lists be given up at the first fault: of a million forged ones, each would be a kilobyte to be told."""
        schema = handler(source)
        _give_up_early(schema)
        return schema

    def require_consistent(self) -> None:
        """Raise Damage if the document contradicts itself, or leaves open how its arrays are used."""
        reason = next(self._contradictions(), None)
        if reason is not None:
            raise Damage(reason)

    def _contradictions(self) -> Iterator[str]:
        columns = [column.name for column in self.columns]
        for what, names in (("columns", columns), ("targets", self.targets)):
            if not names or len(set(names)) < len(names):
                yield f"it has no {what}, or two of one name"
        if self.sources and [name for source in self.sources for name in source.columns] != columns:
            yield "its columns are not those that were sent"
        if not {*self.kinds.values(), *(source.kind for source in self.sources)} <= KINDS.keys():
            yield "one of its columns is of no kind that there is"
        yield from self._faults_of_the_sources()
        yield from self._faults_of_the_words()
        if self.dataset is not None and not DATASET.fullmatch(self.dataset):
            yield "its dataset has no id that there is"
        levels = {f"levels of column {number}": column.levels for number, column in enumerate(self.columns, start=1)}
        for what, words in ({"labels": self.labels} | levels).items():
            if len(set(words)) < len(words) or len(set(map(type, words))) > 1:
                yield f"its {what} are of several kinds, or one is there twice"
        if self.labels and (self.recipe.task != "classification" or len(self.targets) > 1):
            yield "its labels contradict its task or targets"
        if self.report.rows < (0 if self.report.imported else 1):
            yield "it has learnt from no rows"
        else:
            yield from self._faults_of_the_recipe()

    def _faults_of_the_words(self) -> Iterator[str]:
        """Hold names to what a training takes."""
        columns = [source.name for source in self.sources] or [column.name for column in self.columns]
        for what, names in (("columns", columns), ("targets", self.targets)):
            if any(not name or len(name) > LONGEST_NAME or not name.isprintable() for name in names):
                yield f"one of its {what} has a name that none can have"
        if not {*self.report.metrics} <= {"training", "validation"}:
            yield "its metrics are of no rows that there are"

    def _faults_of_the_sources(self) -> Iterator[str]:
        """Compare each column as it is sent with those that it becomes, and the temperature with what is answered."""
        if self.temperature != 1.0 and self.recipe.task == "regression":
            yield "its temperature contradicts its task"
        levels = {column.name: column.levels for column in self.columns}
        for number, source in enumerate(self.sources, start=1):
            types = {type(level) for name in source.columns for level in levels.get(name, ())}
            fits = types <= LEVELS.get(source.kind, set())
            if not fits or (source.kind == "date") != bool(source.parts) or not {*source.parts} <= {*PARTS}:
                yield f"what column {number} holds is not of its kind"
            ends = str if source.kind == "date" else float
            if not {type(source.lowest), type(source.highest)} <= {ends, type(None)}:
                yield f"the ends of column {number} are not of its kind"

    def _faults_of_the_recipe(self) -> Iterator[str]:
        """Complete the recipe, which must change nothing."""
        problem = Problem(
            rows=max(1, self.report.rows),
            inputs=len(self.columns),
            targets=len(self.targets),
            labels=len(self.labels),
            multilabel=self.recipe.task == "multilabel",
        )
        try:
            complete = [candidate.recipe for candidate in candidates(self.recipe, problem)]
        except UnsuitableTarget as error:
            yield f"its settings contradict each other ({error})"
        else:
            if complete != [self.recipe]:
                yield "its recipe is not complete, or does not fit its labels and rows"
