"""systemd knows every word of the unit, and calls it well confined."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.linting import DEPLOY, unit

UNIT = DEPLOY / "netlet.service"
MOST_EXPOSED = 15  # of 100; systemd calls up to 19 OK


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, or skip with what is missing."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze here, which Debian has in its package systemd")
    environment = os.environ | {"LC_ALL": "C"}
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, env=environment)  # noqa: S607 - the machine's own


def installed(folder: Path, text: str) -> Path:
    """Put a unit where the program that it starts is there, under a name without blanks."""
    file, program = folder / UNIT.name, folder / "netlet"
    program.symlink_to(Path(sys.executable).with_name("netlet"))
    file.write_text(text.replace("/opt/netlet/bin/netlet", str(program)), encoding="utf-8")
    return file


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """It neither fails nor warns."""
    run = analyze("verify", "--man=no", str(installed(tmp_path, UNIT.read_text(encoding="utf-8"))))

    told = [line for line in run.stderr.splitlines() if UNIT.name in line]  # and not of the machine's own units
    assert (run.returncode, told) == (0, [])


def test_systemd_finds_a_word_that_it_does_not_know(tmp_path: Path) -> None:
    """So its silence means something."""
    broken = UNIT.read_text(encoding="utf-8").replace("ProtectSystem=", "ProtectSytem=")

    run = analyze("verify", "--man=no", str(installed(tmp_path, broken)))

    assert "ProtectSytem" in run.stderr


def test_systemd_calls_the_unit_well_confined() -> None:
    """Of ten points of exposure, it has less than one and a half."""
    run = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", str(UNIT))

    if "unrecognized option" in run.stderr:
        pytest.skip("this systemd is older than 250 and judges no unit that is not installed")
    assert run.returncode == 0, run.stdout[-300:]


def test_what_was_asked_for_once_is_not_tried_for_ever() -> None:
    """A service that is lost begins again; one whose settings are wrong, which exit code 2 says, does not."""
    told = unit()

    assert (told["Restart"], told["RestartPreventExitStatus"]) == ("on-failure", "2")


def test_a_stop_reaches_the_server_first() -> None:
    """Trainings are told by it: a signal to all would kill them before they have written down how far they are."""
    told = unit()

    assert (told["KillMode"], told["KillSignal"]) == ("mixed", "SIGTERM")


def test_netlet_runs_as_nobody_in_particular_and_writes_in_its_own_folder() -> None:
    """Everything else is read-only to it."""
    told = unit()

    assert told["User"] != "root"
    assert (told["StateDirectory"], told["ProtectSystem"], told["NoNewPrivileges"]) == ("netlet", "strict", "yes")
    assert "NETLET_MODELS=/var/lib/netlet" in told["Environment"]
