"""What pictures show is what the model answers, and what its report says."""

from dataclasses import replace

import numpy as np
import pytest

from app.errors import InvalidRequest, NoPicture
from app.insight.explain import middle
from app.insight.trust import intervals
from app.models.learning import learn
from app.models.metrics import calibration_error
from app.models.model import Model
from app.models.pairs import Pairs
from app.pictures.calibration import Coverage, Reliability, calibration
from app.pictures.learning_curve import MOST_POINTS, learning_curve
from app.pictures.picture import Asked
from app.pictures.predicted import MOST_LABELS, OTHERS, Confusion, Predicted, predicted, residuals
from app.pictures.response import response
from app.pictures.surface import surface
from tests.models.tables import EXAM, recipe
from tests.pictures.conftest import go_on

Models = dict[str, Model]


def test_a_learning_curve_is_the_history(models: Models) -> None:
    """Every epoch, both losses, and the epochs whose weights each member kept."""
    model = models["wave"]

    picture = learning_curve(model, Asked())

    assert picture.epochs == list(range(1, 61))
    assert picture.loss == model.history.loss.tolist()
    assert picture.validation_loss == model.history.validation_loss.tolist()
    assert picture.kept_epochs == sorted(model.report.kept_epochs)
    assert "mean of 3 members" in picture.note
    assert learning_curve(models["exam"], Asked()).validation_loss is None


def test_a_long_curve_is_thinned_and_a_steep_one_logarithmic(models: Models) -> None:
    """First and last epoch stay; what falls to a tenth is drawn by its logarithm, what goes below 0 is not."""
    history, curve = models["exam"].history, np.geomspace(1, 1e-3, 5000)

    def curve_of(loss: np.ndarray) -> object:
        return learning_curve(replace(models["exam"], history=replace(history, loss=loss)), Asked())

    steep, below = curve_of(curve), curve_of(curve - 0.5)
    assert len(steep.epochs) == MOST_POINTS  # type: ignore[attr-defined]
    assert (steep.epochs[0], steep.epochs[-1]) == (1, 5000)  # type: ignore[attr-defined]
    assert (steep.logarithmic, below.logarithmic) == (True, False)  # type: ignore[attr-defined]
    with pytest.raises(NoPicture, match="no curve"):
        curve_of(curve[:0])


def test_predicted_are_the_answers_beside_the_truth(models: Models) -> None:
    """Of the target that is asked for; the note says which rows they are of."""
    model = models["two"]

    picture = predicted(model, Asked(answer="y1"))

    assert isinstance(picture, Predicted)
    assert (picture.predicted, picture.true) == (
        model.pairs.answers[:, 1].tolist(),
        model.pairs.truth[:, 1].tolist(),
    )
    assert (picture.unseen, picture.note) == (True, "60 rows that the answering networks had not learnt from")
    learnt = predicted(models["exam"], Asked())
    assert isinstance(learnt, Predicted)
    assert (learnt.unseen, learnt.note) == (False, "3 rows that were learnt from: no row was held out")


def test_classes_are_counted_as_in_the_report(models: Models) -> None:
    """Rows by true and answered label; of yes or no, each target its own."""
    model = models["classes"]
    picture = predicted(model, Asked())
    assert isinstance(picture, Confusion)
    assert (picture.labels, picture.counts) == (list("abcd"), [[*row] for row in model.report.confusion_matrix or ()])

    flags = models["flags"]
    down = predicted(flags, Asked(answer="down"))
    assert isinstance(down, Confusion)
    right = (flags.pairs.answers[:, 1] > 0.5) == (flags.pairs.truth[:, 1] > 0.5)
    assert down.counts[0][0] + down.counts[1][1] == right.sum()
    assert sum(map(sum, down.counts)) == len(flags.pairs)


