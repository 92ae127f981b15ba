"""Exports: what leaves answers what the server answers."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from app.engine.activations import ACTIVATIONS
from app.errors import ExportRefused, ExportTooLarge, OnnxUnavailable
from app.export import javascript_module, onnx_graph, python_program
from app.export.description import describe
from app.export.formats import FORMATS, export
from app.export.onnx_inputs import feeds_of
from app.export.onnx_package import Graph, declare, require_onnx, run
from app.export.probes import probes_of
from app.tables.answered import in_words
from app.tables.answering import cells_to_answer
from app.tables.sent import Sent
from tests.export.programs import NODE, RUN, python_alone
from tests.export.tables import EXPORTED, made, random_rows, stored

TOLERANCE = {"float64": 1e-9, "float32": 1e-5}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", EXPORTED)
def test_every_kind_of_model_answers_as_the_server_does(kind: str, form: str, tmp_path: Path) -> None:
    """1,000 random rows, beyond the trained ranges too: the same labels, and numbers but for the last bits."""
    exported = made(kind)
    model, rows = exported.model, random_rows(exported.model)
    X = cells_to_answer(Sent(rows=rows), model)
    expected, tolerance = model.scores(X), TOLERANCE[str(model.recipe.training.precision)]

    told = RUN[form](FORMATS[form].write(describe(exported), "note"), rows, exported, X, tmp_path)

    scores = np.array(told.predictions if told.probabilities is None else told.probabilities).reshape(expected.shape)
    unit = 1.0 if model.target is None else model.target.scale
    assert (np.abs(scores - expected) <= tolerance * np.maximum(np.abs(expected), unit)).all()
    if told.probabilities is not None:
        sure = np.abs(np.sort(expected, axis=1)[:, -1] - 0.5) > tolerance
        answers = in_words(model, expected)
        assert [a for a, is_sure in zip(told.predictions, sure, strict=True) if is_sure] == [
            a for a, is_sure in zip(answers, sure, strict=True) if is_sure
        ]
        assert [type(answer) for answer in told.predictions] == [type(answer) for answer in answers]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["the tutorial", "people in float64", "people's courses", "yes or no", "two targets"])
def test_an_export_is_tried_before_it_is_given_away(kind: str, form: str) -> None:
    """It tells on how many rows, in what it ran and how far it was off at most, in its own words too."""
    exported = made(kind)

    found = export(exported, form, 100_000)

    assert found.rows > 20
    assert found.difference <= TOLERANCE[str(exported.model.recipe.training.precision)]
    assert found.by.split()[0] in {"onnxruntime", "Python", "Node", "netlet"}
    assert f"Tried on {found.rows} rows in {found.by}" in found.data.decode(errors="replace")
    assert found.name == f"exam_1.{FORMATS[form].ending}"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["three texts", "true and false", "yes or no"])
def test_probabilities_leave_at_their_temperature(kind: str, form: str) -> None:
    """As the server tells them, and not as the network alone would."""
    exported = made(kind)
    warm = stored(replace(exported.model, temperature=3.0))

    assert export(warm, form, 100_000).difference <= 1e-5
    assert export(warm, form, 100_000).data != export(exported, form, 100_000).data


def test_the_tutorials_program_is_as_short_as_the_tutorials() -> None:
    """Its weights, its steps and an example, in less than 70 lines."""
    text = export(made("the tutorial"), "python", 1000).data.decode()

    assert text.count("\n") < 70
    assert "a = sigmoid(a @ W1)\n        a = sigmoid(a @ W2)" in text


@pytest.mark.parametrize("kind", ["the tutorial", "people", "hostile words"])
def test_programs_show_an_example_when_they_are_run(kind: str, tmp_path: Path) -> None:
    """The row of the training that the columns' examples are from; dicts answer as lists do."""
    exported = made(kind)
    (tmp_path / "shown.py").write_bytes(export(exported, "python", 100_000).data)
    (tmp_path / "shown.mjs").write_bytes(export(exported, "javascript", 100_000).data)
    row = [column.example for column in describe(exported).columns]
    (answer,) = in_words(exported.model, exported.model.scores(cells_to_answer(Sent(rows=[row]), exported.model)))

    run = "import runpy, sys; sys.path.insert(0, '.'); runpy.run_path('shown.py', run_name='__main__')"
    in_python = [*python_alone(tmp_path), "-c", run]
    for command in (in_python, [NODE, "shown.mjs"]):
        shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        if isinstance(answer, float):
            assert float(shown.strip(" []\n")) == pytest.approx(answer, rel=1e-5)
        else:
            assert shown.strip().startswith("[")


