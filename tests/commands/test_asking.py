"""What a command line asks a real service: predict, models, jobs, bench."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import csv

from app.client import Client, Event, Search
from tests.client.fake_service import Answer, serving
from tests.commands.running import netlet
from tests.conftest import ROWS, wait_until

NEW = "hours_studied,hours_slept\n2,9\n4,8\n"


@pytest.mark.parametrize(
    "values", [("4", "8"), ("hours_slept=8", "hours_studied=4"), ("--quiet", "4", "8"), ("4.0", " 8 ")]
)
def test_a_row_is_asked_about_by_its_values(url: str, name: str, values: tuple[str, ...]) -> None:
    """In order or by name; standard output is the bare answer."""
    ran = netlet(url, "predict", name, *values)

    assert ran.code == 0
    assert float(ran.out) == pytest.approx(90.35334158360055, abs=1e-9)


def test_what_a_model_has_not_seen_is_told_beside_the_answer(url: str, name: str) -> None:
    """On standard error, column by column; a number may be negative."""
    ran = netlet(url, "predict", name, "4", "-8")

    assert ran.err.splitlines() == [
        f"hours_studied 4: {name}/1 has learnt from 1 to 3 only.",
        f"hours_slept -8: {name}/1 has learnt from 5 to 9 only.",
    ]
    assert netlet(url, "predict", name, "2", "8").err == ""


def test_an_answer_of_classes_comes_with_what_was_asked_for(url: str) -> None:
    """Probabilities, the set of labels, why there is none, what each value adds; an unknown word is named."""
    rows = [{"course": "al"[row % 2], "hours": row, "passed": "yes" if row % 2 else "no"} for row in range(40)]
    with Client(url) as client:
        client.train(rows, "passed", name="grades", training={"epochs": 20})

    wanted = ("--proba", "--interval", "0.8", "--explain", "--abstain")
    ran = netlet(url, "predict", "grades", "course=a", "hours=4", *wanted)
    odd = netlet(url, "predict", "grades", "x", "4")

    told = {line.split()[0]: line.split(maxsplit=1)[1] for line in ran.out.splitlines()[1:]}
    assert ran.out.splitlines()[0] == "no"
    assert told["among"] == "no"
    assert told["probability"].startswith("no 0.")
    assert told["course"].startswith("no +")
    assert "baseline" in told
    assert "course: grades/1 has not learnt from a row with this." in odd.err


def test_several_targets_are_one_line(url: str) -> None:
    """With an interval each."""
    with Client(url) as client:
        client.train([{"a": a, "b": a * 2, "c": -a} for a in range(40)], ["b", "c"], name="two", training={"epochs": 9})

    ran = netlet(url, "predict", "two", "3", "--interval", "0.8", "--explain")

    assert len(ran.out.splitlines()[0].split()) == 2
    assert ran.out.splitlines()[1].count(" to ") == 2


def test_a_row_is_answered_as_json_where_that_is_wanted(url: str, name: str) -> None:
    """One object, as the service has it."""
    (answer,) = netlet(url, "predict", name, "2", "9", "--json").objects

    assert (answer["model"], answer["in_range"]) == (name, [True])


def test_a_file_is_answered_as_a_table(url: str, name: str, tmp_path: Path) -> None:
    """CSV on standard output, JSON objects line by line, or a file of the kind that its name says."""
    path, out = tmp_path / "new.csv", tmp_path / "answers.parquet"
    path.write_text(NEW)

    printed = netlet(url, "predict", name, str(path))
    objects = netlet(url, "predict", name, str(path), "--json").objects
    written = netlet(url, "predict", name, str(path), "-o", str(out))

    assert printed.out.splitlines()[0] == '"score","in_range"'
    assert [row["in_range"] for row in objects] == [True, False]
    assert (written.code, written.out) == (0, "")
    assert out.read_bytes()[:4] == b"PAR1"
    assert csv.read_csv(path).num_rows == len(objects)


def test_standard_input_is_a_table(url: str, name: str) -> None:
    """A column that the model does not know is left out where that is said, else named."""
    table = NEW.replace("hours_slept\n", "hours_slept,score\n").replace("9\n", "9,1\n").replace("8\n", "8,1\n")
    line = [sys.executable, "-m", "app.cli", "predict", name, "-", "--url", url]

    runs = [
        subprocess.run([*line, *more], input=table, capture_output=True, text=True, check=False, timeout=60)
        for more in ([], ["--ignore-extra"])
    ]

    assert [run.returncode for run in runs] == [4, 0]
    assert "column score: no such column" in runs[0].stderr
    assert runs[1].stdout.count("\n") == 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("predict", "nobody", "4", "8"), 3, "netlet models ls lists models."),
        (("predict", "{name}", "4"), 4, "expected 2 values, got 1 value"),
        (("predict", "{name}", "a=4", "8"), 2, "Name all values"),
        (("predict", "{name}", "a=4", "a=5"), 2, "twice"),
        (("predict", "{name}", "4", "8", "--intervall=0.9"), 2, "There is no option --intervall"),
        (("predict", "{name}", "4", "8", "-o", "x.csv"), 2, "-o is for the answers to a table"),
        (("predict", "{name}", "nowhere.csv"), 2, "nowhere.csv cannot be read"),
        (("predict", "{name}", "-", "--explain"), 2, "--explain is for one row"),
        (("models", "show", "{name}/999"), 3, "tells which versions there are"),
        (("models", "keep", "{name}", "some"), 2, "some is no number of versions"),
        (("models", "point", "{name}", "1"), 2, "is no alias"),
        (("models", "point", "{name}@live", "999"), 3, "version"),
        (("models", "rollback", "{name}@live"), 3, "netlet models aliases"),
        (("models", "rm", "{name}"), 2, "--yes says so"),
        (("jobs", "show", "nobody"), 3, "netlet jobs ls"),
        (("jobs", "ls", "--state", "lost"), 4, "state"),
        (("export", "{name}", "--format", "excel"), 4, "format"),
        (("export", "{name}", "-o", "nowhere/at/all"), 1, "nowhere/at/all: No such file"),
        (("import", "nowhere.safetensors", "--name", "x"), 1, "nowhere.safetensors: No such file"),
        (("import", "pyproject.toml", "--name", "x"), 4, "snapshot"),
        (("import", "a.safetensors", "--name", "x", "--column", "a"), 2, "networks in ONNX"),
        (("bench", "nobody"), 3, "netlet models ls"),
        (("models", "ls", "--url", "ftp://a"), 2, "ftp://a is no address"),
        (("models", "ls", "--key", "a b"), 2, "That is no key"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_try(
    url: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """On standard error, with the exit code that stands for it, and nothing on standard output."""
    with Client(url) as client:
        client.train(ROWS, "score", name="wrong", preset="tutorial")

    ran = netlet(url, *(argument.replace("{name}", "wrong") for argument in arguments), given="")

    assert (ran.code, ran.out) == (code, ""), ran
    assert said in ran.err


def test_models_are_listed_shown_and_deleted(url: str, name: str) -> None:
    """As tables, as objects, or as names alone."""
    listed = netlet(url, "models", "ls", name)
    objects = netlet(url, "models", "ls", name, "--json").objects
    names = netlet(url, "models", "ls", name, "--quiet")
    shown = netlet(url, "models", "show", f"{name}/1")
    gone = netlet(url, "models", "rm", f"{name}/1", "--yes")

    head, _, row = listed.out.splitlines()
    assert head.split() == ["model", "newest", "versions", "task", "target", "columns"]
    assert row.split() == [name, "1", "1", "regression", "score", "hours_studied,", "hours_slept"]
    assert objects[0]["versions"] == [1]
    assert names.out == f"{name}\n"
    assert shown.out.startswith(f"{name}/1\n  task ")
    assert "hours_slept     integer   5 to 9" in shown.out
    assert (gone.code, gone.err) == (0, f"{name}/1 is deleted.\n")
    assert netlet(url, "models", "ls", name).err == "There are none.\n"


def test_models_are_listed_by_their_tags_and_age(url: str) -> None:
    """As the service lists them."""
    with Client(url) as client:
        for name, plan in (("ls-1", "free"), ("ls-2", "paid")):
            client.train(ROWS, "score", name=name, preset="tutorial", tags={"plan": plan})

    paid = netlet(url, "models", "ls", "ls-", "--tag", "plan=paid", "--quiet")
    newest = netlet(url, "models", "ls", "ls-", "--tag", "plan", "--newest", "--quiet")

    assert (paid.out, newest.out) == ("ls-2\n", "ls-2\nls-1\n")


def test_a_tag_that_is_named_twice_is_asked_for_with_its_value(url: str) -> None:
    """In whatever order; with two values no model has it, which is said."""
    with Client(url) as client:
        for name, plan in (("twice-1", "free"), ("twice-2", "paid")):
            client.train(ROWS, "score", name=name, preset="tutorial", tags={"plan": plan})

    for tags in (["plan=paid", "plan"], ["plan", "plan=paid"], ["plan=paid", "plan=paid"]):
        named = [part for tag in tags for part in ("--tag", tag)]
        assert netlet(url, "models", "ls", "twice-", *named, "--quiet").out == "twice-2\n"
    refused = netlet(url, "models", "ls", "--tag", "plan=free", "--tag", "plan=paid")
    assert "plan=free" in refused.err
    assert (refused.code, refused.out) == (2, "")


def test_what_is_deleted_is_asked_about_on_a_terminal(url: str, name: str) -> None:
    """A no leaves all as it is, and a yes does not."""
    line = [sys.executable, "-m", "app.cli", "models", "rm", name, "--url", url]
    codes = []
    for answer in (b"n\n", b"y\n"):
        ours, theirs = pty.openpty()
        os.write(ours, answer)
        codes.append(subprocess.run(line, stdin=theirs, capture_output=True, check=False, timeout=60).returncode)
        os.close(theirs)
        os.close(ours)
        codes.append(netlet(url, "models", "show", name).code)

    assert codes == [1, 0, 0, 3]


def test_aliases_are_pointed_and_rolled_back(url: str, name: str) -> None:
    """Each move is told, and so is the history."""
    with Client(url) as client:
        client.train(ROWS, "score", name=name, preset="tutorial")
    alias = f"{name}@live"

    first = netlet(url, "models", "point", alias, "1", "--why", "it is good")
    netlet(url, "models", "point", alias, "2")
    back = netlet(url, "models", "rollback", alias)
    listed = netlet(url, "models", "aliases", name, "-q")
    moves = netlet(url, "models", "moves", alias)
    kept = netlet(url, "models", "keep", name, "1")
    netlet(url, "models", "unpoint", alias)

    assert first.out == f"{alias} is {name}/1 (revision 1)\n"
    assert back.out == f"{alias} is {name}/1 (revision 3)\n"
    assert listed.out == f"{alias}\n"
    assert moves.out.splitlines()[0].split() == ["revision", "at", "from", "to", "restores", "who", "why"]
    assert moves.out.splitlines()[-1].endswith("it is good")
    assert kept.out == f"{name} keeps 1; nothing is deleted by it\n"
    assert netlet(url, "models", "aliases", name).err == "There are none.\n"
    assert netlet(url, "models", "keep", name, "all", "--json").objects[0]["keep_last"] is None


def test_jobs_are_listed_shown_followed_and_ended(url: str) -> None:
    """A cancelled training is one that failed to be the model that was asked for."""
    with Client(url) as client:
        job = client.begin(ROWS, "score", name="longer", preset="tutorial", training={"epochs": 10_000_000}).job
        wait_until(lambda: client.job(job).epoch is not None)

    listed = netlet(url, "jobs", "ls", "--state", "running")
    shown = netlet(url, "jobs", "show", job)
    ended = netlet(url, "jobs", "cancel", job, "--keep-best")
    with Client(url) as client:
        wait_until(lambda: client.job(job).ended is not None)
    followed = netlet(url, "jobs", "follow", job)

    assert job in listed.out
    assert "of 10,000,000" in shown.out
    assert ended.out.startswith(f"{job}\n  state ")
    assert followed.code == 1
    assert followed.err == "The training was cancelled. longer/1 is what there was of it by then.\n"
    assert netlet(url, "jobs", "show", job, "--json").objects[0]["partial"] is True
    assert netlet(url, "jobs", "ls", "-q", "--limit", "1").out.count("\n") == 1


def test_a_search_is_shown_while_it_goes_on_and_with_its_model(url: str) -> None:
    """How many trials are over, and the best of them; the Python client follows it, too."""
    told: list[Event] = []
    with Client(url) as client:
        table = [[hours, hours * hours % 7] for hours in range(30)]
        how = {"optimizer": "adam", "epochs": 20}
        search = {"trials": 3, "space": {"hidden": {"choices": [[2], [4, 4]]}}}
        y = [sum(row) for row in table]
        job = client.begin(X=table, y=y, name="searched", training=how, search=search, paused=True).job
        client.step(job, epochs=30)
        wait_until(lambda: client.job(job).search is not None)

        shown = netlet(url, "jobs", "show", job).out
        client.resume(job)
        told += client.follow(job)
        model = client.wait(job, lambda _progress: None)
    followed = netlet(url, "jobs", "follow", job).out

    assert re.search(r"trials +\d of 3\n", shown)
    assert re.search(r"best +trial \d, rmse \d", shown)
    best = model.raw["report"]["search"]["best"]
    assert re.search(rf"search +3 trials by rmse; the best is number {best}\n", followed)
    searches = [event.told for event in told if event.name == "search"]
    assert all(isinstance(each, Search) for each in searches)
    assert searches[0].raw["trials"][0]["number"] == 0
    assert told[-1].name == "succeeded"


@pytest.mark.parametrize("rows", [1, 50])
def test_a_service_is_measured(url: str, name: str, rows: int) -> None:
    """How many requests it answers, and how long they take; none of these fails."""
    line = ("bench", f"{name}", "--seconds", "0.3", "--connections", "3", "--rows", str(rows))

    (told,) = netlet(url, *line, "--json").objects
    printed = netlet(url, *line)
    quiet = netlet(url, *line, "-q")

    assert told["answered"] > 0
    assert told["failed"] == {}
    assert told["requests_per_second"] == pytest.approx(told["answered"] / told["seconds"])
    assert 0 < told["milliseconds"]["p50"] <= told["milliseconds"]["p99"] <= told["milliseconds"]["slowest"]
    assert printed.out.splitlines()[0] == f"{name}/1"
    assert ("rows/s" in printed.out) == (rows > 1)
    assert float(quiet.out) > 0


def test_a_service_that_begins_to_refuse_is_measured_as_such() -> None:
    """What was not answered is counted by status, and ends with exit code 1."""
    model = {
        "model": "exam",
        "version": 1,
        "reference": "exam/1",
        "columns": [{"name": "a", "example": 1}],
        "report": {},
        "created": "2026-01-01T00:00:00Z",
        "aliases": [],
    }
    answers = [Answer(200, json.dumps(model)), Answer(200, '{"predictions": [1]}'), *[Answer(429, "{}")] * 10_000]

    with serving(answers) as (url, _):
        ran = netlet(url, "bench", "exam", "--seconds", "0.2", "--connections", "2")

    assert ran.code == 1
    assert "(429)" in ran.out


def test_a_key_is_asked_for_by_name() -> None:
    """What to try is said where a service asks for one."""
    with serving([Answer(401, '{"detail": "Who asks?"}')] * 2) as (url, received):
        ran = netlet(url, "models", "ls")
        netlet(url, "models", "ls", "--key", "mine")

    assert (ran.code, ran.err) == (4, "Who asks?\n--key or NETLET_KEY says who asks.\n")
    assert "authorization" not in received[0].headers
    assert received[1].headers["authorization"] == "Bearer mine"


@pytest.mark.parametrize(("variables", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_has_colours_unless_it_is_to_have_none(
    url: str, name: str, variables: dict[str, str], *, is_coloured: bool
) -> None:
    """NO_COLOR is honoured."""
    ours, theirs = pty.openpty()
    line = [sys.executable, "-m", "app.cli", "models", "ls", name, "--url", url]
    environment = {n: v for n, v in os.environ.items() if n != "NO_COLOR"} | {"TERM": "xterm-256color"} | variables

    subprocess.run(line, stdout=theirs, env=environment, check=True, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 2**16).decode()
    os.close(ours)

    assert name in shown
    assert ("36m" in shown) == is_coloured
