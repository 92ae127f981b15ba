"""What happens in a training process: learn, then save."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from app.engine.learning import learn
from app.jobs import orders
from app.jobs.orders import Order
from app.jobs.progress import Note, NoteWriter
from app.store.dataset_files import DatasetFiles
from app.store.saving import Saved, save_aside
from app.tables.blocks import Blocks, widened
from app.tables.ends import Ends


@dataclass(frozen=True)
class Workplace:
    """Where trainings compute and save, and how many threads each may use."""

    root: Path
    device: str = "cpu"
    threads: int = 1


def train_and_save(order: bytes | Path, workplace: Workplace, note: Note) -> Saved:
    """Train what was ordered and save it aside, synced, but not yet a version that anyone can see."""
    return train(orders.decode(order if isinstance(order, bytes) else order.read_bytes()), workplace, note)


def train(order: Order, workplace: Workplace, note: Note) -> Saved:
    """Train, and save as `train_and_save` does."""
    with closing(NoteWriter(note)) as writer, ThreadPoolExecutor(workplace.threads) as pool, ExitStack() as opening:
        threads, more = pool if workplace.threads > 1 else None, None
        if order.plan is not None:
            datasets = DatasetFiles(workplace.root)
            more = Blocks(opening.enter_context(datasets.verified(str(order.dataset))), order.plan)
        model = learn(order.rows, order.recipe, on_epoch=writer, device=workplace.device, threads=threads, more=more)
    if more is not None:
        model, warnings = widened(model), more.notes
    else:
        warnings = tuple(Ends(order.rows).warnings())
    report = replace(model.report, warnings=order.notes + warnings)
    told = replace(model, report=report, tags=order.tags, description=order.description, dataset=order.dataset)
    return save_aside(workplace.root, told)