def test_what_misses_where_nothing_was_missing_is_refused(tmp_path: Path) -> None:
    """As the server refuses it, and not answered with something."""
    (tmp_path / "exported.py").write_bytes(export(made("the tutorial"), "python", 1000).data)
    (tmp_path / "exported.mjs").write_bytes(export(made("the tutorial"), "javascript", 1000).data)
    in_python = "import sys; sys.path.insert(0, '.'); import exported; exported.predict([[4, None]])"
    in_javascript = "import { predict } from './exported.mjs'; predict([[4, null]])"

    for command in (
        [*python_alone(tmp_path), "-c", in_python],
        [NODE, "--input-type=module", "-e", in_javascript],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "missing" in done.stderr


PROGRAMS = ("python", "javascript")


@pytest.mark.parametrize("form", PROGRAMS)
def test_programs_read_texts_as_the_server_does(form: str, tmp_path: Path) -> None:
    """Spaces around one are no part of it, and some say that there is no value."""
    exported = made("people in float64")
    rows = random_rows(exported.model, 40)
    for place in range(len(rows[0])):
        for number, row in enumerate(rows):
            if isinstance(row[place], str):
                row[place] = f" {row[place]}\t" if number % 2 else row[place]
            if row[place] is None:
                row[place] = ("", " NA", "NaN", None)[number % 4]
    X = cells_to_answer(Sent(rows=rows), exported.model)

    told = RUN[form](FORMATS[form].write(describe(exported), "note"), rows, exported, X, tmp_path)

    assert sum(value in {"", " NA", "NaN"} for row in rows for value in row) > 3
    assert np.array(told.predictions) == pytest.approx(exported.model.scores(X)[:, 0], rel=1e-9)


@pytest.mark.parametrize("form", PROGRAMS)
@pytest.mark.parametrize("row", [[4, "8"], [4, True], [4, "abc"], [4, []], [4], [4, 8, 1], [4, 8, 4, 8]], ids=str)
def test_programs_refuse_what_the_server_refuses(form: str, row: list[Any], tmp_path: Path) -> None:
    """And do not answer something else; a text such as 8, which JSON makes a number for the server, too."""
    exported = made("the tutorial")
    data = FORMATS[form].write(describe(exported), "note")

    with pytest.raises(AssertionError, match=r"number|values"):
        RUN[form](data, [row], exported, np.zeros((1, 2)), tmp_path)
    assert RUN[form](data, [[4, 8]], exported, np.zeros((1, 2)), tmp_path).predictions[0] == pytest.approx(90, abs=2)


@pytest.mark.parametrize("form", PROGRAMS)
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("boolean", "true"),
        ("boolean", 1),
        ("date", "2024-02-30"),
        ("date", "20240102"),
        ("date", "2024-W01-2"),
        ("date", "2024-01-02T10"),
        ("number", 1e101),
        ("number", "7"),
    ],
)
def test_programs_refuse_values_of_another_kind(form: str, kind: str, value: Any, tmp_path: Path) -> None:
    """Each column takes what it says that it takes."""
    exported = made("people in float64")
    columns = describe(exported).columns
    row = {column.name: column.example for column in columns}
    name = next(each.name for each in columns if each.kind in {kind, kind.replace("number", "integer")})
    data = FORMATS[form].write(describe(exported), "note")

    with pytest.raises(AssertionError, match=r"Error"):
        RUN[form](data, [row | {name: value}], exported, np.zeros((1, 1)), tmp_path)
    with pytest.raises(AssertionError, match=r"Error"):
        RUN[form](data, [{key: own for key, own in row.items() if key != name}], exported, np.zeros((1, 1)), tmp_path)
    assert len(RUN[form](data, [row], exported, np.zeros((1, 1)), tmp_path).predictions) == 1


