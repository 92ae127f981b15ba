"""Tables just large enough to be judged by rows that were held out."""

from dataclasses import replace

import pytest

from app.engine.network import Architecture
from app.models.defaults import Problem, candidates, rows_held_out
from app.models.learning import learn
from app.models.recipe import Recipe
from app.solvers.levenberg_marquardt import FEW_ROWS
from tests.models.tables import blobs, wave


@pytest.mark.parametrize("rows", [10, 13, 17, 40])
def test_from_ten_rows_on_every_member_is_judged(rows: int) -> None:
    """There are no more members than rows, so that each holds one out."""
    assert rows >= FEW_ROWS
    for option in candidates(Recipe(), Problem(rows=rows, inputs=2, targets=1)):
        training = option.recipe.training
        assert training.members is not None
        assert training.members * rows_held_out(rows, training.validation or 0.0) >= training.members


def test_ten_rows_are_learnt_and_judged() -> None:
    """Numbers and classes, with metrics of rows not seen."""
    numbers = learn(wave(10), Recipe()).report
    table = blobs(2)
    labels = learn(replace(table, X=table.X[:12], y=table.y[:12]), Recipe()).report

    assert numbers.rows_held_out >= 8
    assert labels.rows_held_out == 12
    assert labels.metrics["validation"]["accuracy"] == 1.0


def test_a_large_network_is_not_weighed_weight_by_weight() -> None:
    """Second derivatives of many weights are not affordable, so only steps by gradients are tried."""
    large = Recipe(network=Architecture(hidden=(300, 300)))

    tried = [option.recipe.training.optimizer for option in candidates(large, Problem(rows=200, inputs=2, targets=1))]

    assert tried == ["adam"]
