"""What commands print where it cannot be printed as it is, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.client import Client
from tests.conftest import ROWS

SECONDS = 50
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def netlet(
    environment: dict[str, str], *arguments: str | bytes, stdout: int = subprocess.PIPE
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        env=os.environ | environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
        check=False,
    )


@pytest.mark.parametrize("terminal", [ASCII, {"PYTHONIOENCODING": "latin-1"}])
def test_letters_that_a_terminal_has_not_are_codes(url: str, terminal: dict[str, str]) -> None:
    """The command is done nevertheless."""
    with Client(url) as client:
        client.train([{"größe": row, "y": row} for row in range(3)], "y", name="letters", description="größer …")

    ran = netlet({"NETLET_URL": url} | terminal, "models", "show", "letters")

    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"letters/" in ran.stdout


def test_who_reads_no_further_is_told_nothing(url: str) -> None:
    """As `netlet models ls --json | head -1` does."""
    with Client(url) as client:
        client.train(ROWS, "score", name="listed", preset="tutorial")
    reader, writer = os.pipe()
    os.close(reader)

    ran = netlet({"NETLET_URL": url}, "models", "ls", "--json", stdout=writer)

    os.close(writer)
    assert (ran.returncode, ran.stderr) == (1, b"")


def test_a_file_whose_name_is_no_text_is_a_file(url: str, tmp_path: Path) -> None:
    """It is written, and its name printed with codes."""
    with Client(url) as client:
        client.train(ROWS, "score", name="named", preset="tutorial")
    file = os.fsencode(tmp_path) + b"/\xff.safetensors"

    ran = netlet({"NETLET_URL": url}, "export", "named", "-o", file)

    assert (ran.returncode, ran.stdout[-18:]) == (0, b"\\udcff.safetensors\n"[-18:])
    assert os.path.getsize(file)  # noqa: PTH202 - of octets


@pytest.mark.parametrize(
    "command", [("models", "show", b"\xff"), ("models", "ls", b"\xff"), ("predict", "letters", b"a=\xff")]
)
def test_what_is_no_text_is_no_name_and_no_value(url: str, command: tuple[str | bytes, ...]) -> None:
    """It is said in a line, with the code for wrong use."""
    ran = netlet({"NETLET_URL": url}, *command)

    assert (ran.returncode, ran.stdout, b"Traceback" in ran.stderr) == (2, b"", False)


@pytest.mark.parametrize("closed", ["0", "1", "2"])
def test_a_stream_that_is_closed_keeps_nobody_from_working(closed: str, url: str, tmp_path: Path) -> None:
    """As `>&-` and many a scheduler of jobs close it; what goes elsewhere is there."""
    with Client(url) as client:
        client.train(ROWS, "score", name="closed", preset="tutorial")
    out = tmp_path / "closed.safetensors"

    for command in (("models", "ls"), ("export", "closed", "-o", str(out))):
        ran = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {closed}>&-', "sh", sys.executable, "-m", "app.cli", *command],
            env=os.environ | {"NETLET_URL": url},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )

        assert ran.returncode == 0
        assert b"Traceback" not in ran.stderr
        assert (b"closed" in ran.stdout) is (closed != "1")
    assert out.stat().st_size
