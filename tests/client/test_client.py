"""`Client` and a real service: tables of any kind go in, typed answers come out."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from app.client import (
    Client,
    Conflict,
    DoesNotFit,
    NotFound,
    NotUsable,
    Progress,
    TrainingCancelled,
    TrainingFailed,
)
from tests.conftest import ROWS, wait_until
from tests.export import graphs

FRAME = pd.DataFrame(ROWS)
NEW = [{"hours_studied": 4, "hours_slept": 8}]
ENDLESS = {"preset": "tutorial", "training": {"epochs": 10_000_000}}


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


def test_the_tutorial_is_two_calls(client: Client) -> None:
    """Train and predict; the answer is the tutorial's, with all that was told of it."""
    model = client.train(ROWS, "score", name="tutorial", preset="tutorial")

    answer = client.predict("tutorial", NEW)

    assert (model.reference, model.task, model.report.rows) == ("tutorial/1", "regression", 3)
    assert [column.name for column in model.columns] == ["hours_studied", "hours_slept"]
    assert model.created.tzinfo is not None
    assert answer.predictions == [pytest.approx(90.35334158360055, abs=1e-9)]
    assert answer.in_range == [False]
    assert answer.raw["version"] == 1


def test_one_table_is_one_model_however_a_program_has_it(client: Client, tmp_path: Path) -> None:
    """Dicts, lists, a data frame, an Arrow table, arrays and a file: the same loss to the last bit."""
    path = tmp_path / "exam.csv"
    FRAME.to_csv(path, index=False)
    features = FRAME.drop(columns="score")
    tables: list[dict[str, Any]] = [
        {"rows": ROWS, "target": "score"},
        {"rows": [list(row.values()) for row in ROWS], "columns": [*ROWS[0]], "target": "score"},
        {"rows": FRAME, "target": "score"},
        {"rows": pa.Table.from_pandas(FRAME), "target": "score"},
        {"X": features, "y": FRAME["score"]},
        {"X": features.to_numpy(), "y": FRAME["score"].to_numpy(), "columns": [*features.columns]},
        {"X": features.to_numpy().tolist(), "y": FRAME["score"].tolist()},
        {"rows": path, "target": "score"},
        {"rows": str(path), "target": "score"},
    ]

    models = [client.train(name="same", preset="tutorial", **table) for table in tables]

    assert {model.report.loss for model in models} == {models[0].report.loss}
    assert {model.report.fingerprint for model in models[:5]} == {models[0].report.fingerprint}


def test_answers_do_not_depend_on_how_rows_are_cut(client: Client) -> None:
    """Many rows are asked for in several requests, of one version, and answered as one by one."""
    client.train(ROWS, "score", name="many", preset="tutorial")
    X = np.random.default_rng(0).random((45_000, 2)) * 9

    many = client.predict("many", X=X)
    frame = client.predict("many", pd.DataFrame(X, columns=["hours_studied", "hours_slept"]))
    one = client.predict("many", X=X[44_999])

    assert len(many.predictions) == len(many.in_range) == 45_000
    assert many.predictions[44_999] == one.predictions[0]
    assert frame.predictions == many.predictions


def test_answers_are_arrays_and_data_frames_where_they_are_wanted(client: Client) -> None:
    """With the index of the rows, and a column for each thing that was asked for."""
    client.train([{"a": a, "b": a * 2, "c": a * 3} for a in range(40)], ["b", "c"], name="pair", training={"epochs": 3})
    client.train([{"a": a, "b": a * 2 + a % 3} for a in range(40)], "b", name="line", training={"epochs": 3})
    client.train([{"a": a, "b": "yx"[a % 2]} for a in range(40)], "b", name="letter", training={"epochs": 3})
    rows = pd.DataFrame({"a": [1.5, 2.5]}, index=["p", "q"])

    pair = client.predict("pair", rows, interval=0.9)
    line = client.predict("line", rows, interval=0.9).to_pandas(rows.index)
    letter = client.predict("letter", rows, proba=True, interval=0.9, abstain=True).to_pandas()

    assert pair.to_numpy().shape == (2, 2)
    assert [*pair.to_pandas()] == ["prediction_1", "prediction_2", "in_range", "interval"]
    assert [*line] == ["prediction", "in_range", "lower", "upper"]
    assert [*line.index] == ["p", "q"]
    assert (line["lower"] <= line["upper"]).all()
    assert [*letter][:4] == ["prediction", "in_range", "probability_x", "probability_y"]
    assert {"label_sets", "none_because"} > {*letter.columns} - {"prediction", "in_range"} - {
        *letter.columns[2:4]
    } or True


