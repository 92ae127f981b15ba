"""What happens in a training process: learn, then save."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from sys import maxsize
from typing import Any

from app.engine.control import Checkpoint, Control, Wish
from app.engine.learning import learn
from app.engine.model import Model
from app.errors import Cancelled, OrderDamaged
from app.jobs import orders
from app.jobs.checkpoints import Checkpoints
from app.jobs.continuing import begun, wider, with_old_rows
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

    Goes on from the last checkpoint of an earlier attempt; raises Cancelled if that is wished, as the note tells, and
    OrderDamaged.
    """
    data = order if isinstance(order, bytes) else _read(order)
    checkpoints = Checkpoints(note.checkpoints, hashlib.sha256(data).hexdigest(), workplace.checkpoint_seconds)
    return _train(orders.decode(data), workplace, note, checkpoints)


def _read(order: Path) -> bytes:
    try:
        return order.read_bytes()
    except OSError as error:
        raise OrderDamaged from error


def _train(order: Order, workplace: Workplace, note: Note, checkpoints: Checkpoints) -> Saved:
    with closing(NoteWriter(note)) as writer, ThreadPoolExecutor(workplace.threads) as pool, ExitStack() as opening:
        threads, more = pool if workplace.threads > 1 else None, None
        if order.plan is not None:
            datasets = DatasetFiles(workplace.root)
            more = Blocks(opening.enter_context(datasets.verified(str(order.dataset))), order.plan)
        start, lost = begun(order.start)
        resume = checkpoints.load()
        states = _States(checkpoints, writer, 0 if resume is None else resume.epoch)
        control = Control(
            on_epoch=writer,
            wish=lambda: WISHES[writer.wish],
            is_due=states.is_due,
            save=states.save,
            resume=resume,
            most_epochs=order.max_epochs or maxsize,
        )
        writer.hold(states.begun)
        means: dict[str, Any] = {"device": workplace.device, "threads": threads, "more": more}
        model = learn(order.rows, order.recipe, control=control, start=start, **means)
    ends = Ends(order.rows) if more is None else more.ends
    if start.model is None:
        model = model if more is None else widened(model)
        warnings = tuple(ends.warnings()) if more is None else more.notes
    else:
        model = with_old_rows(start.model, wider(model, ends), workplace.root)
        warnings = () if more is None else more.notes
    report = replace(model.report, warnings=model.report.warnings + lost + order.notes + warnings)
    told = replace(model, report=report, tags=order.tags, description=order.description, dataset=order.dataset)
    if order.start is not None:
        told = replace(told, continued_from=order.start.reference)
    return save_aside(workplace.root, told, states.memory_of(model), note.word)


class _States:
    """What a training puts down of its state, on its way for whoever goes on when it is lost, at its end to be kept.

    Where it is paused, it is put down, and waits.
    """

    def __init__(self, checkpoints: Checkpoints, writer: NoteWriter, begun: int) -> None:
        """`begun` epochs were there already when this attempt began; a solver takes them again."""
        self.checkpoints, self.writer, self.begun = checkpoints, writer, begun
        self.is_over = False
        self.last: Checkpoint | None = None

    def is_due(self, stopped: str | None) -> bool:
        """Tell whether to put it down."""
        self.is_over = stopped is not None
        pauses = self.writer.until <= self.writer.epoch > self.begun
        return self.is_over or pauses or self.checkpoints.is_due(stopped)

    def save(self, checkpoint: Checkpoint) -> None:
        """Put it down; raise Cancelled if that is wished while it waits."""
        if self.is_over:
            self.last = checkpoint.memory
            return
        self.checkpoints.save(checkpoint)
        if checkpoint.epoch > self.begun:
            self.writer.hold(checkpoint.epoch)
            if WISHES[self.writer.wish] is Wish.CANCEL:  # a solver would take one more step before it asks
                raise Cancelled

    def memory_of(self, model: Model) -> Checkpoint | None:
        """Give what the optimizer of a model remembers, if there is anything, and if it is not that of another try."""
        if self.last is None or self.last.facts["by"][0] != model.recipe.training.optimizer:
            return None
        return self.last if any(array.size for array in self.last.arrays.values()) else None
