"""What happens in a training process: learn, then publish."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.engine.learning import learn
from app.engine.recipe import Recipe
from app.engine.table import TrainingRows
from app.jobs.progress import ProgressNote, ProgressWriter
from app.store.learnt_from import note_model
from app.store.store import ModelStore


@dataclass(frozen=True, kw_only=True)
class Order:
    """One training that was asked for."""

    name: str
    rows: TrainingRows
    recipe: Recipe
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""
    dataset: str | None = None
    """Where the rows are from, if they were kept."""
    notes: tuple[str, ...] = ()
    """What is to be said of the rows, with the warnings of the report."""


@dataclass(frozen=True)
class Workplace:
    """Where trainings compute and publish, and how many threads each may use."""

    root: Path
    device: str = "cpu"
    threads: int = 1


def train_and_publish(order: Order, workplace: Workplace, note: ProgressNote) -> int:
    """Train what was ordered and return the version under which it is now safe in the store."""
    writer = ProgressWriter(note)
    try:
        with ThreadPoolExecutor(workplace.threads) as pool:
            threads = pool if workplace.threads > 1 else None
            model = learn(order.rows, order.recipe, on_epoch=writer, device=workplace.device, threads=threads)
    finally:
        writer.close()
    report = replace(model.report, warnings=(*order.notes, *model.report.warnings))
    told = replace(model, report=report, tags=order.tags, description=order.description, dataset=order.dataset)
    version = ModelStore(workplace.root).publish(order.name, told)
    if order.dataset is not None:
        note_model(workplace.root, order.dataset, f"{order.name}/{version}")
    return version
