"""`netlet train` as a process, with a real service: one command line, and whatever happens on the way."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from tests.conftest import Server, StartServer, wait_until
from tests.service.test_readme import README, blocks

EXAM = "hours_studied,hours_slept,score\n2,9,92\n1,5,86\n3,6,89\n"
GRADES = "hours,course,passed\n1.5,art,no\n4,law,yes\n5,art,yes\n2,law,no\n"
SECONDS = 90
# Some seconds of work for any machine: as many epochs as asked for, one after the other.
LONG = ("--target", "score", "--name", "exam", "--set", "preset=tutorial", "--set", "training.epochs=40000")
ENDLESS = (*LONG[:-1], "training.epochs=10000000")


Begin = Callable[..., subprocess.Popen[str]]


def line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", "train", *arguments]


def environment(url: str) -> dict[str, str]:
    """Reach only the service, and look like a terminal only where there is one."""
    coloured = {"FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
    return {name: value for name, value in os.environ.items() if name not in coloured} | {
        "NETLET_URL": url,
        "NO_PROXY": "*",
        "COLUMNS": "100",
    }


def train(url: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        line(*arguments),
        env=environment(url),
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def job_of(process: subprocess.Popen[str]) -> str:
    """Read which job the command says it follows."""
    assert process.stderr is not None
    return process.stderr.readline().split("job ")[1].split(".")[0]


def state_of(server: Server, job: str) -> Any:
    with server.client() as client:
        return client.get(f"/jobs/{job}").json()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def exam(tmp_path: Path) -> str:
    path = tmp_path / "exam.csv"
    path.write_text(EXAM)
    return str(path)


@pytest.fixture
def grades(tmp_path: Path) -> str:
    path = tmp_path / "grades.csv"
    path.write_text(GRADES)
    return str(path)


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Run commands beside the test, all of which are ended with it."""
    begun: list[subprocess.Popen[str]] = []

    def run(url: str, *arguments: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        begun.append(subprocess.Popen(line(*arguments), env=environment(url), stdout=pipe, stderr=pipe, text=True))
        return begun[-1]

    yield run
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT interrupt children, also where this process was started by a shell that goes on without it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_csv_is_learnt_by_one_command_line(start_server: StartServer, grades: str) -> None:
    """The model is there, with the settings that were given; its reference is the first line, its figures follow."""
    server = start_server()

    run = train(server.url, grades, "--target", "passed", "--name", "grades", "--set", "training.seed=7")

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[0] == "grades/1"
    assert "classification of passed" in run.stdout
    assert "accuracy 1," in run.stdout
    with server.client() as client:
        assert client.get("/models/grades").json()["training"]["seed"] == 7


def test_standard_error_of_a_pipe_has_no_progress_bar(start_server: StartServer, grades: str) -> None:
    """One line says which job it is; with --quiet there is nothing, and standard output is the reference alone."""
    url = start_server().url

    told = train(url, grades, "--target", "passed", "--name", "grades")
    quiet = train(url, grades, "--target", "passed", "--name", "grades", "--quiet")

    assert told.stderr.startswith("Training as job ")
    assert told.stderr.count("\n") == 1
    assert (quiet.stdout, quiet.stderr) == ("grades/2\n", "")


def test_a_terminal_shows_a_progress_bar(start_server: StartServer, exam: str) -> None:
    """Epochs, loss, speed and what is left move there; standard output, a pipe, has the bare answer."""
    ours, theirs = pty.openpty()
    url = start_server().url

    with subprocess.Popen(
        line(exam, *LONG), env=environment(url) | {"TERM": "xterm"}, stdout=subprocess.PIPE, stderr=theirs, text=True
    ) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        assert process.stdout is not None
        answer = process.stdout.read()
    os.close(ours)

    assert process.returncode == 0
    assert answer.startswith("exam/1\n")
    assert "\x1b" not in answer
    screen = shown.decode()
    assert "━" in screen
    assert all(word in screen for word in ("/40,000", "loss ", " rows/s", " left"))
    assert len({part.split("/")[0] for part in screen.split("epoch ")[1:]}) > 3


def _read(terminal: int) -> bytes:
    """Read what is shown; nothing once nobody shows anything any more."""
    try:
        return os.read(terminal, 2**16)
    except OSError:
        return b""


def test_one_table_is_one_model_whatever_file_it_comes_in(start_server: StartServer, grades: str) -> None:
    """CSV, Parquet, Arrow, NDJSON, JSON and standard input give the same loss to the last bit, as one JSON object."""
    url = start_server().url
    folder, table = Path(grades).parent, csv.read_csv(grades)
    parquet.write_table(table, folder / "grades.parquet")
    with pa.ipc.new_stream(folder / "grades.arrows", table.schema) as stream:
        stream.write_table(table)
    rows = table.to_pylist()
    (folder / "grades.ndjson").write_text("\n".join(map(json.dumps, rows)))
    (folder / "grades.json").write_text(json.dumps(rows))

    files = [grades, *(str(folder / f"grades.{ending}") for ending in ("parquet", "arrows", "ndjson", "json")), "-"]
    runs = [train(url, file, "--target", "passed", "--json", given=GRADES) for file in files]

    assert len({json.loads(run.stdout)["report"]["loss"] for run in runs}) == 1


def test_a_table_too_large_for_one_request_becomes_a_dataset(start_server: StartServer, tmp_path: Path) -> None:
    """The service takes a thousand bytes at once: the model names the dataset, in which 007 stayed as it was."""
    server = start_server(NETLET_TRAIN_BYTES="1000")
    path = tmp_path / "agents.csv"
    path.write_text("agent;hours\n" + "".join(f"{row % 3:03};{row % 3 + row % 2},5\n" for row in range(2000)))
    wanted = ("--set", "kinds.agent=category", "--set", "delimiter=;", "--set", "training.epochs=1")

    run = train(server.url, str(path), "--target", "hours", "--json", *wanted)

    assert run.returncode == 0, run.stderr
    model = json.loads(run.stdout)
    assert model["report"]["rows"] == 2000
    assert model["columns"][0]["levels"] == ["000", "001", "002"]
    with server.client() as client:
        assert client.get(f"/datasets/{model['dataset']}").json()["models"] == [model["reference"]]


def test_a_service_that_restarts_in_the_middle_costs_nothing(
    start_server: StartServer, begin: Begin, exam: str
) -> None:
    """Killed while it trains, and back a while later at the same address: the command ends as if nothing had been."""
    settings = {"NETLET_LEASE_SECONDS": "2"}
    port = str(free_port())
    server = start_server("--port", port, **settings)
    process = begin(server.url, exam, *LONG)
    job = job_of(process)
    wait_until(lambda: state_of(server, job)["epoch"] is not None)

    server.end(signal.SIGKILL)
    wait_until(lambda: "trying again" in str(process.stderr and process.stderr.readline()))
    server = start_server("--port", port, **settings)
    answer, told = process.communicate(timeout=SECONDS)

    assert process.returncode == 0, told
    assert answer.startswith("exam/1\n")
    assert state_of(server, job)["attempt"] == 2


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_the_training_to_itself(start_server: StartServer, begin: Begin, exam: str) -> None:
    """Exit code 130 and how to look at it; it goes on, and can be followed again to its end."""
    server = start_server()
    process = begin(server.url, exam, *LONG)
    job = job_of(process)
    wait_until(lambda: state_of(server, job)["epoch"] is not None)

    process.send_signal(signal.SIGINT)
    answer, told = process.communicate(timeout=SECONDS)
    went_on = state_of(server, job)["status"]
    again = train(server.url, "--follow", job)

    assert (process.returncode, answer, went_on) == (130, "", "running")
    assert "Detached; the training goes on." in told
    assert f"netlet jobs show {job} --url {server.url}" in told
    assert f"netlet jobs follow {job} --url {server.url}" in told
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, "exam/1")


