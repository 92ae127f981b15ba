"""Searches that tests begin, and what they see and come to."""

import numpy as np

from app.engine.control import Control
from app.jobs import orders
from app.jobs.orders import Order
from app.jobs.progress import Note
from app.jobs.searching import Attempt, Searching
from app.jobs.work import Workplace, train_and_save
from app.models.learning import apart, learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.search import Dimension, Search
from app.models.table import TrainingRows
from app.store import snapshot
from app.store.layout import INCOMING
from app.store.store import ModelStore
from tests.models.tables import recipe, wave

ROWS = wave(120, noise=0.3)
HOW = recipe(epochs=18, batch_size=16)
WAY = (
    Dimension(setting="learning_rate", low=1e-4, high=0.3, log=True),
    Dimension(setting="hidden", choices=("[]", "[4]", "[16]")),
    Dimension(setting="batch_size", low=8, high=32),
)
SEARCH = Search(metric="rmse", ways=(WAY,), trials=12)
ORDER = Order(name="exam", rows=ROWS, recipe=HOW, search=SEARCH)


def trained(store: ModelStore, order: Order = ORDER, note: str = "a-1.note") -> Model:
    saved = train_and_save(orders.encode(order), Workplace(store.root), Note(store.root / note))
    return snapshot.decode((store.root / INCOMING / saved.aside).read_bytes())[0]


def seen_of(rows: TrainingRows) -> TrainingRows:
    return rows.part(np.setdiff1d(np.arange(len(rows.X)), apart(rows, 0)))


def searching(search: Search = SEARCH, how: Recipe = HOW, **others: object) -> Searching:
    def one(attempt: Attempt) -> Model:
        return learn(attempt.rows, attempt.recipe, control=Control(on_epoch=attempt.watch))

    usual = {"learn": one, "keeps": lambda: False, "clock": lambda: 0.0, "note": lambda _trials: None}
    given: dict[str, object] = {"search": search, "recipe": how, "rows": seen_of(ROWS)} | usual | others
    return Searching(**given)  # type: ignore[arg-type]