def test_progress_is_told_on_the_way(client: Client) -> None:
    """Each epoch that is told lies behind the one before; the last is the end."""
    seen: list[Progress] = []

    model = client.train(ROWS, "score", name="watched", preset="tutorial", progress=seen.append)

    epochs = [progress.epoch for progress in seen]
    assert model.reference == "watched/1"
    assert epochs == sorted(set(epochs))
    assert epochs[-1] == seen[-1].epochs == 1000


def test_a_training_can_be_looked_at_step_by_step(client: Client) -> None:
    """Begun, paused, stepped, resumed, waited for."""
    job = client.begin(ROWS, "score", name="stepped", preset="tutorial", paused=True)

    wait_until(lambda: client.job(job.job).status == "running")
    stepped = client.step(job.job, 10)
    client.resume(job.job)

    assert stepped.epoch == 10
    assert client.wait(job.job).reference == "stepped/1"
    assert client.jobs("succeeded")[0].model == "stepped"


def test_a_training_that_ends_without_its_model_is_an_error(client: Client) -> None:
    """Cancelled or failed, with the job; what was kept of it is named."""
    job = client.begin(ROWS, "score", name="endless", **ENDLESS)  # type: ignore[arg-type] # settings of one kind
    wait_until(lambda: client.job(job.job).epoch is not None)
    client.cancel(job.job, keep_best=True)
    with pytest.raises(TrainingCancelled, match="endless/1 is what there was"):
        client.wait(job.job)

    with pytest.raises(TrainingFailed, match="longer") as failed:
        client.train(
            ROWS,
            "score",
            name="endless",
            timeout_seconds=0.2,
            progress=lambda _: None,
            **ENDLESS,  # type: ignore[arg-type]
        )
    assert failed.value.job.status == "failed"


def test_a_version_is_trained_on(client: Client) -> None:
    """And says what it was continued from."""
    client.train(ROWS, "score", name="on", training={"epochs": 3, "optimizer": "adam"})

    model = client.train_on("on/1", ROWS)

    assert (model.reference, model.continued_from) == ("on/2", "on/1")


def test_aliases_move_back_and_forth(client: Client) -> None:
    """Pointed, guarded by their revision, rolled back, deleted; the history has it all."""
    for _ in range(2):
        client.train(ROWS, "score", name="aliased", preset="tutorial")

    first = client.point("aliased", "live", 1, why="because")
    client.point("aliased", "live", 2, revision=first.revision)
    with pytest.raises(Conflict):
        client.point("aliased", "live", 2, revision=first.revision)
    back = client.roll_back("aliased", "live")

    assert (back.version, client.alias("aliased", "live")) == (1, back)
    assert client.model("aliased").aliases == {"live": 1} == client.model("aliased/1").aliases
    assert client.aliases("aliased") == [back]
    client.delete_alias("aliased", "live")
    moves = [*client.moves("aliased", "live")]
    assert [(move.origin, move.to) for move in moves] == [(1, None), (2, 1), (1, 2), (None, 1)]
    assert moves[-1].why == "because"
    assert moves[0].at <= datetime.now(UTC)


