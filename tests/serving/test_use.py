"""Use: what is told of versions is bounded, and what they answered is not lost with it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from app.insight.drift import FEWEST
from app.models.model import Model
from app.serving.use import LONGEST_NAME, MOST_WAITING, Uses
from app.store.store import ModelStore, Stored
from app.telemetry.metrics import MOST_VERSIONS, Figure

ROW = np.array([[4.0, 8.0]])


@pytest.fixture
def stored(store: ModelStore, model: Model) -> Stored:
    stored = store.load("exam", store.publish("exam", model))
    first, second = model.columns
    return replace(stored, model=replace(stored.model, columns=(replace(first, name="a" * 200), second)))


def numbers(figures: Iterator[Figure], metric: str) -> dict[tuple[str, ...], list[float]]:
    return {figure.labels: figure.numbers for figure in figures if figure.metric == metric}


def test_only_those_that_were_asked_lately_are_told_of(stored: Stored) -> None:
    """So many; the rows of all others are in the total, and theirs go on where they were once they are asked again."""
    uses = Uses()
    names = [f"m{number}" for number in range(MOST_VERSIONS + 2)]
    for name in names:
        uses.of(replace(stored, name=name)).add(ROW, [False])
    uses.of(replace(stored, name=names[0])).add(ROW, [True])

    told = numbers(uses.figures(), "netlet_model_rows_total")

    assert {name for name, _ in told} == {names[0], *names[3:]}
    assert told[names[0], "1"] == [2]
    assert numbers(uses.figures(), "netlet_model_rows_out_of_range_total")[names[0], "1"] == [1]
    assert numbers(uses.figures(), "netlet_predicted_rows_total")[()] == [len(names) + 1]


@pytest.mark.parametrize("times", [1, MOST_WAITING - 1, MOST_WAITING, 5 * MOST_WAITING + 1])
def test_nothing_that_waits_to_be_added_up_is_missed(times: int, stored: Stored) -> None:
    """However often it was asked since somebody looked."""
    uses = Uses()
    for _ in range(times):
        uses.of(stored).add(np.concatenate((ROW, ROW)), [True, False])

    assert numbers(uses.figures(), "netlet_model_rows_total") == {("exam", "1"): [2 * times]}
    assert numbers(uses.figures(), "netlet_model_rows_out_of_range_total") == {("exam", "1"): [times]}


def test_a_column_is_told_by_a_name_of_bounded_length(stored: Stored) -> None:
    """And with the weight that its mean has beside those of other workers."""
    uses = Uses()
    for _ in range(FEWEST):
        uses.of(stored).add(ROW, [False])

    drifts = numbers(uses.figures(), "netlet_model_drift")

    assert {labels[2] for labels in drifts} == {"a" * LONGEST_NAME, stored.model.columns[1].name}
    assert {weight for weight, _ in drifts.values()} == {FEWEST}
