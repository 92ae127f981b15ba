"""Metrics: all that there are, each a row of a table, and how the numbers of several processes become one."""

from collections import Counter
from collections.abc import Callable, Iterable
from math import inf
from typing import NamedTuple

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)
LONGER = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)

MOST_VERSIONS = 100  # that a process tells of: those that were asked lately


class Kind(NamedTuple):
    """How a metric behaves."""

    is_kept: bool
    """Whether what a process had counted still counts once that has ended."""
    joined: Callable[[list[float]], float] = sum
    """What becomes of the numbers of several processes."""


KINDS = {
    "counter": Kind(is_kept=True),
    "histogram": Kind(is_kept=True),
    "gauge": Kind(is_kept=False),
    "mean": Kind(is_kept=False),  # of a weight, and that times the value
    "earliest": Kind(is_kept=False, joined=min),
}


class Metric(NamedTuple):
    """One metric: what it is called is its key in the table."""

    kind: str
    meaning: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """Of the buckets of a histogram."""
    most_kept: float = inf
    """Of how many values of its labels what a process had counted still counts: those that it told first."""


class Figure(NamedTuple):
    """What a metric is, for some values of its labels.

    Its numbers are one; of a mean, two; of a histogram, the sum and what is in each bucket, in none of the smaller.
    """

    metric: str
    labels: tuple[str, ...]
    numbers: list[float]


METRICS: dict[str, Metric] = {
    "netlet_requests_total": Metric("counter", "requests that were answered", labels=("route", "method", "status")),
    "netlet_request_seconds": Metric(
        "histogram",
        "how long they took, from their head to the beginning of their answer",
        ("route", "method"),
        SECONDS,
    ),
    "netlet_predicted_rows_total": Metric("counter", "rows that were answered"),
    "netlet_model_rows_total": Metric(
        "counter",
        f"those of each of the {MOST_VERSIONS} versions that were asked lately",
        ("model", "version"),
        most_kept=MOST_VERSIONS,
    ),
    "netlet_model_rows_out_of_range_total": Metric(
        "counter",
        "rows of which a column lies outside what was trained on",
        ("model", "version"),
        most_kept=MOST_VERSIONS,
    ),
    "netlet_model_drift": Metric(
        "mean",
        "how far the mean of a column's recent values is from that of a sample of the rows that were learnt from, in"
        " deviations of these; of the three columns that are farthest off",
        ("model", "version", "column"),
    ),
    "netlet_loaded_models": Metric("gauge", "versions that are kept loaded"),
    "netlet_loaded_bytes": Metric("gauge", "bytes of their snapshots"),
    "netlet_cache_hits_total": Metric("counter", "how often a version was asked for that was loaded"),
    "netlet_cache_misses_total": Metric("counter", "how often one was not"),
    "netlet_cache_evictions_total": Metric("counter", "versions that had to make room for others"),
    "netlet_jobs": Metric("gauge", "trainings in each state; those that are queued wait for their turn", ("state",)),
    "netlet_trainings_total": Metric("counter", "trainings that came to an end, and to which", ("outcome",)),
    "netlet_training_seconds": Metric("histogram", "how long those took, from their beginning", bounds=LONGER),
    "netlet_training_epochs_total": Metric("counter", "epochs that were learnt, also by trainings that are under way"),
    "netlet_training_rows_total": Metric("counter", "rows that were learnt from, in each epoch once"),
    "netlet_ready": Metric("gauge", "1 where GET /readyz would say so, else 0"),
    "netlet_store_free_bytes": Metric("gauge", "bytes that are free on the disk of the store"),
    "process_cpu_seconds_total": Metric("counter", "processor time of the processes that answer"),
    "process_resident_memory_bytes": Metric("gauge", "memory of these, what they share counted for each"),
    "process_open_fds": Metric("gauge", "files and connections that they have open"),
    "process_max_fds": Metric("gauge", "the most that they may have"),
    "process_start_time_seconds": Metric("earliest", "when the first of them began, in seconds since 1970"),
    "netlet_build_info": Metric("gauge", "1, and what runs here", ("version", "python")),
}


def joined(figures: Iterable[Figure]) -> list[Figure]:
    """Make one figure of all that have the same metric and labels."""
    found: dict[tuple[str, tuple[str, ...]], list[list[float]]] = {}
    for metric, labels, numbers in figures:
        found.setdefault((metric, labels), []).append(numbers)
    return [
        Figure(metric, labels, [KINDS[METRICS[metric].kind].joined([*each]) for each in zip(*told, strict=True)])
        for (metric, labels), told in found.items()
    ]


def kept(figures: Iterable[Figure]) -> list[Figure]:
    """Leave out what is true only of a process that runs, and all but so many of what there could be ever more of."""
    told: Counter[str] = Counter()
    left = []
    for figure in figures:
        metric = METRICS[figure.metric]
        told[figure.metric] += 1
        if KINDS[metric.kind].is_kept and told[figure.metric] <= metric.most_kept:
            left.append(figure)
    return left
