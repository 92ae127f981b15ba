"""Inside: a row's way through a model, whether its derivative is right, what moves its answers, and what would."""

from collections.abc import Sequence
from typing import Any

from app.api.inside_schemas import (
    ChangedColumn,
    ComparedAnswer,
    CounterfactualAnswer,
    CounterfactualRequest,
    GradientCheckAnswer,
    ImportanceAnswer,
    ImportantColumn,
    LayerTraceAnswer,
    MemberTrace,
    OneRow,
    TraceAnswer,
    TraceRequest,
)
from app.engine.arrays import Array, Cells
from app.engine.control import GoOn
from app.errors import BudgetExceeded, InvalidRequest, TooManyAnswers, Unreachable
from app.faults import Fault
from app.insight.counterfactual import Wish, nearest, work
from app.insight.explain import importance
from app.insight.trace import check_gradient, name_of, trace
from app.models.learning import going_on
from app.models.model import Model
from app.models.table import TrainingRows
from app.store.store import Stored
from app.tables.answered import in_words
from app.tables.answering import cells_to_answer
from app.tables.cells import LARGEST_NUMBER, closest, describe
from app.tables.columns import groups_of, sources_of
from app.tables.inputs import input_names
from app.tables.reading import sent_to, training_rows
from app.tables.sent import Sent

MOST_SEARCHED = 1e12  # multiplications, half a minute or more
MOST_CHECKED = 2 * 10**7  # rows times parameters that a derivative is compared on


def traced(stored: Stored, request: TraceRequest, most: int) -> TraceAnswer:
    """Follow a row forward, and back where the truth is known; raise TooManyAnswers for more than so many numbers."""
    model = stored.model
    sent = _labelled(request.row, request.y, model)
    X = cells_to_answer(_alone(request.row), model) if sent is None else rows_like(model, sent).X
    rows = TrainingRows(model.columns, model.targets, X, ()) if sent is None else rows_like(model, sent)
    count = model.parameters.size * (1 if sent is None else 2)
    if count > most:
        raise TooManyAnswers(count, most)
    found = trace(model, rows, is_labelled=sent is not None)
    network = model.network
    names = (*[network.hidden] * (len(network.sizes) - 2), network.output)
    members = [
        MemberTrace(
            inputs=found.inputs[member, 0].tolist(),
            layers=[
                LayerTraceAnswer(
                    activation=name,
                    z=layer.z[member, 0].tolist(),
                    a=layer.a[member, 0].tolist(),
                    delta=_listed(layer.delta, member, 0),
                    slope_W=_listed(layer.slope_W, member),
                    slope_b=_listed(layer.slope_b, member, 0),
                )
                for name, layer in zip(names, found.layers, strict=True)
            ],
            loss=None if found.loss is None else float(found.loss[member]),
        )
        for member in range(len(model.parameters))
    ]
    return TraceAnswer(
        model=stored.name,
        version=stored.version,
        inputs=[*input_names(model.encoder)],
        members=members,
        y=None if found.y is None else found.y[0].tolist(),
        temperature=model.temperature,
        prediction=_answer(model, X),
    )


def _listed(array: Array | None, *place: int) -> list[Any] | None:
    return None if array is None else array[place].tolist()


def _answer(model: Model, X: Cells) -> Any:  # noqa: ANN401 - of whatever kind the answers are
    return in_words(model, model.scores(X))[0]


def _alone(row: OneRow) -> Sent:
    return Sent(rows=[row]) if isinstance(row, dict) else Sent(X=[row])


def _labelled(row: OneRow, y: Any, model: Model) -> Sent | None:  # noqa: ANN401 - whatever was sent
    """Put a row together with its true answer; None where that is not known."""
    if isinstance(row, list):
        return None if y is None else Sent(X=[row], y=[y])
    answers = [None] * len(model.targets) if y is None else y if isinstance(y, list) else [y]
    if len(answers) != len(model.targets):
        expected = "the true answer" if len(model.targets) == 1 else f"{len(model.targets)} true answers"
        message = "The true answer is one for each target."
        raise InvalidRequest(message, [Fault(expected, got=describe(y), field="y")])
    given = {name: value for name, value in row.items() if name != model.weight}
    if y is not None:
        given |= dict(zip(model.targets, answers, strict=True))
    return Sent(rows=[given]) if any(target in given for target in model.targets) else None


def rows_like(model: Model, sent: Sent) -> TrainingRows:
    """Read rows with their true answers as the model knows them; raise InputError for what it does not."""
    recipe = model.recipe
    rows = training_rows(sent_to(model, sent), task=recipe.task, wants_labels=recipe.wants_labels)
    going_on(model, rows, recipe)
    return rows


