"""What `netlet train` says of how a training ended, and the code that it ends with."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.commands.training import Asked, Exit, run
from tests.client.fake_service import Answer, serving

ENDED = {"status": "cancelled", "model": "exam", "version": None, "partial": False, "error": None, "epoch": None}
MODEL = {
    "reference": "exam/1",
    "task": "regression",
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
}
NOTHING_ASKED = Asked(url="", file="", follow="", settings=(), how={}, as_json=False, quiet=False)


def events(**job: object) -> Answer:
    told = ENDED | job
    return Answer(200, f"event: {told['status']}\ndata: {json.dumps(told)}\n\n", "text/event-stream")


def run_with(answers: list[Answer], **asked: Any) -> Exit:
    """Run the command with a fake service."""
    with serving(answers) as (url, _):
        return run(replace(NOTHING_ASKED, **({"url": url} | asked)))


def test_what_was_kept_of_a_cancelled_training_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """It failed to be the model that was asked for, but there is one."""
    code = run_with([events(version=2, partial=True)], follow="abc")

    assert code == Exit.FAILED
    assert capsys.readouterr().err == "The training was cancelled.\nexam/2 is what there was of it by then.\n"


def test_key_figures_are_lines_after_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not known is left out; warnings are there."""
    code = run_with([events(status="succeeded", version=1), Answer(200, json.dumps(MODEL))], follow="abc")

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
    """201 to a request that was sent twice: there is no job to follow."""
    (tmp_path / "a.csv").write_text("a\n1\n")

    code = run_with([Answer(201, json.dumps(MODEL))], file=str(tmp_path / "a.csv"), quiet=True)

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
    assert run_with([Answer(status, "{}", retry_after="3600")], follow="abc") == code


def test_a_service_that_went_away_leaves_word_of_the_training(capsys: pytest.CaptureFixture[str]) -> None:
    """How to look at it again is told where the service cannot be reached any more, in words that a shell takes."""
    code = run_with([], url="http://127.0.0.1:9", follow="a job")

    told = capsys.readouterr().err
    assert code == Exit.UNREACHABLE
    assert "curl 'http://127.0.0.1:9/jobs/a job'" in told
    assert "netlet train --follow 'a job' --url http://127.0.0.1:9" in told
