"""Learning: from rows and a recipe to a model."""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from app.engine.arrays import Array, Index, Randomness, Vector
from app.engine.config import GENERATORS, PRECISIONS, TrainingConfig
from app.engine.control import CANCELLED, Checkpoint, Control
from app.engine.device import DEVICES, Device, one_blas_thread
from app.engine.examples import Examples
from app.engine.losses import LOSSES
from app.engine.network import Network
from app.engine.sharding import ALONE, Helpers
from app.engine.training import Course, History, Means, Trained, descend
from app.errors import Cancelled, Diverged, UnsuitableTarget
from app.faults import MOST_FAULTS, Fault
from app.models.applicability import Neighbours
from app.models.defaults import Candidate, candidates, labels_of, problem_of, rows_held_out
from app.models.encoding import Encoding, Weighing, fit_target
from app.models.ensemble import Folds, all_judge, deal
from app.models.judgement import Judged, judged
from app.models.model import UNKNOWN, Model
from app.models.pairs import Pairs
from app.models.preprocessing import Encoder, places
from app.models.recipe import Recipe
from app.models.streaming import Streamed
from app.models.table import MoreRows, TrainingRows
from app.models.uncertainty import Misses
from app.solvers.solving import SOLVERS, GaveUp, solve

OPTIMISM = 1.5  # measured: errors of the ensemble on rows not seen at all, to those on rows that it stopped by
APART = 0.2
"""Share of the rows that a search does not see, so that its model's metrics are of rows that had no say in it."""
PARTIAL = "Training was cancelled before its end: this is the best that it had come to."
PROMISING = 0.2  # share of a target's variance that a small table's first members may leave unexplained


class Start(NamedTuple):
    """Where learning begins: at a model's weights rather than at random ones, with what its optimizer remembers."""

    model: Model | None = None
    memory: Checkpoint | None = None
    """The last checkpoint of the training that made the model, or `memory` of it."""


def learn(
    rows: TrainingRows,
    recipe: Recipe,
    *,
    control: Control = Control(),
    device: str = "cpu",
    helpers: Helpers = ALONE,
    more: MoreRows | None = None,
    start: Start = Start(),
    judges: Index | None = None,
) -> Model:
    """Train networks on rows; raise UnsuitableTarget or Diverged where that cannot be done.

    With `more`, these are learnt from, by gradients, and the rows at hand are those to judge by. The same rows, recipe
    and seed give the same bytes whoever helps, and however often a training was left and gone on with. `control` may
    ask for an end before the end: Cancelled, or a model that says that it is partial. Where there is a model to start
    from, only its weights learn; all else of it stays, and of the recipe only `training` counts. Where there are
    `judges`, no other rows are held out.
    """
    labels = labels_of(rows)
    if start.model is not None:
        recipe, labels = going_on(start.model, rows, recipe), start.model.labels
    problem = problem_of(rows, labels, recipe.scaling.one_hot, None if more is None else more.count)
    options = candidates(recipe, problem)
    if start.model is not None:
        options = tuple(replace(option, reason="gone on with from where they were") for option in options)
    tried: list[Judged] = []
    for option in options:
        last = option is options[-1]
        means = Means(device=DEVICES[device](), helpers=helpers, control=control, memory=start.memory)
        if not last:
            means = replace(means, control=control.unseen(), good_enough=PROMISING)
        # Overflow is what Diverged reports.
        with suppress(*() if last else (GaveUp, Diverged)), np.errstate(all="ignore"), one_blas_thread():
            tried.append(_trained(rows, option, means, more, start.model, judges=judges))
        if tried and tried[-1].model.report.stopped == CANCELLED:
            break
    model = min(tried, key=_expected_error).model
    return _partial(model) if tried[-1].model.report.stopped == CANCELLED else model


def _expected_error(judged: Judged) -> float:
    """Compare candidates by the variance of rows not seen that they leave unexplained.

    Members that stopped where these rows were answered best look better on them than they are.
    """
    unexplained = 1.0 - (judged.apparent.get("r2") or 0.0)
    return unexplained * (OPTIMISM if judged.model.recipe.training.keep_best else 1.0)


