"""Golden backups: files of each kind that was ever released are read, and newer ones are refused, not misread."""

import base64
import hashlib
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from app import __version__
from app.backup.manifest import FORMAT
from app.backup.restoring import restore
from app.engine.control import Checkpoint
from app.errors import CatalogueNewer, DatasetFormatNewer, OrderNewer
from app.jobs import checkpoints, orders
from app.jobs.checkpoints import Checkpoints
from app.settings import Settings
from app.store import memories, migrating
from app.store.catalogue import Catalogue
from app.store.dataset_files import DatasetFiles
from app.store.document import Damage
from app.store.snapshot import BLANK, KEY
from app.store.store import ModelStore
from tests.backup.running import members
from tests.conftest import client_of
from tests.golden.files import FOLDER
from tests.golden.keeping import NEWEST, ROWS, STEPS, answers, main
from tests.golden.machine import kind
from tests.golden.test_golden import MOST_BYTES, farthest, largest

BACKUPS = sorted(FOLDER.glob("backup-*"))


@pytest.fixture(params=BACKUPS, ids=lambda folder: str(folder.name))
def files(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """Give what is in a golden backup."""
    return members(request.param / "backup.tar")


def document_of(data: bytes) -> dict[str, Any]:
    """Read the document in a safetensors file."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    document: dict[str, Any] = json.loads(header["__metadata__"][KEY])
    return document


def order_of(files: dict[str, bytes]) -> bytes:
    return base64.b64decode(json.loads(files[".backup/orders.jsonl"])["data"])


def test_there_is_a_backup_of_each_format_and_it_is_never_made_over(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the one that is written now, too; small, and left as it is."""
    before = {path: path.stat().st_mtime_ns for path in NEWEST.iterdir()}

    assert main() == 1

    assert [int(path.name.removeprefix("backup-")) for path in BACKUPS] == [*range(1, FORMAT + 1)]
    assert {path: path.stat().st_mtime_ns for path in NEWEST.iterdir()} == before
    assert "stays as it is" in capsys.readouterr().err
    assert all(sum(file.stat().st_size for file in path.iterdir()) < MOST_BYTES for path in BACKUPS)


@pytest.mark.parametrize("folder", BACKUPS, ids=lambda folder: str(folder.name))
async def test_a_backup_of_then_is_restored_and_answers_as_then(folder: Path, tmp_path: Path) -> None:
    """A training that was paused midway comes to the model that it came to then."""
    told = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    with (folder / "backup.tar").open("rb") as source:
        restore(source, tmp_path / "models")

    async with client_of(Settings(models=tmp_path / "models", executor="thread")) as client:
        now = await answers(client, told["job"])
        found = [(await client.get(path)).json() for path in ("/models/rows", "/datasets")]

    assert farthest(told["answered"], now, largest(told["answered"])) <= 1e-12
    assert found[0]["versions"] == [1, 2]
    assert len(found[1]["datasets"]) == 1
    if told["machine"] == kind():
        assert json.dumps(now) == json.dumps(told["answered"])


def test_a_dataset_of_then_is_read(files: dict[str, bytes], tmp_path: Path) -> None:
    """Its document says what it said, and its Parquet file is the one that it speaks of."""
    names = [name for name in files if name.startswith(".datasets/")]
    (tmp_path / ".datasets").mkdir()
    for name in names:
        (tmp_path / name).write_bytes(files[name])
    dataset = Path(names[0]).stem

    DatasetFiles(tmp_path).check(dataset)

    document = DatasetFiles(tmp_path).find(dataset).document
    assert (document.rows, [column.name for column in document.columns]) == (len(ROWS), list(ROWS[0]))


def test_an_order_of_then_is_read(files: dict[str, bytes]) -> None:
    """It says what was asked for then."""
    order = orders.decode(order_of(files))

    assert (order.name, order.recipe.training.epochs, order.recipe.training.members) == ("paused", 12, 2)
    assert len(order.rows.X) == len(ROWS)


def test_a_checkpoint_of_then_is_read_by_the_same_netlet_alone(files: dict[str, bytes], tmp_path: Path) -> None:
    """Another netlet, or NumPy, might not come to the same bits: it begins anew."""
    (name,) = [name for name in files if ".checkpoints/" in name]
    (tmp_path / Path(name).name).write_bytes(files[name])
    of_then = Checkpoints(tmp_path, hashlib.sha256(order_of(files)).hexdigest())

    found = of_then.load()

    origin = document_of(files[name])
    is_same = (origin["netlet"], origin["numpy"]) == (__version__, np.__version__)
    assert origin["format"] == 1
    assert (found is not None and found.epoch == STEPS) if is_same else found is None


def newer_order(data: bytes) -> bytes:
    order = orders.decode(data)
    changed = orders.encode(order)[orders.DIGEST_BYTES :].replace(b'\\"format\\": 1', b'\\"format\\": 2')
    return hashlib.sha256(changed).digest() + changed


def test_a_newer_order_is_refused(files: dict[str, bytes]) -> None:
    """Its training fails, with what to try."""
    with pytest.raises(OrderNewer, match="newer netlet"):
        orders.decode(newer_order(order_of(files)))


def test_a_newer_dataset_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    """Whatever else its document says; the error names both formats."""
    (name,) = [name for name in files if name.startswith(".datasets/") and name.endswith(".json")]
    (tmp_path / ".datasets").mkdir()
    (tmp_path / name).write_bytes(files[name].replace(b'"format":1', b'"new":[],"format":2'))

    with pytest.raises(DatasetFormatNewer, match=r"format 2.*up to 1.*newer netlet"):
        DatasetFiles(tmp_path).find(Path(name).stem)


def test_a_newer_checkpoint_is_not_gone_on_with(tmp_path: Path) -> None:
    """The training begins anew."""
    kept = Checkpoints(tmp_path / "job", "order")
    kept.origin = kept.origin | {"format": checkpoints.FORMAT + 1}
    kept.write(Checkpoint(3, {}, {}))

    assert Checkpoints(tmp_path / "job", "order").load() is None


def test_a_newer_memory_is_refused(files: dict[str, bytes]) -> None:
    """Though its sums are right: a training on begins without one."""
    name = next(name for name in files if name.endswith(memories.MEMORY))
    snapshot = files[name.replace(memories.MEMORY, "safetensors")]
    digest = document_of(snapshot)["sha256"]
    memories.decode(files[name], digest)
    document = document_of(files[name]) | {"sha256": BLANK, "format": memories.FORMAT + 1}
    blank = save(load(files[name]), metadata={KEY: json.dumps(document)})
    newer = blank.replace(BLANK.encode(), hashlib.sha256(blank).hexdigest().encode(), 1)

    with pytest.raises(Damage, match="format"):
        memories.decode(newer, digest)


def test_a_newer_catalogue_is_refused_with_all_its_tables(tmp_path: Path) -> None:
    """Those of keys too: none of them is opened, so that no key of then opens anything."""
    with closing(ModelStore(tmp_path, Catalogue(tmp_path))) as store:
        store.open()
        newer = migrating.APPLIED.sorted_tables[0].update().values(version_num="9999")
        store.catalogue.write(lambda unit: unit.execute(newer)).result()

    with (
        closing(ModelStore(tmp_path, Catalogue(tmp_path))) as again,
        pytest.raises(CatalogueNewer, match="newer netlet"),
    ):
        again.open()
