"""What happens in a training process: learn, then save."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from sys import maxsize
from typing import Any, NamedTuple

import numpy as np

from app.engine.arrays import Index
from app.engine.control import Checkpoint, Control, Progress, Wish
from app.engine.sharding import Helpers, Machines
from app.errors import Cancelled, OrderDamaged, ShuttingDown
from app.jobs import orders
from app.jobs.checkpoints import Checkpoints
from app.jobs.continuing import begun, wider, with_old_rows
from app.jobs.grouping import LearntGroups, SavedGroups, learn_some, save_some
from app.jobs.live import LiveWriter
from app.jobs.orders import Order
from app.jobs.progress import CANCEL, LEAVE, Note, NoteWriter
from app.jobs.record import Record
from app.jobs.searching import Attempt, Searching
from app.jobs.sharers import Sharers
from app.jobs.steps import StepWriter
from app.jobs.sweeping import swept
from app.models.learning import Start, apart, learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.search import Search
from app.models.sweep import Sweep
from app.models.table import TrainingRows
from app.store import snapshot
from app.store.borrowing import datasets_at
from app.store.dataset_files import DatasetFiles
from app.store.remote import NOTHING, Address, Remote
from app.store.saving import Saved, save_aside
from app.tables.blocks import Blocks, widened
from app.tables.ends import Ends
from app.telemetry.current import telling

WISHES = {b"\0": Wish.GO_ON, CANCEL: Wish.CANCEL, b"k": Wish.KEEP, LEAVE: Wish.GO_ON}  # to the end of an epoch


@dataclass(frozen=True)
class Workplace:
    """Where trainings compute and save, and how many threads each may use."""

    root: Path
    device: str = "cpu"
    threads: int = 1
    checkpoint_seconds: float = 10.0
    """How long a training goes on before its state is written down again."""
    remote: Remote = NOTHING
    """What is behind that folder."""
    bucket: Address | None = None
    """Where datasets are instead, for who has neither."""
    tells_steps: bool = False
    """Whether what it is doing is written down for the spans of its job."""
    nodes: int = 1
    """Machines that a training with large batches is shared out among."""
    sharers: str | None = None
    """The address at which the others are reached, on the machine that it runs on."""

    @property
    def datasets(self) -> DatasetFiles:
        """The datasets that are learnt from."""
        return DatasetFiles(self.root, self.remote) if self.bucket is None else datasets_at(self.bucket)


def train_and_save(
    order: bytes | Path, workplace: Workplace, note: Note, facts: Mapping[str, str] | None = None
) -> Saved:
    """Train what was ordered and save it aside, synced, but not yet a version that anyone can see; the log has facts.

    Goes on from the last checkpoint of an earlier attempt; raises Cancelled if that is wished, as the note tells,
    ShuttingDown where it was left to whoever comes next, and OrderDamaged.
    """
    learnt = train(order, workplace, note, facts)
    return save(learnt, workplace, note, facts)


def train(order: bytes | Path, workplace: Workplace, note: Note, facts: Mapping[str, str] | None = None) -> "Trained":
    """Do the first half of that."""
    steps = StepWriter(note.steps if workplace.tells_steps else None)
    with telling(**facts or {}):
        with steps.step("read"):
            data = read(order, workplace.remote)
            what = orders.decode(data)
        checkpoints = Checkpoints(
            note.checkpoints, hashlib.sha256(data).hexdigest(), workplace.checkpoint_seconds, workplace.remote
        )
        with steps.step("learn"):
            return _train(what, workplace, note, checkpoints, LiveWriter(note.live))


def save(learnt: "Trained", workplace: Workplace, note: Note, facts: Mapping[str, str] | None = None) -> Saved:
    """Do the second half."""
    steps = StepWriter(note.steps if workplace.tells_steps else None)
    with telling(**facts or {}), steps.step("save"):
        return save_aside(workplace.root, learnt.model, learnt.memory, note.word)


def train_groups_and_save(
    order: bytes | Path, workplace: Workplace, note: Note, facts: Mapping[str, str], group: int
) -> SavedGroups:
    """Do that for some of the groups that were ordered, from one on; what is not saved when it ends is learnt again."""
    learnt = train_groups(order, workplace, note, facts, group)
    with telling(**facts):
        return save_some(learnt, workplace.root, note)


def train_groups(
    order: bytes | Path, workplace: Workplace, note: Note, facts: Mapping[str, str], group: int
) -> LearntGroups:
    """Do the first half of that."""
    steps = StepWriter(note.steps if workplace.tells_steps else None)
    with telling(**facts):
        with steps.step("read"):
            what = orders.decode(read(order, workplace.remote))
        assert what.groups is not None  # noqa: S101 - as its job says
        with steps.step("learn"):
            return learn_some(what, what.groups, note, group)


def read(order: bytes | Path, remote: Remote = NOTHING) -> bytes:
    """Give an order, wherever it is; raise OrderDamaged."""
    try:
        if isinstance(order, bytes):
            return order
        if not order.exists():
            remote.fetch(order)
        return order.read_bytes()
    except OSError as error:
        raise OrderDamaged from error


def retrain(order: bytes, workplace: Workplace, note: Note) -> bytes:
    """Train what was ordered and give its snapshot; nothing is saved."""
    checkpoints = Checkpoints(note.checkpoints, "", seconds=inf)
    return snapshot.encode(_train(orders.decode(order), workplace, note, checkpoints).model)


class Trained(NamedTuple):
    """A model, and what its optimizer remembers."""

    model: Model
    memory: Checkpoint | None


def _train(
    order: Order, workplace: Workplace, note: Note, checkpoints: Checkpoints, live: LiveWriter | None = None
) -> Trained:
    with closing(NoteWriter(note)) as writer, ThreadPoolExecutor(workplace.threads) as pool, ExitStack() as opening:
        threads, more = pool if workplace.threads > 1 else None, None
        if order.plan is not None:
            more = Blocks(opening.enter_context(workplace.datasets.verified(str(order.dataset))), order.plan)
        start, lost = begun(order.start)
        helpers = Helpers(threads, opening.enter_context(_others(workplace)))
        means = {"device": workplace.device, "helpers": helpers, "more": more}
        course = _Course(order, writer, live, note.trials, checkpoints, means)
        model, memory = course.learnt(start)
    ends = Ends(order.rows) if more is None else more.ends
    if start.model is None:
        model = model if more is None else widened(model)
        warnings = tuple(ends.warnings()) if more is None else more.notes
    else:
        model = with_old_rows(start.model, wider(model, ends), workplace.datasets)
        warnings = () if more is None else more.notes
    report = replace(model.report, warnings=model.report.warnings + lost + order.notes + warnings)
    return Trained(_told(replace(model, report=report), order), memory)


@contextmanager
def _others(workplace: Workplace) -> Iterator[Machines | None]:
    """Reach the machines that share in a training, if there are any."""
    if workplace.sharers is None or workplace.device != "cpu":
        yield None
        return
    with Sharers(workplace.sharers) as sharers:
        yield Machines(sharers, workplace.nodes - 1, workplace.threads)


def _told(model: Model, order: Order) -> Model:
    """Say of a model what was ordered."""
    return replace(
        model,
        tags=order.tags,
        description=order.description,
        dataset=order.dataset,
        weight=order.weight,
        kinds=order.kinds,
        continued_from=None if order.start is None else order.start.reference,
    )


def _nobody_watches(_progress: Progress) -> None:
    pass


@dataclass(frozen=True)
class _Run:
    """One training of a job, alone or among others."""

    recipe: Recipe
    rows: TrainingRows
    is_alone: bool = True
    before: int = 0
    """Epochs of those before it."""
    epochs: Callable[[int], int] | None = None
    """Tells how many all of them have, where this one has so many; None for the last."""
    watch: Callable[[Progress], None] = _nobody_watches
    judges: Index | None = None
    """The only rows that may be held out, if not all may."""

    def all_epochs(self, own: int) -> int:
        """Tell how many epochs all of them have, at most."""
        return self.before + own if self.epochs is None else self.epochs(own)


@dataclass(frozen=True)
class _Course:
    """One job's way: what was ordered, whom it tells, and by what means it learns."""

    order: Order
    writer: NoteWriter
    live: LiveWriter | None
    """Shows the network to whoever watches; None where nobody can."""
    board: Path
    """Where the trials of a search are told."""
    checkpoints: Checkpoints
    means: dict[str, Any]

    def learnt(self, start: Start) -> Trained:
        """Learn, once, or for each value of a sweep, or each trial of a search."""
        order = self.order
        if order.sweep is not None:
            return self._swept(order.sweep, start)
        if order.search is not None:
            return self._searched(order.search)
        judges = apart(order.rows, order.recipe.training.seed) if order.searched else None
        model, states = self._learn(_Run(order.recipe, order.rows, judges=judges), start)
        return Trained(model, states.memory_of(model))

    def _swept(self, sweep: Sweep, start: Start) -> Trained:
        all_states: list[_States] = []

        def learn_one(recipe: Recipe, before: int) -> Model:
            run = _Run(recipe, self.order.rows, is_alone=False, before=before, epochs=sweep.epochs)
            model, states = self._learn(run, start)
            all_states.append(states)
            return model

        model, number = swept(sweep, self.order.recipe, learn_one, self._keeps)
        return Trained(model, all_states[number].memory_of(model))

    def _searched(self, search: Search) -> Trained:
        """Try on some of the rows, and learn all of them with the best settings."""
        rows, recipe = self.order.rows, self.order.recipe
        judges = apart(rows, recipe.training.seed)
        record = Record(search, self.checkpoints, self.board, self.writer)
        searching = Searching(
            search=search,
            recipe=recipe,
            rows=rows.part(np.setdiff1d(np.arange(len(rows.X)), judges)),
            learn=self._try,
            keeps=self._keeps,
            clock=record.seconds,
            note=record,
        )
        model, memory = searching.run(record.known), None
        if model is None:
            run = _Run(searching.recipe_of_the_best, rows, is_alone=False, before=searching.epochs, judges=judges)
            model, states = self._learn(run, Start())
            memory = states.memory_of(model)
        return Trained(searching.told(model), memory)

    def _try(self, trial: Attempt) -> Model:
        run = _Run(
            trial.recipe,
            trial.rows,
            is_alone=False,
            before=trial.before,
            epochs=trial.epochs,
            watch=trial.watch,
        )
        return self._learn(run, Start())[0]

    def _keeps(self) -> bool:
        return WISHES[self.writer.wish] is Wish.KEEP

    def _learn(self, run: "_Run", start: Start) -> tuple[Model, "_States"]:
        """Learn. One of several runs begins anew where its job was lost; one that is alone goes on."""
        before, checkpoints = run.before, self.checkpoints if run.is_alone else None
        resume = None if checkpoints is None else checkpoints.load()
        states = _States(checkpoints, self.writer, 0 if resume is None else resume.epoch, before)

        def tell(progress: Progress) -> None:
            self.writer(progress._replace(epoch=before + progress.epoch, epochs=run.all_epochs(progress.epochs)))
            if self.live is not None:
                self.live(self.writer.epoch, now=self.writer.until <= self.writer.epoch)
            run.watch(progress)

        control = Control(
            on_begin=lambda model, parameters: self.live.begin(model, parameters) if self.live else None,
            on_epoch=tell,
            wish=lambda: WISHES[self.writer.wish],
            is_due=states.is_due,
            save=states.save,
            resume=resume,
            most_epochs=self.order.max_epochs or maxsize,
        )
        self.writer.hold(before + states.begun)
        if self.writer.wish == LEAVE:
            raise ShuttingDown
        return learn(run.rows, run.recipe, control=control, start=start, judges=run.judges, **self.means), states