def going_on(model: Model, rows: TrainingRows, recipe: Recipe) -> Recipe:
    """Train as the recipe says, what the model is; raise UnsuitableTarget for labels that it does not have."""
    answers, known = rows.y if isinstance(rows.y, tuple) else (), frozenset(model.labels)
    others = [(row, str(label)) for row, label in enumerate(answers) if label not in known]
    faults = [Fault("a label of the model", label, row, rows.targets[0]) for row, label in others[:MOST_FAULTS]]
    if faults or bool(answers) != bool(known):
        message = "A model learns only what it already tells apart: its labels, or numbers. Train a new one for others."
        raise UnsuitableTarget(message, faults, len(others))
    return replace(model.recipe, training=replace(recipe.training, members=len(model.parameters)))


def _partial(model: Model) -> Model:
    """Say of the best so far that it is no more; raise Cancelled if it has learnt nothing yet."""
    if not model.report.epochs:
        raise Cancelled
    report = replace(model.report, stopped=CANCELLED, warnings=(PARTIAL, *model.report.warnings))
    return replace(model, report=report)


class Lesson(NamedTuple):
    """What is learnt: a model that has learnt nothing yet, the course that it takes, the rows, and who judges whom."""

    rows: TrainingRows
    choice: str
    model: Model
    course: Course
    examples: Examples
    folds: Folds

    def judged(self, trained: Trained, *, is_new: bool = True) -> Judged:
        """Give the model as it is when it has learnt, and measured."""
        model, members = self.model, len(trained.parameters)
        recipe = replace(model.recipe, training=replace(model.recipe.training, members=members))
        parameters = self.course.device.fetch(trained.parameters)
        model = replace(model, recipe=recipe, parameters=parameters, history=trained.history)
        folds = Folds(*(each[:members] for each in self.folds))
        return judged(model, self.rows, folds, trained, self.choice, is_new=is_new)


def lesson_of(
    rows: TrainingRows,
    candidate: Candidate,
    means: Means,
    more: MoreRows | None = None,
    start: Model | None = None,
    *,
    judges: Index | None = None,
) -> Lesson:
    """Prepare all that a training needs; raise UnsuitableTarget where its rows cannot be learnt."""
    recipe, training = candidate.recipe, candidate.recipe.training
    rng = GENERATORS[training.generator](training.seed)
    members = training.members or 1
    folds = _dealt(rows, training, judges, rng) if more is None else all_judge(len(rows.X), members)
    known = np.arange(len(rows.X)) if members > 1 else folds.learnt[0]  # what no member learns from stays unknown
    model = _drawn(rows, recipe, known, rng) if start is None else replace(start, recipe=recipe)
    course, encoding = _lesson(model, rows, means, rng)
    examples = Examples(*encoding.batch(rows), *folds)
    if more is not None:
        examples = Streamed(**vars(examples), more=more, encode=encoding.batch)
    return Lesson(rows, candidate.sentence, model, course, examples, folds)


def _trained(
    rows: TrainingRows,
    candidate: Candidate,
    means: Means,
    more: MoreRows | None,
    start: Model | None,
    *,
    judges: Index | None,
) -> Judged:
    lesson = lesson_of(rows, candidate, means, more, start, judges=judges)
    model, course, examples = lesson.model, lesson.course, lesson.examples
    before = None if start is None else float(course.measure(course.parameters, examples, examples.learnt).mean())
    means.control.on_begin(model, lambda: means.device.fetch(course.parameters))
    solver = SOLVERS.get(str(candidate.recipe.training.optimizer))
    trained = descend(course, examples) if solver is None else solve(solver, course, examples)
    model, apparent = lesson.judged(trained, is_new=start is None)
    model = replace(model, report=replace(model.report, loss_before=before))
    return Judged(model if more is None else _of_all(model, more), apparent)


def _dealt(rows: TrainingRows, training: TrainingConfig, judges: Index | None, rng: Randomness) -> Folds:
    """Hold rows out for each member: any of them, or some of the judges alone."""
    members, held_out = training.members or 1, rows_held_out(len(rows.X), training.validation or 0.0)
    if judges is None:
        return deal(_strata(rows), members, held_out, rng)
    return deal(_strata(rows)[judges], members, min(held_out, len(judges)), rng).among(judges, len(rows.X))


def apart(rows: TrainingRows, seed: int) -> Index:
    """Choose the rows that a search does not see, evenly over classes or sizes; of each class, it sees the first."""
    strata, held_out = _strata(rows), rows_held_out(len(rows.X), APART)
    chosen = deal(strata, 1, held_out, np.random.default_rng(seed)).judged[0]
    return np.setdiff1d(chosen, np.unique(strata, return_index=True)[1]) if labels_of(rows) else chosen


