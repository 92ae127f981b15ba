"""What tests of metrics share: /metrics, read by Prometheus' own parser."""

from prometheus_client.parser import text_string_to_metric_families

Measured = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Measured:
    """Read all samples."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(measured: Measured, name: str, **labels: str) -> float:
    """Add up what a metric is, where its labels are these; 0 where it is not told."""
    return sum(value for (told, has), value in measured.items() if told == name and labels.items() <= dict(has).items())


def labels_of(measured: Measured, name: str, label: str) -> set[str]:
    """List the values of a label."""
    return {dict(has)[label] for told, has in measured if told == name}
