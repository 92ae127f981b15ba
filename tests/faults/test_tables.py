"""Rows 68 to 70 and 73 of the fault table: files of tables that are none, are odd, or claim to be what they are not."""

import io
import os
import pickle
import re
from pathlib import Path
from typing import Any

import httpx
import joblib
import numpy as np
import pyarrow as pa
import pytest

from app.tables.dialect import SAMPLE, detect
from app.tables.writers import write_csv
from tests.conftest import StartServer
from tests.faults.refusing import Service

APP = Path(__file__).resolve().parents[2] / "app"
CSV, NPY = "text/csv", "application/x-npy"
TRAIN = "/train?target=b&name=plain&max_epochs=1"
ROWS = b"a,b\n1,2\n2,4\n3,6\n"
READ = {
    "a mark of the byte order": b"\xef\xbb\xbf" + ROWS,
    "line ends of two characters": ROWS.replace(b"\n", b"\r\n"),
    "semicolons": ROWS.replace(b",", b";"),
    "tabs": ROWS.replace(b",", b"\t"),
    "line ends within quotes": b'a,b\n"x\ny",2\n"z",4\n"x\ny",6\n',
    "another encoding, which is found out": b"a,b\nx\xff,2\ny,3\n",
}
NO_CSV: dict[str, tuple[bytes, str, str, dict[str, Any]]] = {
    "NUL": (b"a,b\n1,2\nx\0,2\n", CSV, "table-format", {"got": "line 3"}),
    "an open quote": (b'a,b\n1,2\n2,"4\n', CSV, "table-format", {"row": 1, "column": "b"}),
    "a long field": (b"a,b\n1,2\n" + b"x" * 200_000 + b",3\n", CSV, "table", {"row": 1, "column": "a"}),
    "a short record": (b"a,b\n1,2\n3\n", CSV, "table-format", {"row": 1, "got": "1 field"}),
    "a million columns": (b"," * 10**6 + b"\n" + b"," * 10**6, CSV, "table", {}),
    "a header alone": (b"a,b\n", CSV, "table", {}),
    "one name twice": (b"a,a,b\n1,2,3\n", CSV, "table", {"column": "a"}),
    "no name": (b",b\n1,2\n", CSV, "table", {"column": ""}),
    "not the encoding it says": (
        b"a,b\nx\xff,2\n",
        f"{CSV}; charset=utf-8",
        "table-format",
        {"got": "line 2: bytes ff"},
    ),
}


@pytest.mark.parametrize("body", READ.values(), ids=READ)
async def test_fault_68_a_csv_that_is_odd_is_read(body: bytes, service: Service) -> None:
    """201 with the columns that it has; nothing need be said of how it is written."""
    made = await service.client.post(TRAIN, content=body, headers={"content-type": CSV})

    assert made.status_code == 201, made.text
    assert [column["name"] for column in made.json()["columns"]] == ["a"]


@pytest.mark.parametrize(("body", "kind", "slug", "place"), NO_CSV.values(), ids=NO_CSV)
async def test_fault_68_a_csv_that_is_none_is_refused(
    body: bytes, kind: str, slug: str, place: dict[str, Any], service: Service
) -> None:
    """422 with the row and the column, or the line where there are no rows yet, wherever one place is to blame."""
    told = await service.refuses(TRAIN, body, 422, slug, kind=kind)

    assert place.items() <= told.get("errors", [{}])[0].items(), told


def memory(process: int, name: str) -> int:
    """Tell the bytes that a process takes, or has taken at most."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return 1024 * int(status.split(f"{name}:")[1].split()[0])


def test_fault_68_a_csv_that_is_none_takes_little_memory(start_server: StartServer) -> None:
    """Three times the body's bytes and 150 MiB at most, wherever in it the fault is."""
    rows = b"12345,67890\n" * 2_500_000
    bodies = [b"a,b\n" + rows + end for end in (b"\0,1\n", b'1,"2\n', b"1\n")] + [b'a,"b\n' + rows]
    server = start_server()
    process = server.process.pid
    with server.client() as client:
        assert client.post("/datasets", content=b"a,b\n1\n", headers={"content-type": CSV}).status_code == 422
        for body in bodies:
            Path(f"/proc/{process}/clear_refs").write_text("5", encoding="utf-8")  # the peak is what it takes now
            before = memory(process, "VmRSS")

            refused = client.post(TRAIN, content=body, headers={"content-type": CSV})

            assert (refused.status_code, refused.json()["type"]) == (422, "/problems/table-format")
            assert memory(process, "VmHWM") - before < 3 * len(body) + 150 * 2**20