def gradient_checked(go_on: GoOn, stored: Stored, rows: TrainingRows) -> GradientCheckAnswer:
    """Compare backpropagation with finite differences; raise BudgetExceeded where that would take too long."""
    model = stored.model
    if len(rows.X) * model.parameters.size > MOST_CHECKED:
        most = MOST_CHECKED // model.parameters.size
        message = f"Networks of this size are checked on {max(1, most)} rows at most. Send fewer."
        if not most:
            message = "These networks are too large to be checked: each derivative takes two looks at all of them."
        raise BudgetExceeded(message)
    found = check_gradient(model, rows, go_on)
    worst = found.worst
    return GradientCheckAnswer(
        model=stored.name,
        version=stored.version,
        agrees=found.agrees,
        difference=found.difference,
        checked=found.checked,
        rows=len(rows.X),
        loss=float(found.loss.mean()),
        worst=ComparedAnswer(
            member=worst.member,
            parameter=name_of(model.network, worst.parameter),
            backpropagation=worst.backpropagation,
            finite_difference=worst.finite_difference,
        ),
    )


def important(go_on: GoOn, stored: Stored) -> ImportanceAnswer:
    """Rank columns by how much they move answers."""
    sources = sources_of(stored.model)
    sizes = importance(stored.model, groups_of(stored.model), go_on).tolist()
    total = sum(sizes) or 1.0
    columns = [
        ImportantColumn(column=source.name, importance=size, share=size / total)
        for source, size in zip(sources, sizes, strict=True)
    ]
    columns.sort(key=lambda column: -column.importance)
    return ImportanceAnswer(model=stored.name, version=stored.version, columns=columns)


def counterfactual(go_on: GoOn, stored: Stored, request: CounterfactualRequest) -> CounterfactualAnswer:
    """Find the nearest row that is answered as is wanted; raise Unreachable where none is found."""
    model = stored.model
    if work(model) > MOST_SEARCHED:
        message = "This model is too large to look for another row: it has too many columns, levels or weights."
        raise BudgetExceeded(message)
    wish, X = _wish(model, request.wanted), cells_to_answer(_alone(request.row), model)
    found = nearest(model, X[0], wish, _fixed(model, request.fixed), go_on)
    if found is None or not model.encoder.in_range(found.row[None])[0]:
        raise _unreachable(model, request.wanted)
    given = request.row
    before = given if isinstance(given, dict) else dict(zip(_names(model), given, strict=True))
    row, changed = dict(before), []
    for index, column in enumerate(model.columns):
        if X[0, index] != found.row[index] and found.row[index] == found.row[index]:
            value = float(found.row[index])
            row[column.name] = column.levels[int(value)] if column.levels else value
            changed.append(ChangedColumn(column=column.name, before=before[column.name], after=row[column.name]))
    return CounterfactualAnswer(
        model=stored.name,
        version=stored.version,
        row=row,
        prediction=_answer(model, found.row[None]),
        changed=changed,
        distance=found.distance,
    )


def _names(model: Model) -> list[str]:
    return [source.name for source in sources_of(model)]


def _wish(model: Model, wanted: Any) -> Wish:  # noqa: ANN401 - whatever was sent
    if model.labels:
        kinds = {type(label) for label in model.labels}
        if type(wanted) in kinds and wanted in model.labels:
            return Wish(model.labels.index(wanted), None)
        expected = f"one of: {', '.join(map(str, model.labels))}"[:200]
    elif len(model.targets) == 1 and model.recipe.task == "regression":
        if type(wanted) in {int, float} and abs(wanted) <= LARGEST_NUMBER:
            return Wish(0, float(wanted))
        expected = "a number"
    else:
        message = "A counterfactual is of one answer, and this model gives several at once."
        raise InvalidRequest(message, [Fault("a model with one target", field="wanted")])
    message = "What is wanted is not what this model can answer."
    raise InvalidRequest(message, [Fault(expected, got=describe(wanted), field="wanted")])


def _fixed(model: Model, names: Sequence[str]) -> list[int]:
    """Find the columns that are to stay, and those of dates, whose parts cannot change each alone."""
    known = _names(model)
    unknown = [name for name in names if name not in known]
    if unknown:
        faults = [
            Fault("one of the columns", got=name, field="fixed", instead=closest(name, known)) for name in unknown
        ]
        message = "What is to stay as it is are columns of the model."
        raise InvalidRequest(message, faults[:20], len(faults))
    groups = zip(sources_of(model), groups_of(model), strict=True)
    return [index for source, group in groups if source.name in names or source.kind == "date" for index in group]


def _unreachable(model: Model, wanted: Any) -> Unreachable:  # noqa: ANN401 - a number or a label
    message = (
        f"No row within what the model was trained on was found that is answered with {describe(wanted)}, with fixed "
        "columns and dates as they are."
    )
    if not model.labels:
        scores = model.scores(model.neighbours.rows)[:, 0]
        message += f" Answers to rows it was trained on run from {scores.min():.6g} to {scores.max():.6g}."
    return Unreachable(message, [Fault("an answer that some row has", got=describe(wanted), field="wanted")])
