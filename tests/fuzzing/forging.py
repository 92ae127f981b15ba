"""Forgeries: changes that know the format, so that they get further than damage does."""

import ast
import hashlib
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import onnx
from safetensors.numpy import load

from app.store.snapshot import BLANK, header_end
from app.tables.thrift import Thrift
from tests.fuzzing.mutating import LARGEST, NUMBERS
from tests.store.forging import document_of, signed

Forgery = Callable[[Sequence[bytes], Random], bytes]

STRANGE: tuple[Any, ...] = (None, True, "", "x", [], {}, -1, 1.5, 1e308, [[]], {"a": 1}, "\0", "a" * 300, *NUMBERS)
STRANGE += LARGEST
DTYPES = ("|O", "<f8", "<U1000000000", "|V2147483647", "<M8[s]", ">i2", "?", "<f16", "<c16", "|S0", "<U0", "f8,f8", "x")
KINDS = ("F64", "F32", "BF16", "F8_E4M3", "BOOL", "I64", "U8", "F99", "")
OPERATORS = ("Gemm", "MatMul", "Add", "Relu", "Loop", "If", "Scan", "Constant", "StringConcat", "Sin", "ArgMax", "")


def snapshot_header(sound: Sequence[bytes], rng: Random) -> bytes:
    """Say something else of an array, or of nothing, in the header of a snapshot; sign it as it is then."""
    data = rng.choice(sound)
    header = json.loads(data[8 : header_end(data)])
    name = rng.choice([*header, "more"])
    entry = header.get(name, {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]})
    if name != "__metadata__":
        part = rng.choice(("dtype", "shape", "data_offsets", "other"))
        size = rng.choice(NUMBERS + LARGEST)
        entry[part] = rng.choice([rng.choice(KINDS), [size], [size, size], [0, size], rng.choice(STRANGE)])
    header[rng.choice([name, name + "x", "layers.1.W"])] = entry
    text = json.dumps(header)
    if rng.random() < 0.2:
        text = "{" + json.dumps(name) + ":" + json.dumps(entry) + "," + text[1:]  # a key twice
    length = rng.choice((len(text), len(text), len(text), rng.choice(NUMBERS + LARGEST) % 2**64))
    return resigned(length.to_bytes(8, "little") + text.encode() + data[header_end(data) :])


def snapshot_document(sound: Sequence[bytes], rng: Random) -> bytes:
    """Change what a snapshot says of its model, or the numbers of an array; sign it as it is then."""
    data = rng.choice(sound)
    document, arrays = document_of(data), load(data)
    if rng.random() < 0.7:
        _change(document, rng)
    else:
        name = rng.choice(sorted(arrays))
        numbers = rng.choice((0.0, -1.0, 1e30, 1e308, 5e-324, float("nan"), float("inf")))
        arrays[name] = arrays[name].copy() * 0 + numbers if rng.random() < 0.8 else arrays[name][:0]
    return signed(arrays, document)


def resigned(data: bytes) -> bytes:
    """Write the checksum that some bytes have now over the one that they had."""
    digest = data.partition(b'\\"sha256\\":\\"')[2][:64]
    if len(digest) < 64:
        return data
    blank = data.replace(digest, BLANK.encode(), 1)
    return blank.replace(BLANK.encode(), hashlib.sha256(blank).hexdigest().encode(), 1)


def _change(document: Any, rng: Random) -> None:
    """Put something strange in the place of any part of some JSON."""
    keys = sorted(document) if isinstance(document, dict) else list(range(len(document)))
    if not keys:
        return
    key = rng.choice(keys)
    inner = document[key]
    if isinstance(inner, dict | list) and inner and rng.random() < 0.8:
        _change(inner, rng)
    elif isinstance(document, dict) and rng.random() < 0.1:
        del document[key]
    else:
        document[key] = rng.choice(STRANGE)


def json_body(sound: Sequence[bytes], rng: Random) -> bytes:
    """Put something strange in the place of any part of a body."""
    document = json.loads(rng.choice(sound))
    for _ in range(rng.randint(1, 3)):
        _change(document, rng)
    return json.dumps(document).encode()


