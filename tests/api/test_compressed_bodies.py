"""Compressed bodies: as good as plain ones, and never more memory than a plain one may take."""

import asyncio
import gzip
import json
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.bodies import MOST_CHUNKS
from app.api.inflating import CODINGS, inflated
from app.errors import MalformedBody
from app.settings import Settings
from tests.conftest import TUTORIAL, client_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MEBIBYTE = bytes(2**20)
BODY = json.dumps(TUTORIAL | {"training": {"epochs": 3}}).encode()


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # the same bytes, and so the same names of tests, in every process


def deflated(parts: Iterable[bytes], window_bits: int = zlib.MAX_WBITS) -> bytes:
    compressor = zlib.compressobj(wbits=window_bits)
    return b"".join(map(compressor.compress, parts)) + compressor.flush()


def zstandard(parts: Iterable[bytes], **options: int) -> bytes:
    named = {zstd.CompressionParameter[name].value: value for name, value in options.items()}
    compressor = zstd.ZstdCompressor(options=named)
    return b"".join(map(compressor.compress, parts)) + compressor.flush()


COMPRESSED: dict[str, tuple[str, bytes]] = {
    "gzip": ("gzip", gzipped(BODY)),
    "x-gzip": ("X-GZip", gzipped(BODY)),
    "gzip of two members": ("gzip", gzipped(BODY[:50]) + gzipped(BODY[50:])),
    "deflate": ("deflate", zlib.compress(BODY)),
    "raw deflate": ("deflate", deflated([BODY], -zlib.MAX_WBITS)),
    "raw deflate that stores": ("deflate", zlib.compress(BODY, 0)[2:-4]),
    "zstd": ("zstd", zstd.compress(BODY)),
    "zstd of two frames": ("zstd, identity", zstd.compress(BODY[:50]) + zstd.compress(BODY[50:])),
    "identity": ("identity", BODY),
}


async def post(client: httpx.AsyncClient, encoding: str, content: bytes | AsyncIterator[bytes]) -> httpx.Response:
    return await client.post("/train", content=content, headers={"content-encoding": encoding})


async def one_by_one(data: bytes) -> AsyncIterator[bytes]:
    for byte in data:
        yield bytes([byte])


