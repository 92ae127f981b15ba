"""The metrics as README's table has them, read from the code that defines them."""

from collections.abc import Iterator

from app.telemetry.metrics import METRICS

KINDS = {"mean": "gauge", "earliest": "gauge"}
"""What Prometheus takes ours for, where it has another word."""


def rows() -> Iterator[str]:
    """Write one table row for each metric."""
    for name, metric in METRICS.items():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{name}` | {KINDS.get(metric.kind, metric.kind)} | {labels} | {metric.meaning} |"