def test_rare_labels_are_counted_together(models: Models) -> None:
    """No row is lost, and the most frequent ones keep their counts."""
    counts = np.diag(np.arange(40, 0, -1)) + np.eye(40, k=1, dtype=int)
    report = replace(models["classes"].report, confusion_matrix=tuple(map(tuple, counts.tolist())))
    labels = tuple(f"l{number:02}" for number in range(40))

    picture = predicted(replace(models["classes"], labels=labels, report=report), Asked())

    assert isinstance(picture, Confusion)
    assert (len(picture.labels), picture.labels[-1]) == (MOST_LABELS, OTHERS)
    assert np.sum(picture.counts) == counts.sum()
    assert picture.counts[0][:2] == [40, 1]


def test_residuals_are_what_is_left(models: Models) -> None:
    """Truth less answer; margins are those of the intervals."""
    model = models["wave"]

    picture = residuals(model, Asked())

    left = model.pairs.truth[:, 0] - model.pairs.answers[:, 0]
    assert picture.residuals == left.tolist()
    assert picture.margins is not None
    ends = dict(picture.margins)
    knot = float(model.misses.knots[3, 0])
    bound = model.misses.bound(0.9)
    assert bound is not None
    assert ends[knot] == pytest.approx(model.misses.margins(np.array([[knot]]), bound)[0, 0])
    assert residuals(models["exam"], Asked()).margins is None
    with pytest.raises(NoPicture, match="Only numbers have residuals"):
        residuals(models["classes"], Asked())


def test_bins_of_probability_tell_the_calibration_error_of_the_report(models: Models) -> None:
    """Means and frequencies, weighted by rows; every frequency is within what it may be."""
    model = models["classes"]

    picture = calibration(model, Asked())

    assert isinstance(picture, Reliability)
    off = sum(each.rows * abs(each.probability - each.frequency) for each in picture.bins)
    assert off / len(model.pairs) == pytest.approx(model.report.metrics["validation"]["calibration_error"])
    assert all(each.lower <= each.frequency <= each.upper for each in picture.bins)
    own = calibration(model, Asked(answer="c"))
    assert isinstance(own, Reliability)
    came_true = (model.pairs.truth[:, 0] == 2) * 1.0
    off = sum(each.rows * abs(each.probability - each.frequency) for each in own.bins)
    assert off / len(came_true) == pytest.approx(calibration_error(model.pairs.answers[:, 2], came_true))
    of = [calibration(models[name], Asked()) for name in ("pair", "flags")]
    assert [each.of for each in of if isinstance(each, Reliability)] == ["b", "up"]


def test_intervals_of_one_half_hold_the_truth_of_the_other_as_often_as_they_say() -> None:
    """To within what chance does, where answers are off by noise alone, whatever they are."""
    rng = np.random.default_rng(0)
    answers = rng.uniform(0, 10, (500, 1))
    picture = calibration(_judged(answers, answers + rng.standard_normal((500, 1))), Asked())

    assert isinstance(picture, Coverage)
    shares = np.array(picture.inside["all rows"])
    assert np.abs(shares - picture.levels).max() < 2 * picture.doubt
    assert picture.levels[-1] == 0.95


def test_calibration_takes_rows_that_were_not_learnt(models: Models) -> None:
    """The error says how many, and how to have them."""
    for name, known in (("exam", 0), ("letters", 0), ("wide", 9)):
        with pytest.raises(NoPicture, match=rf"takes 20 rows .* there are {known}\. .*training\.validation"):
            calibration(models[name], Asked())


def test_a_response_is_what_the_model_answers_along_a_column(models: Models) -> None:
    """With the interval of the same rows, others in the middle, through both ends of what was trained."""
    model = models["wave"]

    picture = response(model, Asked(column="b", level=0.5), go_on)

    X = np.repeat(middle(model)[np.newaxis], len(picture.x), axis=0)
    X[:, 1] = picture.x
    ends = intervals(model, X, 0.5)
    assert ends is not None
    assert picture.answers == {"y0": model.scores(X)[:, 0].tolist()}
    assert (picture.lower, picture.upper) == (ends[:, 0, 0].tolist(), ends[:, 0, 1].tolist())
    assert picture.trained == (model.encoder.lowest[1], model.encoder.highest[1])
    assert set(picture.trained) <= set(picture.x)
    assert picture.x[0] < picture.trained[0] < picture.trained[1] < picture.x[-1]  # type: ignore[operator]
    assert picture.held == {"a": middle(model)[0]}
    assert picture.rows == model.neighbours.rows[:, 1].tolist()
    assert response(models["exam"], Asked(), go_on).lower is None


