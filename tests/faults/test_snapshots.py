"""Rows 75, 80 and 87 of the fault table: files of a store that are not what was acknowledged, or of another time."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from app.store.document import FORMAT
from tests.conftest import TUTORIAL, StartServer
from tests.golden.files import all_of_them
from tests.service.test_check import checked
from tests.store.forging import redocumented

ASKED = {"X": [[4, 8]]}


def trained(start_server: StartServer, **versions: int) -> dict[str, bytes]:
    """Train models, each with so many versions, in a service that then ends; give what their answers were."""
    server = start_server()
    with server.client() as client:
        for name, count in versions.items():
            for seed in range(count):
                body = TUTORIAL | {"name": name, "training": {"seed": seed}}
                client.post("/train", json=body).raise_for_status()
        answers = {name: client.post(f"/models/{name}/predict", json=ASKED).content for name in versions}
    server.end()
    return answers


def refused(client: httpx.Client, path: str, status: int, slug: str) -> dict[str, Any]:
    """Ask a version, and give the problem that this is refused with."""
    answer = client.post(f"/models/{path}/predict", json=ASKED)
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["type"]) == (status, f"/problems/{slug}")
    return told


def planted(root: Path, outside: Path) -> dict[str, bytes]:
    """Put in the place of a version's file what is none; give what lies outside of the store."""
    snapshot = (root / "sound" / "1.safetensors").read_bytes()
    outside.mkdir()
    (outside / "linked").write_bytes(snapshot)
    (outside / "hard").write_bytes(b"somebody's file")
    (outside / "models").mkdir()
    (outside / "models" / "1.safetensors").write_bytes(snapshot)
    places = {name: root / name / "1.safetensors" for name in ("symlink", "hardlink", "fifo", "folder")}
    for path in places.values():
        path.unlink()
    places["symlink"].symlink_to(outside / "linked")
    places["hardlink"].hardlink_to(outside / "hard")
    os.mkfifo(places["fifo"])
    places["folder"].mkdir()
    shutil.rmtree(root / "away")
    (root / "away").symlink_to(outside / "models")
    (root / "more").symlink_to(outside / "models")
    os.mkfifo(root / "pipe")
    (root / "stray").write_bytes(b"")
    return {path.name: path.read_bytes() for path in outside.rglob("*") if path.is_file()}


def test_fault_75_what_is_planted_in_a_store_is_not_followed(
    start_server: StartServer, environment: dict[str, str], tmp_path: Path
) -> None:
    """503 corrupt where it took a version's place, else 404; a check names it, and nothing outside changes."""
    places = ("symlink", "hardlink", "fifo", "folder")
    names = (*places, "away")
    before = trained(start_server, sound=1, **dict.fromkeys(names, 1))
    root, outside = tmp_path / "models", tmp_path / "outside"
    kept = planted(root, outside)
    check = checked(environment)

    assert check.returncode == 1
    for name in names:
        assert f"{name}/1 is damaged" in check.stderr
    with start_server().client() as client:
        for name in names:
            refused(client, name, 503, "corrupt")
        for name in ("more", "pipe", "stray"):
            assert client.post(f"/models/{name}/predict", json=ASKED).status_code == 404
        listed = {model["model"] for model in client.get("/models").json()["models"]}
        assert listed == {"sound", *names}
        assert client.post("/models/sound/predict", json=ASKED).content == before["sound"]
        for name in places:
            client.delete(f"/models/{name}").raise_for_status()
        assert client.delete("/models/away").json()["type"] == "/problems/storage"
        for name in ("more", "pipe", "stray"):
            assert client.post("/train", json=TUTORIAL | {"name": name}).status_code == 503
    assert {path.name: path.read_bytes() for path in outside.rglob("*") if path.is_file()} == kept


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "bit": flipped,
    "cut-short": lambda data: data[: len(data) // 2],
    "empty": lambda _data: b"",
}


def test_fault_80_a_damaged_snapshot_is_never_loaded(
    start_server: StartServer, environment: dict[str, str], tmp_path: Path
) -> None:
    """503 corrupt names the version before it, which is answered; the file is left for whoever mends it."""
    before = trained(start_server, other=1, **dict.fromkeys(DAMAGES, 2))
    paths = {name: tmp_path / "models" / name / "2.safetensors" for name in DAMAGES}
    wrong = {name: damage(paths[name].read_bytes()) for name, damage in DAMAGES.items()}
    for name, data in wrong.items():
        paths[name].write_bytes(data)
    check = checked(environment)

    with start_server().client() as client:
        for name in DAMAGES:
            for reference in (name, f"{name}/versions/2"):
                assert f"{name}/1" in refused(client, reference, 503, "corrupt")["detail"]
            assert client.post(f"/models/{name}/versions/1/predict", json=ASKED).status_code == 200
            assert client.get(f"/models/{name}/versions/2/snapshot").status_code == 503
            made = client.post("/train", json=TUTORIAL | {"name": name})
            assert (made.status_code, made.json()["version"]) == (201, 3)
            assert client.post(f"/models/{name}/predict", json=ASKED).json()["version"] == 3
        assert client.post("/models/other/predict", json=ASKED).content == before["other"]

    assert {name: path.read_bytes() for name, path in paths.items()} == wrong
    assert check.returncode == 1
    for name in DAMAGES:
        assert f"{name}/2 is damaged" in check.stderr


def test_fault_87_files_of_older_formats_are_read_and_stay_as_they_are(
    start_server: StartServer, tmp_path: Path
) -> None:
    """Those of every format that was ever released answer in a store of today."""
    root = tmp_path / "models"
    originals = {f"golden-{number}": golden for number, golden in enumerate(all_of_them())}
    for name, golden in originals.items():
        (root / name).mkdir(parents=True)
        shutil.copyfile(golden.snapshot, root / name / "1.safetensors")

    with start_server().client() as client:
        for name, golden in originals.items():
            client.post(f"/models/{name}/predict", json=golden.told["asked"]).raise_for_status()

    for name, golden in originals.items():
        assert (root / name / "1.safetensors").read_bytes() == golden.snapshot.read_bytes()


def test_fault_87_a_file_of_a_newer_format_is_left_untouched(start_server: StartServer, tmp_path: Path) -> None:
    """409 format-newer says what helps; a format that was never released is damage. Other models are answered."""
    before = trained(start_server, newer=1, unknown=1, other=1)
    written = {}
    for name, format_ in {"newer": FORMAT + 1, "unknown": 1}.items():
        path = tmp_path / "models" / name / "1.safetensors"
        written[path] = redocumented(path.read_bytes(), format=format_)
        path.write_bytes(written[path])

    with start_server().client() as client:
        assert "newer netlet" in refused(client, "newer", 409, "format-newer")["detail"]
        assert "format 1" in refused(client, "unknown", 503, "corrupt")["detail"]
        assert client.post("/models/other/predict", json=ASKED).content == before["other"]

    for path, data in written.items():
        assert path.read_bytes() == data