class _States:
    """What a training puts down of its state, on its way for whoever goes on when it is lost, at its end to be kept.

    Where it is paused, it is put down, and waits.
    """

    def __init__(self, checkpoints: Checkpoints | None, writer: NoteWriter, begun: int, before: int) -> None:
        """`begun` epochs were there already when this attempt began; a solver takes them again.

        They are counted from `before`, the epochs of other runs.
        """
        self.checkpoints, self.writer, self.begun, self.before = checkpoints, writer, begun, before
        self.is_over = False
        self.last: Checkpoint | None = None

    def is_due(self, stopped: str | None) -> bool:
        """Tell whether to put it down."""
        self.is_over = stopped is not None
        pauses = self.writer.until <= self.writer.epoch > self.before + self.begun
        leaves = self.writer.wish == LEAVE
        return self.is_over or pauses or leaves or (self.checkpoints is not None and self.checkpoints.is_due(stopped))

    def save(self, checkpoint: Checkpoint) -> None:
        """Put it down; raise Cancelled if that is wished while it waits, ShuttingDown where others are to go on."""
        if self.is_over:
            self.last = checkpoint.memory
            return
        if self.checkpoints is not None:
            self.checkpoints.save(checkpoint)
        if checkpoint.epoch > self.begun:
            self.writer.hold(self.before + checkpoint.epoch)
            if WISHES[self.writer.wish] is Wish.CANCEL:  # a solver would take one more step before it asks
                raise Cancelled
        if self.writer.wish == LEAVE:
            raise ShuttingDown

    def memory_of(self, model: Model) -> Checkpoint | None:
        """Give what the optimizer of a model remembers, if there is anything, and if it is not that of another try."""
        if self.last is None or self.last.facts["by"][0] != model.recipe.training.optimizer:
            return None
        return self.last if any(array.size for array in self.last.arrays.values()) else None