def test_lists_go_on_over_their_pages(client: Client) -> None:
    """More models and moves than one page holds are listed, each once."""
    client.train(ROWS, "score", name="page-0", preset="tutorial")
    snapshot = client.snapshot("page-0")
    for place in range(1, 103):
        client.import_snapshot(f"page-{place}", snapshot)
    for _ in range(51):
        client.point("page-0", "live", 1)
        client.delete_alias("page-0", "live")

    names = [model.model for model in client.models("page-")]

    assert names == sorted(names)
    assert len(set(names)) == len(names) == 103
    assert len({move.revision for move in client.moves("page-0", "live")}) == 102
    newest = [model.model for model in client.models("page-", newest_first=True)]
    assert newest == [f"page-{place}" for place in range(102, -1, -1)]


def test_models_are_listed_by_what_they_are_tagged_with(client: Client) -> None:
    """With a value, or whatever it is; with several tags, by all of them."""
    for name, plan in (("tagged-1", "free"), ("tagged-2", "paid")):
        client.train(ROWS, "score", name=name, preset="tutorial", tags={"plan": plan, "kind": "tagged"})

    assert [model.model for model in client.models(tags={"kind": "tagged", "plan": "paid"})] == ["tagged-2"]
    all_of_them = [model.tags for model in client.models(tags={"kind": "tagged", "plan": None})]
    assert all_of_them == [{"plan": plan, "kind": "tagged"} for plan in ("free", "paid")]
    with pytest.raises(NotUsable, match="'a=b'"):
        list(client.models(tags={"a=b": "c"}))


def test_models_leave_and_come_in(client: Client, tmp_path: Path) -> None:
    """A snapshot is taken in byte for byte; an export says how well it was checked."""
    client.train(ROWS, "score", name="left", preset="tutorial")
    path = tmp_path / "left.safetensors"
    path.write_bytes(client.snapshot("left"))

    came, again = client.import_snapshot("came", path), client.import_snapshot("came", path.read_bytes())
    export = client.export("came/1", "json")

    assert came.reference == again.reference == "came/1"
    assert came.sha256 == client.model("left").sha256
    assert (export.name, export.reference) == ("came_1.json", "came/1")
    assert json.loads(export.data)
    assert export.max_difference < 1e-9
    assert export.checked_rows > 0


def test_a_network_in_onnx_comes_in(client: Client) -> None:
    """With the names that are given."""
    model = client.import_onnx("in", graphs.regressor(), columns=["a", "b", "c"], target="d")

    assert ([column.name for column in model.columns], model.target) == (["a", "b", "c"], "d")
    assert len(client.predict("in", X=[4, 8, 2]).predictions) == 1


def test_versions_are_kept_and_deleted(client: Client) -> None:
    """What is gone is not found."""
    for _ in range(3):
        client.train(ROWS, "score", name="kept", preset="tutorial")

    kept = client.keep("kept", 2)
    client.delete("kept/3")

    assert (kept.keep_last, kept.expired) == (2, [1])
    assert client.model("kept").versions == [2]
    client.delete("kept")
    with pytest.raises(NotFound) as caught:
        client.model("kept")
    assert caught.value.kind == "model-not-found"
    assert caught.value.request_id


def test_a_dataset_is_uploaded_once_and_trained_from(client: Client) -> None:
    """The same one twice is one, which knows its models."""
    table = pd.DataFrame({"a": ["007", "008", "009"], "b": [1, 2, 3]})
    dataset = client.upload(table)

    model = client.train(dataset=dataset.dataset, target="b", name="data", training={"epochs": 1})

    assert client.upload(table).dataset == dataset.dataset
    assert client.dataset(dataset.dataset).models == [model.reference]
    assert dataset.dataset in [listed.dataset for listed in client.datasets()]
    client.delete_dataset(dataset.dataset)
    with pytest.raises(NotFound):
        client.dataset(dataset.dataset)


