"""Large batches, cut into shards: the same loss and gradient, whoever works them out."""

from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest

from app.engine.arrays import Array
from app.engine.backpropagation import Backpropagation, Batch
from app.engine.losses import LOSSES
from app.engine.network import Network
from app.engine.sharding import BLOCK, SHARD, Helpers, Machines, ShardedBackpropagation
from tests.engine.courses import truths

ROWS = 2 * SHARD + 300
SPAWNED = get_context("spawn")
"""How processes begin that have nothing to do with those that trainings have."""
NETWORK = Network((3, 5, 4, 2), "silu", "identity", bias=True)


def drawn(loss: str, network: Network) -> tuple[Array, Batch, list[Array]]:
    """Draw parameters, a large batch and masks of dropout for two members."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((2, ROWS, 3)), truths(loss, (2, ROWS), 2, rng)
    masks = [1.25 * (rng.uniform(size=(2, ROWS, units)) > 0.2) for units in (5, 4)]
    return rng.standard_normal((2, network.size)), Batch(X, y, rng.uniform(0, 2, (2, ROWS, 1))), masks


def part_of(batch: Batch, part: slice) -> Batch:
    return Batch(batch.X[:, part], batch.y[:, part], None if batch.weights is None else batch.weights[:, part])


def shards_of(parameters: Array, gradient: Array) -> ShardedBackpropagation:
    return ShardedBackpropagation(Backpropagation(NETWORK, LOSSES["mse"], parameters, gradient))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_large_batch_is_worth_what_it_is_in_one_piece(loss: str) -> None:
    """With weights, masks, a penalty and an uneven last shard, whether the loss is a mean or a sum."""
    network = replace(NETWORK, sizes=(3, 5, 4, 2 * LOSSES[loss].outputs), output=LOSSES[loss].paired_with or "tanh")
    parameters, batch, masks = drawn(loss, network)
    whole, sharded = np.empty((2, *parameters.shape))

    value = Backpropagation(network, LOSSES[loss], parameters, whole, l2=0.3)(*batch, masks)
    shards = ShardedBackpropagation(Backpropagation(network, LOSSES[loss], parameters, sharded, l2=0.3))
    summed = shards(lambda part: part_of(batch, part), ROWS, masks)

    np.testing.assert_allclose(summed, value, rtol=1e-12)
    np.testing.assert_allclose(sharded, whole, rtol=1e-9, atol=1e-9 * np.abs(whole).max())


def test_threads_change_no_bit() -> None:
    """None, one or two of them give the same bytes, batch after batch of any size."""
    parameters, batch, _ = drawn("mse", NETWORK)

    def bytes_with(threads: Executor | None) -> list[bytes]:
        gradient = np.empty_like(parameters)
        whole = Backpropagation(NETWORK, LOSSES["mse"], parameters, gradient, l2=0.1)
        shards = ShardedBackpropagation(whole, Helpers(threads))
        found = []
        for rows in (ROWS, 100, 2 * SHARD, ROWS):
            value = shards(lambda part, rows=rows: part_of(part_of(batch, slice(rows)), part), rows)  # type: ignore[misc]
            found.append(value.tobytes() + gradient.tobytes())
        return found

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        assert bytes_with(None) == bytes_with(one) == bytes_with(two)


@pytest.mark.parametrize("loss", ["mse", "quantile", "binary_cross_entropy"])
def test_machines_change_no_bit(loss: str) -> None:
    """Processes that know nothing of each other, none, one or two beside this one, with threads of their own."""
    network = replace(NETWORK, sizes=(3, 5, 4, 2 * LOSSES[loss].outputs), output=LOSSES[loss].paired_with or "tanh")
    rng, rows = np.random.default_rng(2), (2 * BLOCK + 3) * SHARD + 70
    X, y = rng.standard_normal((2, rows, 3)), truths(loss, (2, rows), 2, rng)
    batch = Batch(X, y, rng.uniform(0, 2, (2, rows, 1)))
    masks = [1.25 * (rng.uniform(size=(2, rows, units)) > 0.2) for units in (5, 4)]
    parameters = rng.standard_normal((2, network.size))

    def bytes_with(helpers: Helpers) -> bytes:
        gradient = np.empty_like(parameters)
        known = replace(LOSSES[loss], level=0.9)
        shards = ShardedBackpropagation(Backpropagation(network, known, parameters, gradient, l2=0.1), helpers)
        value = shards(lambda part: part_of(batch, part), rows, masks)
        return value.tobytes() + gradient.tobytes()

    alone = bytes_with(Helpers())
    with ProcessPoolExecutor(2, SPAWNED) as pool, ThreadPoolExecutor(1) as other:
        for machines in (
            Machines(pool, 1),
            Machines(pool, 2, threads=2),
            Machines(other, 1),
            Machines(other, 1, threads=2),
        ):
            assert bytes_with(Helpers(other, machines)) == alone


def test_the_gradient_that_machines_sum_is_that_of_one_piece() -> None:
    """To 1e-6 of its length, and the loss to 1e-12: it is only summed in another order."""
    rows = 2 * BLOCK * SHARD + 1
    rng = np.random.default_rng(3)
    batch = Batch(rng.standard_normal((2, rows, 3)), rng.standard_normal((2, rows, 2)), None)
    parameters = rng.standard_normal((2, NETWORK.size))
    whole, summed = np.empty((2, *parameters.shape))

    with ProcessPoolExecutor(1, SPAWNED) as pool:
        helpers = Helpers(None, Machines(pool, 1))
        shards = ShardedBackpropagation(Backpropagation(NETWORK, LOSSES["mse"], parameters, summed), helpers)
        value = shards(lambda part: part_of(batch, part), rows)
    expected = Backpropagation(NETWORK, LOSSES["mse"], parameters, whole)(*batch)

    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(summed, whole, rtol=0.0, atol=1e-6 * np.abs(whole).max())


@pytest.mark.parametrize("rows", [2 * SHARD - 1, 2 * SHARD])
def test_shards_begin_where_there_are_two(rows: int) -> None:
    """A batch that is smaller is one piece of work, to the last bit."""
    parameters, batch, _ = drawn("mse", NETWORK)
    taken: list[slice] = []
    whole, sharded = np.empty((2, *parameters.shape))

    def take(part: slice) -> Batch:
        taken.append(part)
        return part_of(part_of(batch, slice(rows)), part)

    shards_of(parameters, sharded)(take, rows)
    Backpropagation(NETWORK, LOSSES["mse"], parameters, whole)(*part_of(batch, slice(rows)))

    assert len(taken) == rows // SHARD
    assert (sharded.tobytes() == whole.tobytes()) == (rows < 2 * SHARD)


def test_smaller_batches_after_larger_ones_leave_no_trace() -> None:
    """What a larger batch's shards wrote is not summed again."""
    parameters, batch, _ = drawn("mse", NETWORK)
    used, fresh = np.empty((2, *parameters.shape))
    again = shards_of(parameters, used)

    again(lambda part: part_of(batch, part), ROWS)
    again(lambda part: part_of(part_of(batch, slice(2 * SHARD)), part), 2 * SHARD)
    shards_of(parameters, fresh)(lambda part: part_of(batch, part), 2 * SHARD)

    assert used.tobytes() == fresh.tobytes()


def test_workers_are_kept_from_shard_to_shard() -> None:
    """One thread has room for one worker, however many shards and batches there are."""
    parameters, batch, _ = drawn("mse", NETWORK)
    shards = shards_of(parameters, np.empty_like(parameters))

    for _ in range(2):
        shards(lambda part: part_of(batch, part), ROWS)

    assert shards.idle.qsize() == 1