def test_a_category_has_an_answer_at_each_level(models: Models) -> None:
    """In their order; the rows that were learnt from are counted by position."""
    model = models["mixed"]

    picture = response(model, Asked(column="three"), go_on)

    assert (picture.x, picture.trained) == (["x", "y", "z"], None)
    X = np.repeat(middle(model)[np.newaxis], 3, axis=0)
    X[:, 2] = [0, 1, 2]
    assert picture.answers["y"] == model.scores(X)[:, 0].tolist()
    assert len(picture.rows) == len(model.neighbours.rows)
    assert response(model, Asked(column="pair"), go_on).x == ["false", "true"]
    many = response(models["shops"], Asked(column="shop"), go_on)
    assert len(many.x) == 20
    assert "10 other levels" in many.note


def test_classes_have_a_probability_each(models: Models) -> None:
    """Or one alone, by name."""
    model = models["classes"]

    every, one = (response(model, Asked(answer=name), go_on) for name in (None, "c"))

    assert [*every.answers] == list("abcd")
    assert np.sum([*every.answers.values()], axis=0) == pytest.approx(1.0)
    assert one.answers == {"c": every.answers["c"]}


def test_a_surface_is_what_the_model_answers_over_two_columns(models: Models) -> None:
    """A number, a probability, or the position of the likeliest label, row by row from the lowest y."""
    model = models["two"]
    picture = surface(model, Asked(x="b", y="a", answer="y1"), go_on)
    X = np.array([[y, x] for y in picture.y.values for x in picture.x.values])
    assert np.array(picture.z).ravel().tolist() == model.scores(X)[:, 1].tolist()

    classes = models["classes"]
    labels = surface(classes, Asked(), go_on)
    X = np.array([[x, y] for y in labels.y.values for x in labels.x.values])
    told = [labels.labels[int(place)] for place in np.array(labels.z).ravel()]
    assert told == ["abcd"[place] for place in classes.scores(X).argmax(axis=1)]
    pair = surface(models["pair"], Asked(), go_on)
    assert (pair.answer, pair.labels, pair.probability) == ("b", [], True)


def test_a_surface_over_categories_has_a_place_for_each_pair_of_levels(models: Models) -> None:
    """Numbers and categories go together, too."""
    picture = surface(models["mixed"], Asked(x="three", y="pair"), go_on)

    assert (picture.x.values, picture.y.values) == (["x", "y", "z"], ["false", "true"])
    assert np.shape(picture.z) == (2, 3)
    assert surface(models["mixed"], Asked(x="nine", y="number"), go_on).y.trained is not None


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Asked(x="hours"), "x"),
        (Asked(y="aa"), "y"),
        (Asked(x="a", y="a"), "y"),
        (Asked(answer="e"), "answer"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(asked: Asked, field: str, models: Models) -> None:
    """The fault is in the field, and lists the names."""
    with pytest.raises(InvalidRequest) as raised:
        surface(models["classes"], asked, go_on)

    assert raised.value.faults[0].field == field


def test_pictures_of_wide_models_are_bounded(models: Models) -> None:
    """A surface asks for fewer points, and tells twenty of the other columns."""
    picture = surface(models["wide"], Asked(), go_on)

    assert len(picture.x.values) * len(picture.y.values) * 3000 < 2**22
    assert len(picture.held) == 20


def test_a_model_without_pairs_says_so(models: Models) -> None:
    """As one is whose answers were no numbers."""
    without = replace(models["wave"], pairs=Pairs.none(1, 1))

    with pytest.raises(NoPicture, match="Train it again"):
        predicted(without, Asked())


def _judged(answers: np.ndarray, truth: np.ndarray) -> Model:
    model = learn(EXAM, recipe(epochs=1))
    report = replace(model.report, rows_held_out=len(answers))
    return replace(model, pairs=Pairs(answers, truth), report=report)