def test_a_bad_cell_is_named_by_row_and_column(start_server: StartServer) -> None:
    """Exit code 4; the first faults, and how many more there are."""
    rows = "".join(f"{row},{row if row % 2 else 'no'}\n" for row in range(70))

    run = train(start_server().url, "-", "--target", "b", given="a,b\n" + rows)

    assert (run.returncode, run.stdout) == (4, "")
    assert "row 0, column b: expected a number" in run.stderr
    assert "and 15 more" in run.stderr
    assert "rows count from 0" in run.stderr


def test_a_service_that_is_not_there_is_soon_given_up() -> None:
    """Exit code 5, and the address that was tried."""
    url = f"http://127.0.0.1:{free_port()}"

    run = train(url, "-", "--target", "score", given=EXAM)

    assert (run.returncode, run.stdout) == (5, "")
    assert f"Nobody answers at {url}" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_job_that_is_not_there_is_not_found(start_server: StartServer) -> None:
    """Exit code 3, and what to do."""
    run = train(start_server().url, "--follow", "nobody")

    assert (run.returncode, run.stdout) == (3, "")
    assert "There is no job of that id" in run.stderr


def test_a_training_that_fails_is_told_so(start_server: StartServer, exam: str) -> None:
    """Exit code 1, and why."""
    run = train(start_server().url, exam, *ENDLESS, "--timeout", "0.5")

    assert (run.returncode, run.stdout) == (1, "")
    assert "The training failed: The training took longer" in run.stderr


