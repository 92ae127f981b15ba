"""A model's key figures, as lines for a person."""

from collections.abc import Iterator, Sequence

from app.client import Model


def figures(model: Model) -> Iterator[str]:
    """Tell a model in a few lines, the first of which is its reference."""
    yield model.reference
    yield from lines([*pairs(model)])


def lines(told: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Put names before what is told of them."""
    width = max(len(name) for name, _ in told)
    for name, value in told:
        yield f"  {name:{width}}  {value}"


def pairs(model: Model) -> Iterator[tuple[str, str]]:
    """Tell names, and what there is to say of them."""
    report, target = model.report, model.target
    yield "task", f"{model.task} of {target if isinstance(target, str) else ', '.join(target)}"
    yield "rows", f"{report.rows:,}, {report.rows_held_out:,} of them held out"
    yield "epochs", f"{report.epochs:,}, ended by: {report.stopped}"
    yield "parameters", f"{report.parameters:,}"
    for rows, metrics in report.metrics.items():
        yield rows, ", ".join(f"{name} {value:.4g}" for name, value in metrics.items() if value is not None)
    yield "choice", report.choice
    if report.search is not None:
        trials, best = report.search["trials"], report.search["best"]
        yield "search", f"{len(trials)} trials by {report.search['metric']}; the best is number {best}"
    for warning in report.warnings:
        yield "warning", warning
