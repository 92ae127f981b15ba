"""What `netlet train` says of how a training ended, and the code that it ends with."""

import json
from pathlib import Path

import pytest
import typer

from app.commands import training
from app.commands.talking import Exit, Talk
from tests.client.fake_service import Answer, serving

ENDED = {
    "job": "abc",
    "status": "cancelled",
    "model": "exam",
    "version": None,
    "partial": False,
    "error": None,
    "epoch": None,
    "created": "2026-01-01T00:00:00Z",
}
MODEL = {
    "model": "exam",
    "version": 1,
    "reference": "exam/1",
    "task": "regression",
    "columns": [],
    "target": ["a", "b"],
    "report": {
        "rows": 1200,
        "rows_held_out": 120,
        "epochs": 3,
        "stopped": "patience",
        "parameters": 9,
        "metrics": {"training": {"rmse": 0.5, "r2": None}},
        "choice": "As set.",
        "warnings": ["Column c has one value."],
    },
    "created": "2026-01-01T00:00:00Z",
    "aliases": [],
}


def events(**job: object) -> Answer:
    told = ENDED | job
    return Answer(200, f"event: {told['status']}\ndata: {json.dumps(told)}\n\n", "text/event-stream")


def code_of(answers: list[Answer], *, file: str = "", follow: str = "", url: str = "", quiet: bool = False) -> int:
    """Run the command with a fake service, and give the code that it ends with."""
    with serving(answers) as (fake, _):
        talk = Talk(url or fake, None, as_json=False, quiet=quiet)
        try:
            training.follow(talk, follow) if follow else training.train(talk, file, {}, [])
        except typer.Exit as end:
            return end.exit_code
        return Exit.DONE


def test_what_was_kept_of_a_cancelled_training_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """It failed to be the model that was asked for, but there is one."""
    code = code_of([events(version=2, partial=True)], follow="abc")

    assert code == Exit.FAILED
    assert capsys.readouterr().err == "The training was cancelled. exam/2 is what there was of it by then.\n"


def test_key_figures_are_lines_after_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not known is left out; warnings are there."""
    code = code_of([events(status="succeeded", version=1), Answer(200, json.dumps(MODEL))], follow="abc")

    assert code == Exit.DONE
    assert capsys.readouterr().out.splitlines() == [
        "exam/1",
        "  task        regression of a, b",
        "  rows        1,200, 120 of them held out",
        "  epochs      3, ended by: patience",
        "  parameters  9",
        "  training    rmse 0.5",
        "  choice      As set.",
        "  warning     Column c has one value.",
    ]


def test_a_model_that_is_there_already_is_printed_at_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """201 to a request that was sent twice: its job is found, and is over."""
    (tmp_path / "a.csv").write_text("a\n1\n")
    jobs = Answer(200, json.dumps({"jobs": [ENDED, ENDED | {"job": "def", "version": 1}]}))
    model = Answer(201, json.dumps(MODEL))

    code = code_of(
        [model, jobs, events(status="succeeded", version=1), model], file=str(tmp_path / "a.csv"), quiet=True
    )

    assert (code, capsys.readouterr().out) == (Exit.DONE, "exam/1\n")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, Exit.NOT_FOUND),
        (409, Exit.REFUSED),
        (422, Exit.REFUSED),
        (429, Exit.REFUSED),
        (500, Exit.FAILED),
        (507, Exit.FAILED),
        (502, Exit.UNREACHABLE),
        (503, Exit.UNREACHABLE),
    ],
)
def test_each_answer_has_its_exit_code(status: int, code: Exit) -> None:
    """A service that wants to be asked again in an hour is not waited for."""
    assert code_of([Answer(status, "{}", retry_after="3600")], follow="abc") == code


def test_a_service_that_went_away_leaves_word_of_the_training(capsys: pytest.CaptureFixture[str]) -> None:
    """How to look at it again is told where the service cannot be reached any more, in words that a shell takes."""
    code = code_of([], url="http://127.0.0.1:9", follow="a job")

    told = capsys.readouterr().err
    assert code == Exit.UNREACHABLE
    assert "netlet jobs show 'a job' --url http://127.0.0.1:9" in told
    assert "netlet jobs follow 'a job' --url http://127.0.0.1:9" in told


@pytest.mark.parametrize("setting", ["rows=5", "self=5", "rows.a=5"])
def test_the_table_is_no_setting(setting: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is the file, and the code is that for wrong use."""
    (tmp_path / "a.csv").write_text("a,b\n1,2\n", "utf-8")
    talk = Talk("http://127.0.0.1:1", None, as_json=False, quiet=False)

    with pytest.raises(typer.Exit) as ended:
        training.train(talk, str(tmp_path / "a.csv"), {"target": ["b"]}, [setting])

    assert ended.value.exit_code == Exit.WRONG_USE
    assert "FILE" in capsys.readouterr().err