def test_fault_69_how_a_csv_is_written_is_told_from_its_first_64_kb() -> None:
    """By counting: the standard library's sniffer, whose patterns a sender can stall, is nowhere in the program."""
    beginning = b"a;b\n" + b"1,5;2\n" * (SAMPLE // 6)

    assert detect(beginning + b"1,2,3\n" * SAMPLE) == detect(beginning)
    for stalling in (b'"' * SAMPLE, b'a"' * SAMPLE, b'","' * SAMPLE, b" '\n" * SAMPLE):
        assert detect(stalling).delimiter in ",;\t|"
    assert not [path for path in APP.rglob("*.py") if "Sniffer" in path.read_text(encoding="utf-8")]


async def test_fault_70_no_text_of_an_exported_csv_is_a_formula(client: httpx.AsyncClient) -> None:
    """An apostrophe is put before those that would be; numbers below zero stay numbers."""
    labels = ["=cmd|'/C calc'!A0", "+1x", "-2x", "@x", "plain"]
    X = [[row] for row in range(20)]
    tables = {"classes": labels * 4, "numbers": [-5.0 - row for row in range(20)]}
    for name, y in tables.items():
        (await client.post("/train", json={"name": name, "X": X, "y": y})).raise_for_status()
    body, headers = "x1\n" + "".join(f"{row}\n" for (row,) in X), {"content-type": CSV}

    classes = await client.post("/models/classes/predict?proba=true", content=body, headers=headers)
    numbers = await client.post("/models/numbers/predict", content=body, headers=headers)

    for cell in re.findall(r'"((?:[^"]|"")*)"', classes.text):
        assert cell[0] not in "=+-@\t\r"
    assert {line.split(",")[0] for line in numbers.text.splitlines()[1:]} == {
        str(answer) for answer in (await client.post("/models/numbers/predict", json={"X": X})).json()["predictions"]
    }
    assert "\n-" in numbers.text


def test_fault_70_white_space_in_front_is_no_way_to_a_formula() -> None:
    """A tab or a return, which no cell that is learnt begins with, is treated as a formula's mark in any answer."""
    table = pa.table({"=name": ["\t=1", "\r=1", "=1", "x", None]})

    written = b"".join(write_csv([table], 5))

    assert written == b'"\'=name"\n"\'\t=1"\n"\'\r=1"\n"\'=1"\n"x"\n\n'


class Planted:
    """What makes a folder where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def npy(kind: str, shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def saved(array: Any) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=True)
    return sink.getvalue()


def compressed() -> bytes:
    sink = io.BytesIO()
    np.savez_compressed(sink, a=np.zeros(2**24))
    return sink.getvalue()


def pickled_by_joblib(thing: Any) -> bytes:
    sink = io.BytesIO()
    joblib.dump(thing, sink)
    return sink.getvalue()


async def test_fault_73_arrays_that_claim_much_or_hold_objects_are_not_made(service: Service, tmp_path: Path) -> None:
    """422 by the header, before there is room for anything; what nobody sends as JSON is none: 400. Nothing is run."""
    planted = Planted(tmp_path / "planted")
    objects = np.empty((1, 1), dtype=object)
    objects[0, 0] = planted
    arrays = [npy("<f8", "(68719476736,)"), npy("<f8", "(1, 68719476736)"), npy("|O", "(1, 1)", b"x" * 8)]
    files = [saved(objects), compressed(), pickle.dumps(planted), pickled_by_joblib(planted)]

    for body in arrays + files:
        await service.refuses("/train?target=x1", body, 422, "table-format", kind=NPY)
    for body, kind in zip(
        files, ("application/x-npy-pickle", "application/zip", "application/x-pickle", ""), strict=True
    ):
        await service.refuses("/train?target=x1", body, 400, "malformed-json", kind=kind)
    assert not planted.folder.exists()
    pickle.loads(files[2])  # noqa: S301 - it would have been seen
    assert planted.folder.exists()
