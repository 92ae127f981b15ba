"""Probe rows: what an export is tried on, and what does not pass."""

from dataclasses import replace

import numpy as np
import pytest

from app.errors import ExportRefused
from app.export import running
from app.export.description import describe
from app.export.formats import FORMATS
from app.export.probes import NO_LEVEL, Probes, Ran, difference, probes_of, require_equal
from app.models.learning import learn
from tests.export.tables import made, stored
from tests.models.tables import EXAM, blobs, recipe


def test_probe_rows_are_made_of_what_the_model_knows() -> None:
    """The training's example first; then ends, what is beyond them, each level, one that is none, and gaps."""
    model = made("people").model

    probes = probes_of(model)

    assert probes.rows[0] == [source.example for source in model.sources]
    columns = dict(zip([source.name for source in model.sources], zip(*probes.rows, strict=True), strict=True))
    hours = [value for value in columns["hours"] if isinstance(value, float)]
    source = model.sources[0]
    assert min(hours) < float(source.lowest or 0) < float(source.highest or 0) < max(hours)
    assert {"art", "law", "maths", NO_LEVEL, None} <= set(columns["course"])
    assert None not in columns["born"]
    assert probes_of(model).rows == probes.rows


def test_values_meet_in_different_company() -> None:
    """Each round moves every column further than the one before it; rows of the training are among them."""
    rows = {tuple(row) for row in probes_of(made("the tutorial").model).rows}

    assert len(rows) > 30
    assert {(2.0, 9.0), (1.0, 5.0), (3.0, 6.0)} < rows
    assert {(1.0, 5.0), (1.0, 6.0)} < rows


def test_the_widest_tables_have_a_few_rows_at_least() -> None:
    """And those do not make a table of any size."""
    table = blobs(2)
    wide = replace(
        table,
        columns=tuple(replace(table.columns[0], name=f"c{number}") for number in range(2000)),
        X=np.tile(table.X, (1, 1000)),
    )

    probes = probes_of(learn(wide, recipe(hidden=(2,), epochs=1)))

    assert len(probes.rows) < 200
    assert len(probes.rows) >= 8


def ran(probes: Probes, shift: float = 0.0) -> Ran:
    """Answer as the server does, but for a shift."""
    return Ran((probes.scores[:, 0] + shift).tolist(), probes.scores + shift, "test")


def test_answers_that_are_off_are_refused() -> None:
    """By more than 1e-9 of the answer; no number at all, or too few answers, are off by all that there is."""
    model = made("the tutorial").model
    probes = probes_of(model)

    assert require_equal(model, probes, ran(probes)) == 0
    assert require_equal(model, probes, ran(probes, 1e-9)) > 0
    for shift in (1e-6, np.nan, np.inf):
        with pytest.raises(ExportRefused, match=r"differ from this server's by .*GET its /snapshot"):
            require_equal(model, probes, ran(probes, shift))
    assert difference(probes, probes.scores[1:]) == np.inf


@pytest.mark.parametrize("kind", ["true and false", "yes or no", "three texts"])
def test_other_labels_are_refused(kind: str) -> None:
    """Also where the probabilities are right; a label of another type is another label."""
    model = made(kind).model
    probes = probes_of(model)
    right = FORMATS["json"].run(FORMATS["json"].write(describe(stored(model)), ""), probes, describe(stored(model)))

    assert require_equal(model, probes, right) < 1e-6
    wrong = [[not answer for answer in row] if isinstance(row, list) else None for row in right.predictions]
    for predictions in (wrong, right.predictions[1:], [str(answer) + "!" for answer in right.predictions]):
        if kind == "yes or no" and predictions is not wrong:
            continue
        with pytest.raises(ExportRefused, match="labels would differ"):
            require_equal(model, probes, replace(right, predictions=predictions))


@pytest.mark.parametrize("text", ["raise SystemExit(1)", "predict = 7", "def predict(rows): return ['a']", "print("])
def test_a_program_that_does_not_run_is_refused(text: str) -> None:
    """Whatever is wrong with it."""
    model = made("the tutorial").model
    probes = probes_of(model)

    with pytest.raises(ExportRefused, match=r"did not run|differ"):
        require_equal(model, probes, running.in_python(text.encode(), probes))


def test_a_module_is_run_by_its_numbers_where_there_is_no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that is what its note says."""
    exported = made("people")
    description, probes = describe(exported), probes_of(exported.model)
    monkeypatch.setenv("PATH", "")

    found = FORMATS["javascript"].run(b"not even JavaScript", probes, description)

    assert difference(probes, found.scores) <= 1e-5
    assert "not this file, for there is no Node here" in found.by


def test_a_model_whose_answers_all_overflow_is_refused() -> None:
    """There is nothing to compare."""
    model = learn(EXAM, recipe(hidden=(), epochs=1))
    broken = replace(model, parameters=np.zeros_like(model.parameters))
    broken.parameters[:, -1] = 1.7e308  # the bias

    with pytest.raises(ExportRefused, match="overflow"):
        probes_of(broken)
