"""What happens in a training process: learn, then save."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from app.engine.control import Control, Wish
from app.engine.learning import learn
from app.jobs import orders
from app.jobs.checkpoints import Checkpoints
from app.jobs.orders import Order
from app.jobs.progress import Note, NoteWriter
from app.store.dataset_files import DatasetFiles
from app.store.saving import Saved, save_aside
from app.tables.blocks import Blocks, widened
from app.tables.ends import Ends

WISHES = {b"\0": Wish.GO_ON, b"c": Wish.CANCEL, b"k": Wish.KEEP}


@dataclass(frozen=True)
class Workplace:
    """Where trainings compute and save, and how many threads each may use."""

    root: Path
    device: str = "cpu"
    threads: int = 1
    checkpoint_seconds: float = 10.0
    """How long a training goes on before its state is written down again."""


def train_and_save(order: bytes | Path, workplace: Workplace, note: Note) -> Saved:
    """Train what was ordered and save it aside, synced, but not yet a version that anyone can see.

    Goes on from the last checkpoint of an earlier attempt; raises Cancelled if that is wished, as the note tells.
    """
    data = order if isinstance(order, bytes) else order.read_bytes()
    checkpoints = Checkpoints(note.checkpoints, hashlib.sha256(data).hexdigest(), workplace.checkpoint_seconds)
    return _train(orders.decode(data), workplace, note, checkpoints)


def _train(order: Order, workplace: Workplace, note: Note, checkpoints: Checkpoints) -> Saved:
    with closing(NoteWriter(note)) as writer, ThreadPoolExecutor(workplace.threads) as pool, ExitStack() as opening:
        threads, more = pool if workplace.threads > 1 else None, None
        if order.plan is not None:
            datasets = DatasetFiles(workplace.root)
            more = Blocks(opening.enter_context(datasets.verified(str(order.dataset))), order.plan)
        control = Control(
            on_epoch=writer,
            wish=lambda: WISHES[writer.wish],
            is_due=checkpoints.is_due,
            save=checkpoints.save,
            resume=checkpoints.load(),
        )
        model = learn(order.rows, order.recipe, control=control, device=workplace.device, threads=threads, more=more)
    if more is not None:
        model, warnings = widened(model), more.notes
    else:
        warnings = tuple(Ends(order.rows).warnings())
    report = replace(model.report, warnings=model.report.warnings + order.notes + warnings)
    told = replace(model, report=report, tags=order.tags, description=order.description, dataset=order.dataset)
    return save_aside(workplace.root, told, note.word)
