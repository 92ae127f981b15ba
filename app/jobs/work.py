"""What happens in a training process: learn, then publish."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from app.engine.learning import learn
from app.engine.model import TrainingRows
from app.engine.recipe import Recipe
from app.jobs.progress import ProgressNote, ProgressWriter
from app.store.store import ModelStore


@dataclass(frozen=True, kw_only=True)
class Order:
    """One training that was asked for."""

    name: str
    rows: TrainingRows
    recipe: Recipe
    tags: dict[str, str] = field(default_factory=dict)
    description: str = ""


def train_and_publish(order: Order, root: Path, note: ProgressNote) -> int:
    """Train what was ordered and return the version under which it is now safe in the store."""
    writer = ProgressWriter(note)
    try:
        model = learn(order.rows, order.recipe, on_epoch=writer)
    finally:
        writer.close()
    return ModelStore(root).publish(order.name, replace(model, tags=order.tags, description=order.description))