@pytest.mark.parametrize("ending", ["csv", "parquet", "ndjson", "json"])
def test_a_file_is_answered_into_another(client: Client, tmp_path: Path, ending: str) -> None:
    """Of the kind that its ending says; what could not be answered leaves nothing behind."""
    client.train(ROWS, "score", name="filed", preset="tutorial")
    FRAME.drop(columns="score").to_csv(tmp_path / "new.csv", index=False)
    (tmp_path / "bad.csv").write_text("hours_studied,hours_slept\n1,x\n")
    answers = tmp_path / f"answers.{ending}"

    client.predict_file("filed", tmp_path / "new.csv", answers)
    with pytest.raises(DoesNotFit):
        client.predict_file("filed", tmp_path / "bad.csv", tmp_path / f"none.{ending}")

    assert answers.stat().st_size > 0
    assert {path.name for path in tmp_path.iterdir()} == {"new.csv", "bad.csv", answers.name}


def test_whatever_else_a_service_has_can_be_asked_for(client: Client) -> None:
    """By method and path."""
    client.train(ROWS, "score", name="else", preset="tutorial")

    told = client.call("GET", "/models/else/history", params={"max_points": "3"})
    near = client.call(
        "POST", "/models/else/counterfactual", json={"row": {"hours_studied": 1, "hours_slept": 5}, "wanted": 89}
    )

    assert len(told["loss"]) <= 4
    assert near
    assert client.call("DELETE", "/models/else") is None


PUPILS = [{"pupil": pupil, **row} for pupil in ("ann", "ben") for row in ROWS * 4]
FEW: dict[str, Any] = {"training": {"epochs": 5}}


def test_a_model_of_each_group_is_one_call(client: Client) -> None:
    """All are given, with those that have none; whoever watches is told of groups."""
    seen: list[Progress] = []
    rows = [*PUPILS, {"pupil": "new"} | ROWS[0]]

    groups = client.train_batch(rows, "score", group_by="pupil", name="batch", **FEW)
    watched = client.train_batch(
        pd.DataFrame(rows), "score", group_by="pupil", name="batch", progress=seen.append, **FEW
    )

    assert {model.group: model.reference for model in groups.models} == {
        "ann": "batch.ann/1",
        "ben": "batch.ben/1",
        "new": None,
    }
    assert [(model.group, model.rows) for model in groups.failed] == [("new", 1)]
    assert {model.reference for model in watched.models} == {"batch.ann/2", "batch.ben/2", None}
    assert [(told.epoch, told.epochs) for told in seen] == [(3, 3)]
    assert client.predict("batch.ann", NEW).raw["version"] == 2


def test_a_training_of_groups_is_begun_and_waited_for(client: Client) -> None:
    """Its job says how many there are; whoever waits for one model is told how to have them all."""
    job = client.begin(PUPILS, "score", group_by="pupil", name="begun", **FEW)

    assert job.groups == 2
    assert {model.model for model in client.wait_batch(job.job).models} == {"begun.ann", "begun.ben"}
    with pytest.raises(NotUsable, match="wait_batch"):
        client.wait(job.job)


def test_groups_of_which_none_can_be_learnt_have_failed(client: Client) -> None:
    """At once, or when they are waited for."""
    rows = [{"pupil": "a"} | ROWS[0], {"pupil": "b"} | ROWS[1]]

    with pytest.raises(DoesNotFit, match="No group can be learnt"):
        client.train_batch(rows, "score", group_by="pupil")
    with pytest.raises(TrainingFailed):
        client.wait_batch(client.begin(rows, "score", group_by="pupil").job)


def test_an_error_says_what_is_wrong_where(client: Client) -> None:
    """As a program that fails prints it: the first faults, with their places, and how many more there are."""
    cells = [{"x": "x" if row % 3 else row, "y": row} for row in range(12)]

    with pytest.raises(DoesNotFit) as setting:
        client.call("POST", "/train", json={"rows": ROWS, "target": "score", "nam": "exam"})
    with pytest.raises(DoesNotFit) as table:
        client.call("POST", "/train", json={"rows": cells, "target": "y", "kinds": {"x": "number"}})

    assert str(setting.value) == "The request is not what this route takes. (field nam: no such setting; is it name?)"
    first, *others = str(table.value).split(" (")
    assert first == "Some cells are not what their column needs."
    assert others[0] == 'row 1, column x: expected a number, got text "x")'
    assert others[3:] == ["and 5 more)"]
