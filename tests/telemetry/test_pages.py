"""Pages: what a worker has counted outlives it, and is never read half written."""

import asyncio
import os
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from app.telemetry.account import Account
from app.telemetry.metrics import METRICS, MOST_VERSIONS, Figure, Metric
from app.telemetry.pages import HALF, HEAD, Pages, new_pages
from tests.conftest import wait_until

COUNTED = Figure("netlet_requests_total", ("/livez", "GET", "200"), [7])
LOADED = Figure("netlet_loaded_models", (), [3])


def test_whoever_comes_next_counts_on() -> None:
    """Counters stay; what was true of the process that is gone does not."""
    file = new_pages()
    first = Pages(file)
    first.write([COUNTED, LOADED])
    first.close()

    second = Pages(file)

    assert (first.taken_over, second.own) == ([], first.own)
    assert second.taken_over == [COUNTED]
    os.close(file)


def test_of_a_page_that_is_half_written_the_last_whole_one_is_read() -> None:
    """Whatever of the newest is missing or wrong, what was told before it counts."""
    file = new_pages()
    pages = Pages(file)
    for count in (5, 6):
        pages.write([COUNTED._replace(numbers=[count])])
    newest = pages.written % 2 * HALF
    assert Pages(file).taken_over == [COUNTED._replace(numbers=[6])]

    os.pwrite(file, b"!", newest + HEAD.size + 3)
    assert Pages(file).taken_over == [COUNTED._replace(numbers=[5])]

    later = Pages(file)
    later.write([COUNTED])
    assert Pages(file).taken_over == [COUNTED]
    os.close(file)


def account_on(file: int, *sources: Callable[[], Iterable[Figure]]) -> Account:
    """Give the account of a worker that inherits the file."""
    account = Account(*sources)
    account.pages = Pages(file)
    return account


def test_of_another_release_only_metrics_count_that_are_the_same() -> None:
    """One that is gone, labels or buckets that are others: whoever takes the page over, or reads it, does without."""
    before = METRICS | {
        "netlet_gone_total": Metric("counter", "what nobody counts any more"),
        "netlet_jobs": METRICS["netlet_jobs"]._replace(labels=("state", "model")),
        "netlet_training_seconds": METRICS["netlet_training_seconds"]._replace(bounds=(1.0,)),
        "netlet_trainings_total": METRICS["netlet_trainings_total"]._replace(labels=("result",)),
    }
    file = new_pages()
    old = [Pages(file, before) for _ in range(2)]
    old[1].own = 1  # locks are a process's: two pages of this one
    for pages in old:
        pages.write(
            [
                COUNTED,
                Figure("netlet_gone_total", (), [1]),
                Figure("netlet_jobs", ("queued", "exam"), [1]),
                Figure("netlet_training_seconds", (), [1, 2, 3]),
                Figure("netlet_trainings_total", ("failed",), [1]),
            ]
        )

    new = account_on(file)

    assert new.pages is not None
    assert new.pages.taken_over == [*new.pages.others()] == [COUNTED]
    told = {figure.metric: figure for figure in new.everything()}
    assert told[COUNTED.metric].numbers == [14]
    assert not {"netlet_gone_total", "netlet_training_seconds"} & told.keys()
    new.pages.write([COUNTED, Figure("netlet_training_seconds", (), [1] * 15)])
    assert [*old[1].others()] == [COUNTED]
    os.close(file)


def test_versions_do_not_pile_up_however_often_a_worker_is_replaced() -> None:
    """Each is asked for one version that all are, and others than the last: the page has those of two of them."""
    file = new_pages()

    def asked(worker: int) -> list[Figure]:
        names = ["always", *(f"m{worker}-{number}" for number in range(MOST_VERSIONS - 1))]
        metrics = "netlet_model_rows_total", "netlet_model_rows_out_of_range_total"
        return [Figure(metric, (name, "1"), [1]) for name in names for metric in metrics]

    for worker in range(5):
        account = account_on(file, partial(asked, worker))
        assert account.pages is not None
        account.pages.write(account.own())
        account.pages.close()

    for metric in ("netlet_model_rows_total", "netlet_model_rows_out_of_range_total"):
        told = {figure.labels[0]: figure.numbers for figure in account.own() if figure.metric == metric}
        left = {figure.labels[0] for figure in Pages(file).taken_over if figure.metric == metric}
        assert told["always"] == [5]
        assert {name.partition("-")[0] for name in told} == {"always", "m3", "m4"}
        assert {name.partition("-")[0] for name in left} == {"always", "m4"}
    os.close(file)


async def test_what_cannot_be_told_is_told_as_soon_as_it_can(caplog: pytest.LogCaptureFixture) -> None:
    """More than there is room for: the log says so once each time, what was told before stays, and nothing fails."""
    file, asked = new_pages(), 0
    told = COUNTED

    def source() -> list[Figure]:
        nonlocal asked
        asked += 1
        return [told]

    account = account_on(file, source)

    async def until(true: Callable[[], bool]) -> None:
        await asyncio.to_thread(wait_until, true)

    def told_last() -> list[Figure]:
        return [figure for figure in Pages(file).taken_over if figure.metric == COUNTED.metric]

    async with account.kept():
        await until(lambda: told_last() == [COUNTED])
        told, already = COUNTED._replace(labels=("/" * 2 * HALF, "GET", "200")), asked
        await until(lambda: asked >= already + 3)
        assert told_last() == [COUNTED]
        assert len(caplog.records) == 1

        told = COUNTED._replace(numbers=[8])
        await until(lambda: told_last() == [told])
        told = COUNTED._replace(labels=("/" * 2 * HALF, "GET", "200"))

    assert len(caplog.records) == 2
    os.close(file)
