"""Rows 71, 72 and 74 of the fault table: snapshots and ONNX files that somebody made to do harm."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto
from safetensors.numpy import load

from app.store.snapshot import BLANK, header_end
from tests.export.graphs import W, b, graph
from tests.faults.refusing import Service
from tests.store.forging import document_of, signed

PUT = "/models/other/snapshot"
FIRST = "layers.1.W"
Header = dict[str, Any]


async def taken(client: httpx.AsyncClient) -> bytes:
    return (await client.get("/models/exam/snapshot")).raise_for_status().content


def resigned(data: bytes, header: str, more: bytes = b"") -> bytes:
    """Give a snapshot another header, and a checksum that fits."""
    old: str = document_of(data)["sha256"]
    text = header.encode().replace(old.encode(), BLANK.encode())
    blank = len(text).to_bytes(8, "little") + text + data[header_end(data) :] + more
    return blank.replace(BLANK.encode(), hashlib.sha256(blank).hexdigest().encode(), 1)


def header_of(data: bytes) -> Header:
    header: Header = json.loads(data[8 : header_end(data)])
    return header


def placed(header: Header, start: int, end: int, **more: Any) -> Header:
    """Say that the first array lies elsewhere, or is another."""
    return header | {FIRST: header[FIRST] | {"data_offsets": [start, end]} | more}


def length(header: Header) -> int:
    return max(int(array["data_offsets"][1]) for name, array in header.items() if name != "__metadata__")


def extent(header: Header) -> tuple[int, int]:
    start, end = header[FIRST]["data_offsets"]
    return start, end


PLACES: dict[str, Callable[[Header], Header]] = {
    "one over another": lambda header: {
        name: array
        | ({"data_offsets": [0, array["data_offsets"][1] - array["data_offsets"][0]]} if name != "__metadata__" else {})
        for name, array in header.items()
    },
    "a hole": lambda header: {name: array for name, array in header.items() if name != FIRST},
    "a shape that overflows": lambda header: placed(header, *extent(header), shape=[2**32, 2**32, 3]),
    "a shape of another length": lambda header: placed(header, *extent(header), shape=[3, 3]),
    "behind the end": lambda header: placed(header, length(header), length(header) + 48),
    "backwards": lambda header: placed(header, *reversed(extent(header))),
    "below zero": lambda header: placed(header, -48, 0),
}


@pytest.mark.parametrize("change", PLACES.values(), ids=PLACES)
async def test_fault_71_arrays_of_a_snapshot_lie_side_by_side(
    change: Callable[[Header], Header], service: Service
) -> None:
    """422 although the checksum fits."""
    data = await taken(service.client)

    await service.refuses(PUT, resigned(data, json.dumps(change(header_of(data)))), 422, "snapshot", "PUT")


async def test_fault_71_a_snapshot_is_as_long_as_it_says(service: Service) -> None:
    """422 for a header of 2^63 bytes, which there is no room made for, for a shorter file and for a longer one."""
    data = await taken(service.client)
    whole = json.dumps(header_of(data))
    assert (await service.client.put("/models/exam/snapshot", content=resigned(data, whole))).status_code in {200, 201}

    for claimed in (2**63, 2**63 - 1, 2**64 - 1, len(data)):
        await service.refuses(PUT, claimed.to_bytes(8, "little") + data[8:], 422, "snapshot", "PUT")
    await service.refuses(PUT, resigned(data, whole, b"\0" * 8), 422, "snapshot", "PUT")
    for cut in (0, 7, 8, 100, len(data) - 1):
        await service.refuses(PUT, data[:cut], 422, "snapshot", "PUT")


async def test_fault_72_a_snapshot_has_exactly_what_its_network_has(service: Service) -> None:
    """422 for other names, kinds, shapes and numbers, signed or not; the arrays are those that the document says."""
    data = await taken(service.client)
    arrays, document = load(data), document_of(data)
    W1 = arrays[FIRST]
    wrong: list[dict[str, Any]] = [
        {FIRST: W1 * np.nan},
        {FIRST: W1 * np.inf},
        {FIRST: W1.T.copy()},
        {FIRST: W1.astype(np.int64)},
        {FIRST: W1.astype(np.float16)},
        {"layers.9.W": W1},
        {"../layers": W1},
        {"\u202eW": W1},
        {"": W1},
    ]

    assert (await service.client.put("/models/exam/snapshot", content=signed(arrays, document))).is_success
    for changes in wrong:
        await service.refuses(PUT, signed(arrays | changes, document), 422, "snapshot", "PUT")
    without = {name: array for name, array in arrays.items() if name != FIRST}
    await service.refuses(PUT, signed(without, document), 422, "snapshot", "PUT")


async def test_fault_72_a_snapshot_of_very_many_arrays_is_not_read(service: Service) -> None:
    """422 before there is an object for each of two hundred thousand."""
    data = await taken(service.client)
    nothing = {"dtype": "F64", "shape": [0], "data_offsets": [0, 0]}
    many = {f"a{number}": nothing for number in range(200_000)}

    told = await service.refuses(PUT, resigned(data, json.dumps(header_of(data) | many)), 422, "snapshot", "PUT")

    assert "more parts" in told["detail"]


async def test_fault_72_what_a_snapshot_says_of_itself_is_strict_json(service: Service) -> None:
    """422 for a key that is there twice, for NaN, and for what no training writes."""
    data = await taken(service.client)
    header, document = json.dumps(header_of(data)), document_of(data)
    told = [
        header.replace("{", f'{{"{FIRST}": {json.dumps(header_of(data)[FIRST])}, ', 1),
        header.replace('"shape": [', '"shape": [NaN, ', 1),
        header.replace("{", '{"a": Infinity, ', 1),
    ]

    for changed in told:
        await service.refuses(PUT, resigned(data, changed), 422, "snapshot", "PUT")
    for changes in ({"more": 1}, {"format": "3"}, {"format": True}, {"columns": None}, {"created": float("nan")}):
        await service.refuses(PUT, signed(load(data), document | changes), 422, "snapshot", "PUT")


def elsewhere(place: str) -> bytes:
    """Write a network whose weights are in another file."""
    model = onnx.load_model_from_string(graph(("MatMul", ["in", W(3, 1)], "z"), ("Add", ["z", b(1)], "out")))
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", place
    return bytes(model.SerializeToString())


def of_another_domain() -> bytes:
    """Write a network with an operator of somebody's own, which needs their code."""
    model = onnx.load_model_from_string(graph(("MatMul", ["in", W(3, 1)], "z"), ("Relu", ["z"], "out")))
    model.graph.node[1].domain = "org.example"
    model.opset_import.append(onnx.helper.make_opsetid("org.example", 1))
    return bytes(model.SerializeToString())


async def test_fault_74_an_onnx_file_opens_no_other(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """422 for weights in another file, be it a link; whoever opened the pipe that is there would wait for ever."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")

    for place in ("pipe", "link", "../pipe", str(tmp_path / "pipe"), "/etc/passwd", ""):
        await service.refuses("/models/other/onnx", elsewhere(place), 422, "onnx-unsupported", "PUT")


async def test_fault_74_an_onnx_file_brings_no_code_and_not_without_end(service: Service) -> None:
    """422 for operators that are not ONNX's own, and for ten thousand of them one after the other."""
    chain = [("Relu", ["in" if not number else f"a{number - 1}"], f"a{number}") for number in range(10_000)]

    for file in (of_another_domain(), graph(*chain, outputs=("a9999",))):
        await service.refuses("/models/other/onnx", file, 422, "onnx-unsupported", "PUT")
