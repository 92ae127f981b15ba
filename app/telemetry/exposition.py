"""Exposition: figures as Prometheus reads them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from app.telemetry.metrics import METRICS, Figure, Metric

OPEN_METRICS = "application/openmetrics-text"


class Exposed(NamedTuple):
    """The body of an answer, and its type."""

    body: bytes
    media_type: str


class _Told(Collector):
    def __init__(self, figures: Iterable[Figure]) -> None:
        self.figures: dict[str, list[Figure]] = {}
        for figure in figures:
            self.figures.setdefault(figure.metric, []).append(figure)

    def collect(self) -> Iterator[Family]:
        for name, metric in METRICS.items():
            if name in self.figures:
                yield FAMILIES[metric.kind](name, metric, self.figures[name])


def exposed(figures: Iterable[Figure], *, is_open: bool) -> Exposed:
    """Write figures as Prometheus has always read them, or as OpenMetrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(figures))
    if is_open:
        return Exposed(
            openmetrics.generate_latest(registry),  # type: ignore[no-untyped-call]  # it has no types
            openmetrics.CONTENT_TYPE_LATEST,
        )
    return Exposed(generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4)


def _counter(name: str, metric: Metric, figures: Sequence[Figure]) -> Family:
    family = CounterMetricFamily(name, _sentence(metric), labels=metric.labels)
    for _, labels, (number,) in figures:
        family.add_metric(labels, number)
    return family


def _gauge(name: str, metric: Metric, figures: Sequence[Figure]) -> Family:
    family = GaugeMetricFamily(name, _sentence(metric), labels=metric.labels)
    for _, labels, (number,) in figures:
        family.add_metric(labels, number)
    return family


def _mean(name: str, metric: Metric, figures: Sequence[Figure]) -> Family:
    family = GaugeMetricFamily(name, _sentence(metric), labels=metric.labels)
    for _, labels, (weight, weighted) in figures:
        family.add_metric(labels, weighted / weight)
    return family


def _histogram(name: str, metric: Metric, figures: Sequence[Figure]) -> Family:
    family = HistogramMetricFamily(name, _sentence(metric), labels=metric.labels)
    bounds = [*map(floatToGoString, metric.bounds), "+Inf"]
    for _, labels, (total, *counts) in figures:
        family.add_metric(labels, [*zip(bounds, accumulate(counts), strict=True)], total)
    return family


FAMILIES = {"counter": _counter, "gauge": _gauge, "earliest": _gauge, "mean": _mean, "histogram": _histogram}


def _sentence(metric: Metric) -> str:
    return f"{metric.meaning[0].upper()}{metric.meaning[1:]}."