async def arriving(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def refused(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["detail"]


def test_every_coding_is_tried_here() -> None:
    """What the service takes and what these tests send are the same."""
    assert {coding.split(",")[0].lower() for coding, _ in COMPRESSED.values()} == {*CODINGS, "identity"}


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("how", COMPRESSED)
async def test_a_compressed_table_trains_the_same_model(how: str, whole: bool, client: httpx.AsyncClient) -> None:
    """However it is compressed, and in whatever pieces it arrives, every weight is that of the plain table."""
    encoding, content = COMPRESSED[how]
    plain = (await client.post("/train", content=BODY)).raise_for_status().json()

    answer = (await post(client, encoding, content if whole else one_by_one(content))).raise_for_status().json()

    assert answer["version"] == 2
    assert answer["sha256"] == plain["sha256"]
    weights = [(await client.get(f"/models/exam/versions/{version}/weights")).json() for version in (1, 2)]
    assert weights[0] | {"version": 2} == weights[1]


async def test_a_compressed_question_is_answered_alike(client: httpx.AsyncClient) -> None:
    """Predictions take the same codings."""
    (await client.post("/train", content=BODY)).raise_for_status()
    question = b'{"model": "exam", "X": [4, 8]}'

    plain = await client.post("/predict", content=question)
    answer = await client.post("/models/exam/predict", content=gzipped(question), headers={"content-encoding": "gzip"})

    assert answer.status_code == 200
    assert answer.json() == plain.json()


async def test_a_body_of_many_pieces_inflates_to_what_it_was() -> None:
    """Megabytes that compress well, hardly, or by turns come out as they went in, in small pieces."""
    noise = b"".join(zlib.crc32(number.to_bytes(4)).to_bytes(4) for number in range(100_000))
    data = noise + MEBIBYTE + noise * 2 + b"end"
    for name, content in {
        "gzip": gzipped(data),
        "deflate": zlib.compress(data),
        "zstd": zstd.compress(data),
    }.items():
        pieces = [piece async for piece in inflated(arriving(content), name)]

        assert b"".join(pieces) == data
        assert max(map(len, pieces)) <= 2**16


async def test_others_have_their_turn_while_a_body_inflates() -> None:
    """The event loop turns once for each piece, not once for what arrived at a time."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    length = sum([len(piece) async for piece in inflated(arriving(zstandard([MEBIBYTE] * 16)), "zstd")])
    waiting.cancel()

    assert length == 16 * 2**20
    assert turns >= 256


def repeated_blocks() -> bytes:
    """A gibibyte of zeros in one raw stream: blocks that are flushed in full do not refer to what came before."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    block = compressor.compress(MEBIBYTE) + compressor.flush(zlib.Z_FULL_FLUSH)
    return block * 1024 + compressor.flush()


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: gzipped(MEBIBYTE) * 1024,
    "deflate": repeated_blocks,
    "zstd": lambda: zstandard([MEBIBYTE] * 1024),
}


@pytest.mark.parametrize("encoding", BOMBS)
async def test_a_bomb_is_refused_within_the_memory_of_a_plain_body(encoding: str, settings: Settings) -> None:
    """A gibibyte of zeros, compressed to less than the limit and sent at once, takes little more than the limit."""
    bomb, limit = BOMBS[encoding](), 2 * 2**20
    assert len(bomb) < limit
    async with client_of(settings.model_copy(update={"train_bytes": limit})) as client:
        tracemalloc.start()
        try:
            response = await post(client, encoding, bomb)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert refused(response)[0] == 413
    assert response.json()["type"] == "/problems/body-too-large"
    assert peak < 3 * limit


async def test_the_limit_holds_for_what_arrives_and_for_what_it_becomes(settings: Settings) -> None:
    """To the byte: announced, streamed and inflated."""
    body = b'{"X": [[1], [2]], "y": [1, 2], "training": {"epochs": 1}}' + b" " * 100
    stored = zlib.compress(body, 0)
    limit, room = len(stored), len(stored) - len(body)
    async with client_of(settings.model_copy(update={"train_bytes": limit})) as client:
        fits = await post(client, "deflate", stored)
        becomes_as_long = await post(client, "gzip", gzipped(body + b" " * room))
        becomes_longer = await post(client, "gzip", gzipped(body + b" " * (room + 1)))
        announced = await post(client, "gzip", stored + b"!")
        streamed = await post(client, "deflate", arriving(zlib.compress(b"", 0), stored))

    assert (fits.status_code, becomes_as_long.status_code) == (201, 201)
    assert [refused(response)[0] for response in (becomes_longer, announced, streamed)] == [413] * 3


@pytest.mark.parametrize(
    ("encoding", "content", "reason"),
    [
        ("gzip", BODY, "incorrect header check"),
        ("gzip", zlib.compress(BODY), "incorrect header check"),
        ("deflate", BODY, "invalid"),
        ("zstd", BODY, "Unknown frame descriptor"),
        ("gzip", gzipped(BODY)[:-8] + bytes(8), "incorrect data check"),
        ("deflate", zlib.compress(BODY)[:-1] + b"!", "incorrect data check"),
        ("zstd", zstandard([BODY], checksum_flag=1)[:-1] + b"!", "Restored data doesn't match checksum"),
        ("gzip", gzipped(BODY)[:-1], "it ends too early"),
        ("gzip", gzipped(BODY)[:1], "it ends too early"),
        ("gzip", gzipped(b"") + gzipped(BODY)[:20], "it ends too early"),
        ("deflate", zlib.compress(BODY)[:-1], "it ends too early"),
        ("deflate", deflated([BODY], -zlib.MAX_WBITS)[:-1], "it ends too early"),
        ("zstd", zstd.compress(BODY)[:-1], "it ends too early"),
        ("gzip", gzipped(BODY) + b"\0", "it ends too early"),
        ("gzip", gzipped(BODY) + BODY, "incorrect header check"),
        ("deflate", zlib.compress(BODY) + b"\0", "more follows its end"),
        ("deflate", deflated([BODY], -zlib.MAX_WBITS) + zlib.compress(BODY), "more follows its end"),
        ("zstd", zstd.compress(BODY) + BODY, "Unknown frame descriptor"),
        ("zstd", zstandard([BODY], window_log=27), "Frame requires too much memory for decoding"),
    ],
)
async def test_what_is_not_compressed_as_it_says_is_400(
    encoding: str, content: bytes, reason: str, client: httpx.AsyncClient
) -> None:
    """Damaged, cut short, followed by something else, or made to take much memory; at once and byte by byte."""
    for sent in (content, one_by_one(content)):
        response = await post(client, encoding, sent)
        status, detail = refused(response)

        assert (status, response.json()["type"]) == (400, "/problems/malformed-json")
        assert detail.startswith(f"The body is not {encoding}: ")
        assert reason in detail
    assert (await client.get("/models")).json()["models"] == []


@pytest.mark.parametrize("encoding", ["br", "compress", "gzip, zstd", "gzip, gzip", "gzip;q=1", "gzip deflate", "é"])
async def test_other_codings_are_415(encoding: str, client: httpx.AsyncClient) -> None:
    """And several at once; the answer names those that are taken."""
    response = await client.post("/train", content=BODY, headers={b"content-encoding": encoding.encode()})
    status, detail = refused(response)

    assert (status, response.json()["type"]) == (415, "/problems/unsupported-encoding")
    assert all(name in detail for name in CODINGS)


async def test_two_headers_are_two_codings(client: httpx.AsyncClient) -> None:
    """A body that was compressed once more by a proxy is not taken for one that was compressed once."""
    headers = [("content-encoding", "zstd"), ("content-encoding", "gzip")]

    response = await client.post("/train", content=gzipped(zstd.compress(BODY)), headers=headers)

    assert refused(response)[0] == 415


@pytest.mark.parametrize("content", [b"", gzipped(b""), gzipped(b"") * 2])
async def test_an_empty_body_is_empty_however_it_is_compressed(content: bytes, client: httpx.AsyncClient) -> None:
    """Nothing at all, or nothing that was compressed: there is no JSON in it."""
    status, detail = refused(await post(client, "gzip", content))

    assert status == 400
    assert detail.startswith("The body is not JSON: ")


async def test_a_body_holds_a_bounded_number_of_streams(client: httpx.AsyncClient) -> None:
    """Each takes a decompressor of its own, however little is in it."""
    response = await post(client, "gzip", gzipped(b"") * MOST_CHUNKS + gzipped(BODY))

    assert refused(response)[0] == 413
    assert response.json()["type"] == "/problems/body-too-large"


@given(
    content=st.sampled_from([content for _, content in COMPRESSED.values()]) | st.binary(max_size=50),
    coding=st.sampled_from(sorted(CODINGS)),
    place=st.integers(0, 300),
    byte=st.integers(0, 255),
)
@settings(max_examples=300)
async def test_damage_is_always_noticed_as_such(content: bytes, coding: str, place: int, byte: int) -> None:
    """Whatever byte is put wherever: the body is inflated, or MalformedBody is raised, and nothing else."""
    damaged = content[:place] + bytes([byte]) + content[place + 1 :]

    with suppress(MalformedBody):
        assert [piece async for piece in inflated(arriving(damaged), coding)]


async def test_the_routes_that_take_bodies_document_what_may_be_wrong_with_them(client: httpx.AsyncClient) -> None:
    """400, 413 and 415 for each, and 415 for no other."""
    document = (await client.get("/openapi.json")).json()

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            documented = {"400", "413", "415"} & set(operation["responses"])
            assert ("415" in documented) is ("requestBody" in operation), (method, path)
            assert "requestBody" not in operation or len(documented) == 3, (method, path)