def test_a_text_of_too_many_numbers_is_refused() -> None:
    """ONNX, which is no text, is not."""
    exported = made("the tutorial")

    for form in ("python", "javascript", "json"):
        with pytest.raises(ExportTooLarge, match=r"9 numbers.*format=onnx"):
            export(exported, form, 8)
    assert export(exported, "onnx", 8).data


@pytest.mark.parametrize("table", [python_program.ACTIVATIONS, javascript_module.ACTIVATIONS, onnx_graph.ACTIVATIONS])
def test_every_activation_is_known_in_every_language(table: dict[str, object]) -> None:
    """A new one of the engine's needs a row in each."""
    assert table.keys() == ACTIVATIONS.keys()


def test_an_onnx_file_tells_what_it_takes() -> None:
    """One matrix where no column holds texts, else a column each; and the columns of the rows in its words."""
    numbers, people = (onnx.load_from_string(export(made(kind), "onnx", 0).data) for kind in ("the tutorial", "people"))

    told = {own.key: own.value for own in numbers.metadata_props}
    assert [own.name for own in numbers.graph.input] == ["X"]
    assert (told["columns"], told["model"]) == ('["hours_studied", "hours_slept"]', "exam/1")
    assert [own.name for own in people.graph.input][:5] == ["hours", "age", "paid", "course", "seat"]
    assert "since.hour" in [own.name for own in people.graph.input]
    assert [own.name for own in people.graph.output] == ["prediction"]


def test_columns_called_as_the_graphs_outputs_cannot_be_told_from_them() -> None:
    """Refused, with the name."""
    exported = made("people")
    description = describe(exported)
    columns = [column for column in description.columns if column.name != "age"]
    renamed = [type(columns[0])("prediction", "number", missing=False, example=1.0), *columns]

    with pytest.raises(ExportRefused, match="called prediction"):
        onnx_graph.write(type(description)(**vars(description) | {"columns": tuple(renamed)}), "")


def test_without_onnx_it_is_said_how_to_get_it() -> None:
    """Only what needs it fails."""
    with pytest.raises(OnnxUnavailable, match=r"pip install 'netlet\[onnx\]'"):
        require_onnx("a_package_that_is_not_there")


def test_onnxruntime_and_onnxs_own_reference_say_the_same() -> None:
    """Where the first is not installed, the other tries what leaves."""
    exported = made("people in float64")
    description, probes = describe(exported), probes_of(exported.model)
    data = FORMATS["onnx"].write(description, "")

    outputs, by = run(data, feeds_of(description, probes), runtime="a_package_that_is_not_there")

    assert by.startswith("onnx.reference")
    np.testing.assert_allclose(outputs["prediction"], probes.scores[:, 0], rtol=1e-12)


def test_what_onnx_refuses_is_no_fault_of_the_service() -> None:
    """A graph that contradicts itself, or that the runtime cannot load."""
    graph = Graph()
    graph.add("Relu", "nowhere", name="out")
    declared = declare("out", "DOUBLE", ["rows"])

    with pytest.raises(ValueError, match="nowhere"):
        graph.model(inputs=[], outputs=[declared], producer="0", told={})
    with pytest.raises(ValueError, match="No graph"):
        run(b"\x08\x01", {})