def npy_header(sound: Sequence[bytes], rng: Random) -> bytes:
    """Say something else of an array."""
    data = rng.choice(sound)
    length = int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10 : 10 + length].decode())
    size = rng.choice(NUMBERS + LARGEST)
    shapes = ((size,), (size, size), (-size, 1), (0, size), (1,) * 40, (size, 3), (2**32, 2**32), (3.5,), size)
    header[rng.choice(("shape", "shape", "descr", "fortran_order"))] = rng.choice(
        [rng.choice(shapes), rng.choice(shapes), rng.choice(DTYPES), True, [("a", "<f8"), ("b", "|O")]]
    )
    text: str = repr(header)
    if rng.random() < 0.2:
        text = rng.choice(["(" * 5000, "-" * 60000, "{'a':" * 900, text * 3, f"__import__('os').system({text!r})"])
    version = rng.choice((1, 1, 1, 2, 3, 9))
    wide = 2 if version == 1 else 4
    said = rng.choice((len(text), len(text), len(text), rng.choice(NUMBERS))) % (1 << 8 * wide)
    return data[:6] + bytes([version, 0]) + said.to_bytes(wide, "little") + text.encode() + data[10 + length :]


class _Noting(Thrift):
    """Thrift, with the places of its numbers."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, parts=10**6)
        self.places: list[tuple[int, int]] = []

    def varint(self) -> int:
        begin = self.at
        value = super().varint()
        self.places.append((begin, self.at))
        return value


def parquet_footer(sound: Sequence[bytes], rng: Random) -> bytes:
    """Say another number, or several, in the footer of a Parquet file; all else of it stays whole."""
    data = rng.choice(sound)
    begin = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = data[begin:-8]
    for _ in range(rng.randint(1, 3)):
        footer = _another_number(footer, rng)
    return data[:begin] + footer + len(footer).to_bytes(4, "little") + data[-4:]


def parquet_page(sound: Sequence[bytes], rng: Random) -> bytes:
    """Say another number in the header of the first page of a Parquet file, of the same length."""
    data = rng.choice(sound)
    header = _Noting(data[4:])
    header.skip(12)
    begin, end = rng.choice(header.places)
    written = bytes([0xFF] * (end - begin - 1) + [rng.choice((0x7F, 0x7E, 0x01, 0x00, 0x40))])
    return data[: 4 + begin] + written + data[4 + end :]


def _another_number(data: bytes, rng: Random) -> bytes:
    noting = _Noting(data)
    try:
        noting.skip(12)
    except ValueError:
        return data
    begin, end = rng.choice(noting.places)
    number, written = rng.choice(NUMBERS + LARGEST), bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return data[:begin] + bytes(written) + bytes([number]) + data[end:]


def onnx_graph(sound: Sequence[bytes], rng: Random) -> bytes:
    """Change a graph by ONNX's own means."""
    model = onnx.load_model_from_string(rng.choice(sound))
    rng.choice((_tensor, _node, _more_nodes, _elsewhere, _input))(model.graph, rng)
    data: bytes = model.SerializeToString()
    return data


def _tensor(graph: Any, rng: Random) -> None:
    if not graph.initializer:
        return
    tensor = rng.choice(graph.initializer)
    if rng.random() < 0.5:
        size = rng.choice(NUMBERS) % 2**62
        tensor.ClearField("dims")
        tensor.dims.extend(rng.choice(([size], [size, size], [-1], [2**31, 2**31, 4], [0], [])))
    elif rng.random() < 0.5:
        tensor.data_type = rng.randrange(30)
    else:
        tensor.raw_data = rng.randbytes(rng.randrange(64))


def _node(graph: Any, rng: Random) -> None:
    node = rng.choice(graph.node)
    node.op_type = rng.choice(OPERATORS)
    node.domain = rng.choice(("", "ai.onnx.ml", "custom.domain"))
    names = [name for other in graph.node for name in (*other.input, *other.output)]
    if node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice([*names, "", "nowhere"])
    if node.attribute and rng.random() < 0.5:
        rng.choice(node.attribute).i = rng.choice(NUMBERS)


def _more_nodes(graph: Any, rng: Random) -> None:
    for _ in range(rng.choice((1, 50, 2000))):
        graph.node.add().CopyFrom(graph.node[rng.randrange(len(graph.node))])


def _elsewhere(graph: Any, rng: Random) -> None:
    for tensor in graph.initializer:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.ClearField("raw_data")
        for key, value in (("location", rng.choice(("../../etc/passwd", "/dev/zero", "x"))), ("length", "1" * 12)):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value


def _input(graph: Any, rng: Random) -> None:
    shape = graph.input[0].type.tensor_type.shape
    if len(shape.dim) > 1:
        shape.dim[1].dim_value = rng.choice(NUMBERS) % 2**62
    graph.input[0].type.tensor_type.elem_type = rng.randrange(30)
