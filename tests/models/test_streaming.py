"""Tables too long for memory: learnt block by block, and judged by rows that are at hand."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from app.engine.arrays import Randomness
from app.engine.sharding import Helpers
from app.errors import UnsuitableTarget
from app.models.learning import learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.table import Column, TrainingRows
from tests.models.tables import recipe

ROWS = 4000


@dataclass
class InMemory:
    """Rows that could be at hand, given as if they could not."""

    rows: TrainingRows
    size: int = 1000
    passes: list[list[int]] = field(default_factory=list)
    """The order of the blocks in each."""

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.rows.X)

    def blocks(self, rng: Randomness) -> Iterator[TrainingRows]:
        """Give some rows at a time, and note their order."""
        starts = rng.permutation(np.arange(0, self.count, self.size)).tolist()
        self.passes.append(starts)
        for start in starts:
            yield self.rows.part(np.arange(start, min(self.count, start + self.size)))


def table(kind: str = "numbers") -> TrainingRows:
    """A column of numbers, one of few categories and one of many; a target of numbers or of three classes."""
    rng = np.random.default_rng(0)
    X = np.stack([rng.uniform(-2, 2, ROWS), rng.integers(3, size=ROWS), rng.integers(30, size=ROWS)], axis=1)
    y = np.sin(2 * X[:, :1]) + X[:, 1:2] + X[:, 2:] / 30
    columns = (Column("x"), Column("few", ("a", "b", "c")), Column("many", tuple(map(str, range(30)))))
    rows = TrainingRows(columns=columns, targets=("y",), X=X, y=y)
    if kind == "classes":
        return replace(rows, y=tuple(np.array(["low", "mid", "high"])[np.digitize(y[:, 0], (0.5, 1.5))].tolist()))
    return rows


def parted(rows: TrainingRows) -> tuple[TrainingRows, InMemory]:
    """An eighth of the rows is at hand."""
    return rows.part(np.arange(0, ROWS, 8)), InMemory(rows.part(np.flatnonzero(np.arange(ROWS) % 8)))


def r2(model: Model) -> float:
    return model.report.metrics["validation"]["r2"] or 0.0


@pytest.mark.parametrize("members", [1, 3])
def test_what_comes_block_by_block_is_learnt(members: int) -> None:
    """As well as if it were at hand; the rows at hand judge, and are not learnt."""
    asked = recipe(hidden=(32,), optimizer="adam", epochs=40, members=members, batch_size=64)
    at_hand, more = parted(table())

    model = learn(at_hand, asked, more=more)

    report, (found, plain) = model.report, (r2(each) for each in (model, learn(table(), asked)))
    assert (report.rows, report.rows_held_out, report.epochs) == (ROWS, ROWS // 8, 40)
    assert found > plain - 0.05 > 0.9
    assert set(report.metrics) == {"validation"}
    assert model.recipe.training.validation == 1 / 8
    assert len(more.passes) == 40
    assert len({tuple(starts) for starts in more.passes}) > 5


def test_what_is_streamed_is_always_learnt_by_steps() -> None:
    """Also where so few rows at hand would be learnt by second derivatives; the blocks are what is learnt."""
    rows = table().part(np.arange(900))
    more = InMemory(rows.part(np.arange(100, 900)))

    model = learn(
        rows.part(np.arange(100)), replace(Recipe(), training=replace(Recipe().training, epochs=2)), more=more
    )

    assert (model.recipe.training.optimizer, len(more.passes)) == ("adam", 2)


def test_counts_below_zero_are_refused_wherever_they_are() -> None:
    """Also in a row that is not at hand."""
    rows = table()
    y = np.abs(np.array(rows.y))
    y[77] = -1.0
    at_hand, more = parted(replace(rows, y=y))

    with pytest.raises(UnsuitableTarget, match="never negative"):
        learn(at_hand, recipe(loss="poisson", epochs=1), more=more)


def test_classes_that_count_alike_are_learnt_too() -> None:
    """With weights and embeddings, by what is chosen for so many rows; the report says how they were judged."""
    rows = table("classes")
    at_hand, more = parted(replace(rows, weights=np.linspace(1, 3, ROWS)))
    training = replace(Recipe().training, class_weight="balanced", epochs=12)

    model = learn(at_hand, replace(Recipe(), training=training), more=more)

    assert model.network.embeddings
    assert (model.report.metrics["validation"]["balanced_accuracy"] or 0) > 0.9
    assert f"{ROWS * 7 // 8} rows, judged by {ROWS // 8} others" in model.report.choice


@pytest.mark.parametrize("changed", [{"batch_size": 2048}, {"batch_size": 2048, "members": 2}])
def test_the_same_rows_give_the_same_bytes_for_any_number_of_threads(changed: dict[str, Any]) -> None:
    """Also where threads encode and learn the shards of a batch at the same time."""
    settings = {"optimizer": "adam", "epochs": 2, **changed}
    models = []
    with ThreadPoolExecutor(2) as two:
        for threads in (None, two):
            at_hand, more = parted(table())
            more.size = 3500
            models.append(learn(at_hand, recipe(**settings), more=more, helpers=Helpers(threads)))

    assert models[0].parameters.tobytes() == models[1].parameters.tobytes()


def test_rows_of_a_block_are_encoded_as_those_at_hand() -> None:
    """One block in one batch takes the same step as the same rows at hand do."""
    rows = table()
    at_hand = rows.part(np.arange(500))
    settings: dict[str, Any] = {
        "optimizer": "gradient_descent",
        "epochs": 1,
        "batch_size": 500,
        "keep_best": False,
        "members": 1,
    }

    streamed = learn(at_hand, recipe(**settings), more=InMemory(at_hand))
    plain = learn(at_hand, recipe(**settings, validation=0.0))

    np.testing.assert_allclose(streamed.parameters, plain.parameters, rtol=1e-4, atol=1e-6)
