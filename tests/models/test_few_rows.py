"""A few rows at a time: the same bits as among many, whatever the arrays held before."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Cells
from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.errors import BadTable
from app.models.few_rows import MOST_KEPT, MOST_SHAPES, FewRows, Room
from app.models.learning import learn
from app.models.model import TILE, Model
from app.models.preprocessing import Scaling
from app.models.recipe import Recipe
from app.models.table import TrainingRows
from tests.models.tables import EXAM, blobs, columns, ensemble, mixed, recipe, saddle, shops, wave


def yes_or_no() -> TrainingRows:
    """Three targets of yes and no."""
    rows = wave(30, outputs=3)
    y = (np.asarray(rows.y) > 50.0) * 1.0
    return replace(rows, y=y, multilabel=True)


def whole() -> TrainingRows:
    """Counts."""
    rows = saddle(40)
    return replace(rows, y=np.rint(np.exp(np.asarray(rows.y))))


def quick(rows: TrainingRows, *, hidden: tuple[int, ...] = (5, 4), output: str | None = None, **training: Any) -> Model:
    """Learn for two epochs: weights that have moved, and all that is measured of a table."""
    config = replace(TrainingConfig(optimizer="adam", epochs=2), **training)
    return learn(rows, Recipe(network=Architecture(hidden=hidden, output_activation=output), training=config))


MADE: dict[str, Any] = {
    "one target": lambda: learn(EXAM, recipe(epochs=2)),
    "a linear model": lambda: quick(wave(30), hidden=()),
    "no bias": lambda: learn(
        wave(30), Recipe(network=Architecture(bias=False, hidden=(7,)), training=TrainingConfig(optimizer="lbfgs"))
    ),
    "several targets": lambda: quick(wave(30, outputs=3)),
    "many targets": lambda: quick(wave(30, outputs=40), precision="float32"),
    "two classes, one output": lambda: quick(blobs(2), output="sigmoid"),
    "two classes, one output, members": lambda: quick(blobs(2), output="sigmoid", members=5),
    "two classes, one output, members, float32": lambda: quick(
        blobs(2), output="sigmoid", members=5, precision="float32"
    ),
    "two classes, two outputs": lambda: quick(blobs(2), output="softmax"),
    "several classes": lambda: quick(blobs(5)),
    "several classes, members, float32": lambda: quick(blobs(5), members=3, precision="float32"),
    "yes or no": lambda: quick(yes_or_no()),
    "yes or no, members, float32": lambda: quick(yes_or_no(), members=3, precision="float32"),
    "members": lambda: quick(wave(40), members=8),
    "members, float32": lambda: quick(wave(40, outputs=2), members=8, precision="float32"),
    "a variance beside": lambda: quick(wave(40, outputs=2), loss="gaussian_nll", members=2),
    "a quantile": lambda: quick(wave(40), loss="quantile"),
    "counts": lambda: quick(whole(), loss="poisson", output="exponential"),
    "clip, bins and members": lambda: learn(saddle(60), ensemble()),
    "clip alone": lambda: learn(saddle(60), recipe(epochs=2, scaling=Scaling(features="standard", clip=2.0))),
    "bins alone": lambda: learn(saddle(60), recipe(epochs=2, scaling=Scaling(features="minmax", bins=5))),
    "categories and gaps": lambda: learn(mixed(), recipe(epochs=2)),
    "categories, gaps, bins": lambda: learn(mixed(), replace(ensemble(), scaling=Scaling(bins=4, clip=1.0))),
    "shops": lambda: learn(shops(), recipe(epochs=2)),
    "chosen for the table": lambda: learn(saddle(40), Recipe(training=TrainingConfig(epochs=3))),
}


def rows_for(model: Model, count: int) -> Cells:
    """Draw rows, some of them outside of what was learnt, one far away where that does not overflow."""
    rng = np.random.default_rng(count)
    low, high = model.encoder.lowest, model.encoder.highest
    X: Cells = low + (high - low) * rng.uniform(-0.5, 1.5, (count, len(low)))
    for place, column in enumerate(model.columns):
        if column.levels:
            X[:, place] = rng.integers(0, len(column.levels), count)
    if model.encoder.only_numbers and model.network.output != "exponential":
        X[0] *= 1e30
    return X


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.mark.parametrize("name", MADE)
def test_a_few_rows_are_answered_with_the_bits_of_all(name: str, room: Room) -> None:
    """1 to 8 of them, in any order, whatever was answered before."""
    model = MADE[name]()
    assert FewRows.fits(model)
    few_rows, rng = FewRows(model, room), np.random.default_rng(0)
    X = rows_for(model, 40)
    expected = model.scores(X)

    for count in [*range(1, TILE + 1)] * 6:
        chosen = rng.integers(0, len(X), count)
        scores = few_rows.scores(X[chosen])
        assert scores is not None
        assert scores.dtype == np.float64
        assert scores.shape == expected[chosen].shape
        assert scores.tobytes() == expected[chosen].tobytes(), chosen


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_leaves_the_same_bits(activation: str, members: int, precision: str, room: Room) -> None:
    """In the hidden layers and at the end, for sizes that vector instructions do not divide."""
    config = TrainingConfig(optimizer="adam", epochs=1, members=members, precision=precision)
    network = Architecture(hidden=(9, 13), activation=activation, output_activation="identity")
    learnt = learn(wave(20, outputs=3), Recipe(network=network, training=config))
    X = rows_for(learnt, 30)
    for output in ("identity", activation):
        model = replace(learnt, network=replace(learnt.network, output=output))
        expected = finite_scores(model, X)
        few_rows = FewRows(model, room)
        for start in range(len(X) - TILE):
            for count in (1, 3, TILE):
                rows = slice(start, start + count)
                assert told(few_rows, X[rows]) == joined(expected[rows]), (output, rows)


def finite_scores(model: Model, X: Cells) -> list[bytes | None]:
    """Answer each row alone in the general way; None where it overflows."""
    answers: list[bytes | None] = []
    for row in X:
        try:
            answers.append(model.scores(row[np.newaxis]).tobytes())
        except BadTable:
            answers.append(None)
    return answers


def joined(answers: list[bytes | None]) -> bytes | None:
    found = [answer for answer in answers if answer is not None]
    return b"".join(found) if len(found) == len(answers) else None


def told(few_rows: FewRows, X: Cells) -> bytes | None:
    scores = few_rows.scores(X)
    return None if scores is None else scores.tobytes()


def test_models_of_one_shape_share_a_room(room: Room) -> None:
    """Asked by turns, each answers as if it were alone; one of another shape, in other arrays, changes nothing."""
    models = [quick(wave(30, outputs=2), members=2, seed=seed) for seed in range(3)]
    models += [quick(blobs(3)), quick(wave(30, outputs=2), members=2, precision="float32")]
    few = [FewRows(model, room) for model in models]
    X = wave(30).X
    expected = [model.scores(X) for model in models]
    rng = np.random.default_rng(1)

    assert few[0].inputs is few[1].inputs is few[2].inputs
    assert len(room.known) == 3
    for turn in rng.integers(0, len(models), 300):
        chosen = rng.integers(0, len(X), rng.integers(1, TILE + 1))
        assert told(few[turn], X[chosen]) == expected[turn][chosen].tobytes()


def test_answers_are_their_own(room: Room) -> None:
    """What was answered stays as it was when other rows are answered in the same arrays."""
    model = quick(wave(30, outputs=2))
    few_rows, X = FewRows(model, room), wave(30).X
    first = few_rows.scores(X[:3])
    assert first is not None
    before = first.tobytes()

    few_rows.scores(X[10:18])

    assert first.tobytes() == before


@pytest.mark.parametrize("members", [1, 2])
def test_an_answer_that_overflows_is_none(members: int, room: Room) -> None:
    """For all the rows that were asked for with it; what comes after it has the bits that it always has."""
    model = learn(wave(30), recipe(epochs=1, members=members))
    model = replace(model, network=replace(model.network, hidden="exponential"))
    few_rows, X = FewRows(model, room), wave(30).X
    far = np.full((1, 2), 1e99)
    expected = model.scores(X[:TILE]).tobytes()
    with pytest.raises(BadTable):
        model.scores(far)

    for place in range(TILE):
        rows = X[:TILE].copy()
        rows[place] = far
        assert few_rows.scores(far) is None
        assert few_rows.scores(rows) is None
        assert told(few_rows, X[: place + 1]) == model.scores(X[: place + 1]).tobytes()
    assert told(few_rows, X[:TILE]) == expected


def test_a_row_beside_one_that_overflows_keeps_its_bits(room: Room) -> None:
    """Infinities and what is no number, left in the arrays below, are not multiplied into other rows."""
    model = learn(wave(30), recipe(epochs=1, precision="float32", members=3))
    model = replace(model, network=replace(model.network, hidden="exponential"))
    few_rows, X = FewRows(model, room), wave(30).X
    expected = model.scores(X)

    assert few_rows.scores(np.full((TILE, 2), 1e99)) is None

    for row in range(len(X)):
        assert told(few_rows, X[[row]]) == expected[[row]].tobytes()
        few_rows.scores(np.full((TILE, 2), (-1e100, 1e100)[row % 2]))


def test_models_that_are_large_or_look_codes_up_do_not_fit() -> None:
    """The arrays, with scratch beside them, hold at most so many numbers."""
    small, embedded = quick(wave(30)), learn(shops(60, levels=30), recipe(epochs=1))
    units = MOST_KEPT // (2 * TILE) - 3  # beside two inputs and an output
    most = replace(small, network=replace(small.network, sizes=(2, units, 1)))
    more = replace(small, network=replace(small.network, sizes=(2, units + 1, 1)))
    two = replace(most, parameters=np.zeros((2, 1)))

    assert embedded.network.embeddings
    assert [FewRows.fits(model) for model in (small, embedded, most, more, two)] == [True, False, True, False, False]


def test_a_room_keeps_a_bounded_number_of_shapes(room: Room) -> None:
    """Whoever has arrays that are no longer kept goes on with them."""
    model = quick(wave(30))
    few_rows, X = FewRows(model, room), wave(30).X
    expected = told(few_rows, X[:5])

    for units in range(2 * MOST_SHAPES):
        room.arrays((1, units + 1, 1), 1, np.dtype(np.float64))
        assert len(room.known) <= MOST_SHAPES

    assert told(few_rows, X[:5]) == expected
    assert told(FewRows(model, room), X[:5]) == expected


def test_a_column_that_is_named_alone_is_a_tile_of_its_own(room: Room) -> None:
    """One input and one output: the narrowest products there are."""
    rng = np.random.default_rng(2)
    rows = TrainingRows(columns("a"), ("y",), rng.uniform(-1, 1, (30, 1)), rng.uniform(-1, 1, (30, 1)))
    for hidden in ((), (1,), (64,)):
        for members in (1, 4):
            model = quick(rows, hidden=hidden, members=members)
            expected = model.scores(rows.X)
            few_rows = FewRows(model, room)
            for count in range(1, TILE + 1):
                assert told(few_rows, rows.X[:count]) == expected[:count].tobytes()
