"""What happens in a training process: learn, then publish."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.engine.control import Control
from app.engine.learning import learn
from app.engine.recipe import Recipe
from app.engine.table import TrainingRows
from app.jobs.progress import ProgressNote, ProgressWriter
from app.store.datasets import DatasetStore
from app.store.learnt_from import note_model
from app.store.store import ModelStore
from app.tables.blocks import Blocks, Plan, widened


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
    plan: Plan | None = None
    """What else of the dataset is learnt, where it does not fit into memory."""


@dataclass(frozen=True)
class Workplace:
    """Where trainings compute and publish, and how many threads each may use."""

    root: Path
    device: str = "cpu"
    threads: int = 1


def train_and_publish(order: Order, workplace: Workplace, note: ProgressNote) -> int:
    """Train what was ordered and return the version under which it is now safe in the store."""
    with closing(ProgressWriter(note)) as writer, ThreadPoolExecutor(workplace.threads) as pool, ExitStack() as opening:
        threads, more = pool if workplace.threads > 1 else None, None
        if order.plan is not None:
            datasets = DatasetStore(workplace.root)
            more = Blocks(opening.enter_context(datasets.verified(str(order.dataset))), order.plan)
        control = Control(on_epoch=writer)
        model = learn(order.rows, order.recipe, control=control, device=workplace.device, threads=threads, more=more)
    notes = order.notes
    if more is not None:
        model, notes = widened(model), (*notes, *more.notes)
    report = replace(model.report, warnings=(*notes, *model.report.warnings))
    told = replace(model, report=report, tags=order.tags, description=order.description, dataset=order.dataset)
    version = ModelStore(workplace.root).publish(order.name, told)
    if order.dataset is not None:
        note_model(workplace.root, order.dataset, f"{order.name}/{version}")
    return version
