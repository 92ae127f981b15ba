"""Continuing: what a training begins with that is no new model, and what it did to the rows that were learnt before."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from app.engine.optimizers import OPTIMIZERS
from app.errors import DatasetNotFound, NetletError
from app.jobs.orders import Beginning
from app.models.learning import Start, loss_on
from app.models.model import Model, OldRows
from app.models.table import UNSEEN, TrainingRows
from app.store import memories, snapshot
from app.store.dataset_files import DatasetFiles
from app.store.document import Damage
from app.tables.cells import count
from app.tables.columns import sources_of
from app.tables.draws import DatasetFile, Draw
from app.tables.ends import Ends
from app.tables.reading import sent_to, training_rows
from app.tables.sent import Sent

if TYPE_CHECKING:  # training processes need no catalogue
    from app.store.store import ModelStore, Stored

OLD_CELLS = 2**21  # of the rows that were learnt before, to tell what became of them


def beginning_of(stored: "Stored", store: "ModelStore") -> Beginning:
    """Take along all of a version that a training on of it needs."""
    memory = memories.find(store.root, stored.name, stored.version, store.remote)
    return Beginning(
        reference=f"{stored.name}/{stored.version}",
        sha256=stored.sha256,
        snapshot=np.frombuffer(snapshot.encode(stored.model), np.uint8),
        memory=None if memory is None else np.frombuffer(memory, np.uint8),
    )


def unknown_levels(rows: TrainingRows) -> Iterator[str]:
    """Say which categories have levels that the model does not know."""
    for column, cells in zip(rows.columns, rows.X.T, strict=True):
        if column.levels and (many := int((cells == UNSEEN).sum())):
            yield (
                f"Column {column.name} has a level that the model does not know in {count(many, 'row')}: "
                "it is learnt there as none of those that it knows."
            )


def begun(beginning: Beginning | None) -> tuple[Start, tuple[str, ...]]:
    """Give where a training begins, and say what is missing of it."""
    if beginning is None:
        return Start(), ()
    model, _ = snapshot.decode(beginning.snapshot.tobytes())
    lost = "it is missing"
    if beginning.memory is not None:
        try:
            return Start(model, memories.decode(beginning.memory.tobytes(), beginning.sha256)), ()
        except Damage as damage:
            lost = str(damage)
    optimizer = OPTIMIZERS.get(str(model.recipe.training.optimizer))
    if optimizer is None or not optimizer.vectors:  # there is nothing to remember
        return Start(model), ()
    message = f"What the optimizer of {beginning.reference} remembered cannot be gone on with: {lost}. It began anew."
    return Start(model), (message,)


def wider(model: Model, ends: Ends) -> Model:
    """Take the ranges of the rows that were learnt now for trained ones, too; a date is still described as at first."""
    encoder, width = model.encoder, len(model.columns)
    low, high = ends.lowest[:width].copy(), ends.highest[:width]
    low[[bool(column.levels) for column in model.columns] & (low == UNSEEN)] = np.nan
    lowest, highest = np.fmin(encoder.lowest, low), np.fmax(encoder.highest, high)
    numbers = {
        column.name: {"lowest": low, "highest": high}
        for column, low, high in zip(model.columns, lowest.tolist(), highest.tolist(), strict=True)
    }
    sources = [
        replace(source, **numbers[source.name]) if isinstance(source.lowest, float) else source
        for source in model.sources
    ]
    return replace(model, encoder=replace(encoder, lowest=lowest, highest=highest), sources=tuple(sources))


def with_old_rows(before: Model, after: Model, datasets: DatasetFiles) -> Model:
    """Tell what a training did to the rows that the model had learnt before, if they are still in their dataset."""
    if before.dataset is None:
        return after
    try:
        rows = _old_rows(before, datasets)
        losses = [loss_on(replace(model, recipe=after.recipe), rows) for model in (before, after)]
    except DatasetNotFound:
        return after
    except NetletError as error:
        warning = f"What became of the rows that were learnt before cannot be told: {error}"
        return replace(after, report=replace(after.report, warnings=(*after.report.warnings, warning)))
    return replace(after, report=replace(after.report, old_rows=OldRows(len(rows.X), *losses)))


def _old_rows(model: Model, datasets: DatasetFiles) -> TrainingRows:
    """Read the rows that a model has learnt, or a sample of as many as memory should hold, without their weights."""
    with datasets.verified(str(model.dataset)) as source:
        file = DatasetFile(source, str(model.dataset))
        everything = Draw.all_of(file, model.recipe.training.seed)
        table = file.read(everything.few(max(1, OLD_CELLS // file.width)))
    known = {*model.targets, *(source.name for source in sources_of(model))}
    table = table.select([name for name in table.columns if name in known])
    return training_rows(sent_to(model, Sent(table=table)), task=model.recipe.task, wants_labels=None)