def test_a_training_that_is_cancelled_is_told_so(start_server: StartServer, begin: Begin, exam: str) -> None:
    """Exit code 1; nothing is there."""
    server = start_server()
    process = begin(server.url, exam, *ENDLESS)
    job = job_of(process)
    wait_until(lambda: state_of(server, job)["epoch"] is not None)

    with server.client() as client:
        client.delete(f"/jobs/{job}").raise_for_status()
    answer, told = process.communicate(timeout=SECONDS)

    assert (process.returncode, answer) == (1, "")
    assert told == "The training was cancelled.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give a FILE to learn from, or --follow JOB."),
        (("a.csv", "--follow", "abc"), "Give a FILE to learn from, or --follow JOB."),
        (("a.xlsx", "--target", "b"), "a.xlsx is none of .csv,"),
        (("nowhere.csv", "--target", "b"), "nowhere.csv cannot be read (No such file or directory)."),
        (("-", "--set", "epochs"), "--set takes NAME=VALUE"),
        (("-", "--url", "ftp://127.0.0.1"), "ftp://127.0.0.1 is no address of a service"),
        (("-", "--url", "http://a:b"), "http://a:b is no address of a service"),
        (("-", "--priority", "high"), "priority"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_told_so(arguments: tuple[str, ...], said: str) -> None:
    """Exit code 2, what is wrong, and nothing is sent."""
    run = train("http://127.0.0.1:9", *arguments)

    assert (run.returncode, run.stdout) == (2, "")
    assert said in run.stderr
    assert "Traceback" not in run.stderr


def test_the_command_lines_of_the_readme_work(start_server: StartServer, grades: str) -> None:
    """Pasted in order, beside the files that README made before, each does what README says."""
    commands = "\n".join(block for block in blocks(README, "sh") if re.search("netlet (train|predict)", block))
    script = f'netlet() {{ "{sys.executable}" -m app.cli "$@"; }}\n{commands}'
    shell = environment(start_server().url) | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    folder = Path(grades).parent
    (folder / "new.csv").write_text("hours,course\n4.5,art\n")

    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607
        env=shell,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    told = [line for line in run.stdout.splitlines() if not line.startswith("  ")]
    assert told[:5] == ["grades/1", "grades/2", "yes", "yes", "grades/2"]
    assert told[-4:] == ["grades@live is grades/1 (revision 1)", "grades.safetensors", "passed/1", "grades/1"]
    assert (folder / "answers.csv").read_text() == '"passed","in_range"\n"yes",true\n'


def test_a_model_of_each_group_is_a_line(start_server: StartServer, tmp_path: Path) -> None:
    """With its figures and its fault; followed again, by its job; and with `--json` an object each."""
    path = tmp_path / "pupils.csv"
    rows = [f"{pupil},{row % 5},{row}" for pupil in ("ann", "ben") for row in range(12)]
    path.write_text("\n".join(["pupil,hours,score", *rows, "new,1,2"]), encoding="utf-8")
    url = start_server().url
    how = (str(path), "--target", "score", "--name", "pupils", "--group-by", "pupil", "--set", "training.epochs=5")

    told, as_json = train(url, *how), train(url, *how, "--json")
    job = re.search(r"[0-9a-f]{16}", told.stderr)
    assert job is not None
    again = train(url, "--follow", job[0], "--quiet")

    assert told.returncode == as_json.returncode == 0, told.stderr
    assert "pupils.ann" in told.stdout
    assert "at least 2" in told.stdout
    made = {row["model"]: row["version"] for row in map(json.loads, as_json.stdout.splitlines())}
    assert made == {"pupils.ann": 2, "pupils.ben": 2, "pupils.new": None}
    assert set(again.stdout.split()) == {*made}
