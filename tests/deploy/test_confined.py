"""netlet does all it does with a root file system that is read-only, and no right but those of whoever runs it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import TUTORIAL, Server
from tests.deploy.linting import ROOT

READ_ONLY = """
set -e
mount --make-rprivate /
for folder in "$OWN" "$TMPDIR"; do mount --bind "$folder" "$folder"; done
mount --options remount,bind,ro /
exec "$@"
"""
CONFINED = [
    *("unshare", "--mount", "sh", "-c", READ_ONLY, "sh"),
    *("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"),
]
SERVE = [sys.executable, "-m", "app.cli", "serve", "--port", "0"]


class Confined(Server):
    """A real `netlet serve` as a container would run it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [*CONFINED, *SERVE], env=environment, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.url = self._address()


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Give a folder of a short name: the address of a socket in it may have no more than 107 bytes."""
    with TemporaryDirectory(prefix="netlet-") as folder:
        yield Path(folder)


@pytest.fixture
def own(tmp_path: Path, scratch: Path) -> dict[str, str]:
    """Make the only two folders that such a server may write, and name them as a deployment does."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("only root can make the root file system read-only for one process, with unshare and setpriv")
    models = tmp_path / "models"
    models.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NETLET_MODELS": str(models),
        "OWN": str(models),
        "TMPDIR": str(scratch),
        "MPLCONFIGDIR": str(scratch / "matplotlib"),
    }
    tried = subprocess.run([*CONFINED, "true"], env=environment, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"even root may not mount anything here ({tried.stderr.strip()})")
    return environment


def test_all_is_done_with_a_root_that_is_read_only(own: dict[str, str]) -> None:
    """Trainings, tables that are read twice, datasets, pictures and exports need two folders, and no right beside."""
    table = "hours_studied,hours_slept\n" + "2,9\n" * 300_000
    learnt = "hours_studied,hours_slept,score\n2,9,92\n1,5,86\n3,6,89\n"
    csv = {"content-type": "text/csv"}
    server = Confined(own)

    try:
        with server.client() as client:
            client.get("/readyz").raise_for_status()
            client.post("/train", json=TUTORIAL).raise_for_status()
            client.post("/models/exam/predict", content=table, headers=csv).raise_for_status()
            client.post("/datasets", content=learnt, headers=csv).raise_for_status()
            for what in ("diagram.svg", "learning-curve.png", "export?format=python", "snapshot"):
                client.get(f"/models/exam/{what}").raise_for_status()
        status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    finally:
        code = server.end()

    assert code == 0
    assert "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n" in status
    assert "NoNewPrivs:\t1\n" in status


def test_a_store_that_is_read_only_is_an_error_at_once(own: dict[str, str]) -> None:
    """It is named, with what is the matter."""
    elsewhere = ROOT / "models" / "nowhere"

    run = subprocess.run(
        [*CONFINED, *SERVE],
        env=own | {"NETLET_MODELS": str(elsewhere)},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert run.returncode == 1
    assert str(elsewhere) in run.stderr
    assert "Traceback" not in run.stderr
