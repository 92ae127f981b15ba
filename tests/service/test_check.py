"""`netlet check`: what lies in a store, held against its catalogue, and mended where that can be."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROWS, TUTORIAL, StartServer


def checked(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", "check", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_every_snapshot_and_dataset_is_verified(
    start_server: StartServer, environment: dict[str, str], tmp_path: Path
) -> None:
    """Exit code 0 and a count; with a damaged file, 1 and its name; without a store, 3."""
    with start_server().client() as client:
        for _ in range(2):
            client.post("/train", json=TUTORIAL).raise_for_status()
        dataset = client.post("/datasets", json=ROWS).json()["dataset"]

    good = checked(environment)
    path = tmp_path / "models" / "exam" / "1.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    (tmp_path / "models" / ".datasets" / f"{dataset}.parquet").unlink()
    bad = checked(environment)
    environment["NETLET_MODELS"] = str(tmp_path / "nowhere")
    nothing = checked(environment)

    assert (good.returncode, bad.returncode, nothing.returncode) == (0, 1, 3)
    assert good.stdout.startswith("2 snapshots and 1 dataset in")
    assert "exam/1 is damaged" in bad.stderr
    assert f"Dataset {dataset} is damaged" in bad.stderr
    assert "2 damaged" in bad.stdout
    assert nothing.stderr.startswith("There is no store at")


def test_what_nobody_knows_is_told_and_mended(
    start_server: StartServer, environment: dict[str, str], tmp_path: Path
) -> None:
    """A file without a row, and what a crash left, are exit code 1 until they are repaired; not beside a service."""
    exam = tmp_path / "models" / "exam"
    server = start_server()
    with server.client() as client:
        client.post("/train", json=TUTORIAL).raise_for_status()
    shutil.copyfile(exam / "1.safetensors", exam / "9.safetensors")
    (exam / "7.safetensors.orphan-0").write_bytes(b"")

    beside, refused = checked(environment), checked(environment, "--repair")
    server.end()
    told, mended, good = checked(environment), checked(environment, "--repair"), checked(environment)

    assert [run.returncode for run in (beside, refused, told, mended, good)] == [0, 1, 1, 0, 0]
    assert "Another process uses the store" in refused.stderr
    assert "exam/9 is not in the catalogue" in told.stderr
    assert "exam/9 is listed now" in mended.stderr
    assert sorted(path.name for path in exam.iterdir()) == ["1.safetensors", "9.safetensors"]
    assert good.stdout.startswith("2 snapshots and 0 datasets in")


def test_a_catalogue_that_cannot_be_read_is_told_in_a_line(environment: dict[str, str], tmp_path: Path) -> None:
    """With what helps."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ".catalogue.sqlite").write_bytes(b"no database" * 1000)

    run = checked(environment)

    assert run.returncode == 1
    assert run.stderr.startswith("The catalogue is damaged")
    assert run.stderr.count("\n") == 1