def _lesson(model: Model, rows: TrainingRows, means: Means, rng: Randomness) -> tuple[Course, Encoding]:
    """Prepare all that a model needs to learn from rows, or to be measured by them."""
    training = model.recipe.training
    send = partial(_sent, means.device, str(training.precision))
    weighing = Weighing.fit(rows, model.labels, balanced=training.class_weight == "balanced")
    course = Course(
        network=model.network,
        loss=replace(LOSSES[str(training.loss)], level=training.quantile),
        config=training,
        parameters=send(model.parameters.copy()),
        rng=rng,
        **vars(means),
    )
    return course, Encoding(model, weighing, send)


def loss_on(model: Model, rows: TrainingRows) -> float:
    """Measure the loss that a training would make small, on rows; raise Diverged if it is not finite."""
    with np.errstate(all="ignore"):
        course, encoding = _lesson(model, rows, Means(device=DEVICES["cpu"]()), np.random.default_rng())
        examples = Examples(*encoding.batch(rows), *all_judge(len(rows.X), len(model.parameters)))
        return float(course.measure(course.parameters, examples, examples.learnt).mean())


def _drawn(rows: TrainingRows, recipe: Recipe, known: Index, rng: Randomness) -> Model:
    """Measure the known rows, and draw weights that have learnt nothing yet."""
    labels, encoder = labels_of(rows), Encoder.fit(rows.columns, rows.X, recipe.scaling, known)
    target = fit_target(rows, recipe, known)
    classes = places(rows.y, labels)[known] if isinstance(rows.y, tuple) else None
    network = network_for(recipe, encoder, outputs_for(recipe, len(rows.targets), len(labels)))
    initializer, members = str(recipe.network.initializer), recipe.training.members or 1
    return Model(
        columns=rows.columns,
        targets=rows.targets,
        labels=labels,
        recipe=recipe,
        network=network,
        parameters=network.initialize(initializer, members, rng, rows.X[known], encoder.encode),
        encoder=encoder,
        target=target,
        neighbours=Neighbours.fit(encoder, rows.X[known], classes),
        history=History(np.empty(0), np.empty(0)),
        misses=Misses.none(1 if labels else len(rows.targets)),
        pairs=Pairs.none(len(labels) or len(rows.targets), len(rows.targets)),
        report=replace(UNKNOWN, rows=len(rows.X)),
        sources=rows.sources,
    )


def _sent(device: Device, precision: str, array: Array) -> Array:
    return device.send(np.ascontiguousarray(array, dtype=PRECISIONS[precision]))


def network_for(recipe: Recipe, encoder: Encoder, outputs: int) -> Network:
    """Lay out the network of a complete recipe."""
    architecture, embeddings = recipe.network, encoder.embeddings
    inputs = encoder.dense + sum(width for _, width in embeddings)
    sizes = (inputs, *(architecture.hidden or ()), outputs)
    activations = str(architecture.activation), str(architecture.output_activation)
    return Network(sizes, *activations, bias=architecture.bias, embeddings=embeddings)


def outputs_for(recipe: Recipe, targets: int, labels: int) -> int:
    """Count the outputs of a complete recipe's network: one sigmoid for two labels, else one for each."""
    if labels:
        return 1 if recipe.network.output_activation == "sigmoid" else labels
    return targets * LOSSES[str(recipe.training.loss)].outputs


def _strata(rows: TrainingRows) -> Vector:
    """Number what members should hold out alike: the classes, or the size of the first target."""
    if isinstance(rows.y, tuple):
        return np.unique(np.array(rows.y), return_inverse=True)[1].astype(np.float64)
    return rows.y[:, 0]


def _of_all(model: Model, more: MoreRows) -> Model:
    """Tell of the rows that were learnt from, beside those that judged; nothing is known of them but their number."""
    report, rows = model.report, model.report.rows + more.count
    training = replace(model.recipe.training, validation=report.rows / rows)
    judgement = {"validation": report.metrics["validation"]}
    report = replace(report, rows=rows, parameters_per_row=model.network.size / rows, metrics=judgement)
    report = replace(report, fingerprint=None)  # which would be that of the rows at hand alone
    return replace(model, recipe=replace(model.recipe, training=training), report=report)
