"""The Open Inference Protocol V2 beyond what clients usually send: kinds of columns, missing values, octets, errors."""

import gzip
import json
import struct
from typing import Any

import httpx
import numpy as np
import pytest

from tests.protocols.asking import tensor
from tests.protocols.conftest import FLOWERS


async def infer(client: httpx.AsyncClient, model: str, *inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    response = await client.post(f"/v2/models/{model}/infer", json={"inputs": list(inputs)} | more)
    assert response.status_code == 200, response.text
    assert "inference-header-content-length" not in response.headers
    answer: dict[str, Any] = response.json()
    return answer


def outputs_of(answer: dict[str, Any]) -> dict[str, Any]:
    return {output["name"]: output["data"] for output in answer["outputs"]}


async def own(client: httpx.AsyncClient, **request: Any) -> dict[str, Any]:
    """Ask in netlet's own words."""
    response = await client.post("/predict", json=request)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


FLAT = tensor("any", "INT32", [2, 2], [4, 8, 1, 5])
NESTED = tensor("X", "FP32", [2, 2], [[4, 8], [1, 5]])
COLUMNS = [tensor("hours_slept", "FP64", [2], [8, 5]), tensor("hours_studied", "UINT8", [2, 1], [[4], [1]])]


@pytest.mark.parametrize("inputs", [[FLAT], [NESTED], COLUMNS, COLUMNS[::-1]])
async def test_rows_are_one_tensor_or_one_a_column(models: httpx.AsyncClient, inputs: list[dict[str, Any]]) -> None:
    """Flat or nested, of any datatype of numbers, columns in any order; the bits are those of POST /predict."""
    expected = await own(models, model="exam", X=[[4, 8], [1, 5]])

    answer = await infer(models, "exam", *inputs)

    assert (answer["model_name"], answer["model_version"]) == ("exam", "1")
    assert "id" not in answer
    assert outputs_of(answer) == {"score": expected["predictions"], "in_range": expected["in_range"]}
    assert [output["shape"] for output in answer["outputs"]] == [[2, 1], [2, 1]]


async def test_a_table_of_all_kinds_has_an_input_a_column(models: httpx.AsyncClient) -> None:
    """Numbers, truths, texts and dates in; the label and the probabilities out, as the metadata announce them."""
    rows = [{name: value for name, value in row.items() if name != "kind"} for row in FLOWERS[:3]]
    expected = await own(models, model="flowers", rows=rows, proba=True)
    metadata = (await models.get("/v2/models/flowers")).json()
    datatypes = {input_["name"]: input_["datatype"] for input_ in metadata["inputs"]}

    answer = await infer(
        models, "flowers", *(tensor(name, kind, [3], [row[name] for row in rows]) for name, kind in datatypes.items())
    )

    assert datatypes == {"petal": "FP64", "colour": "BYTES", "wild": "BOOL", "seen": "BYTES"}
    assert [(output["name"], output["datatype"], output["shape"]) for output in answer["outputs"]] == [
        ("kind", "BYTES", [3, 1]),
        ("probabilities", "FP64", [3, 3]),
        ("in_range", "BOOL", [3, 1]),
    ]
    assert [output | {"shape": [-1, output["shape"][1]]} for output in metadata["outputs"]] == metadata["outputs"]
    assert metadata["parameters"]["labels"] == ["iris", "lily", "rose"]
    told = outputs_of(answer)
    assert told["kind"] == expected["predictions"]
    assert told["probabilities"] == [share for row in expected["probabilities"] for share in row.values()]


async def test_several_targets_are_several_outputs(models: httpx.AsyncClient) -> None:
    """Each by its name; truths are truths."""
    expected = await own(models, model="two", X=[[4], [1]])
    answer = await infer(models, "two", tensor("hours_studied", "FP64", [2, 1], [4, 1]))
    told = outputs_of(answer)
    assert [list(pair) for pair in zip(told["score"], told["hours_slept"], strict=True)] == expected["predictions"]

    truths = await infer(models, "truths", tensor("X", "FP64", [1, 3], [2, 9, 92]))
    assert truths["outputs"][0]["datatype"] == "BOOL"
    assert outputs_of(truths)["sleepy"] == (await own(models, model="truths", X=[[2, 9, 92]]))["predictions"]


async def test_a_missing_number_is_null_or_nan(models: httpx.AsyncClient) -> None:
    """In JSON the one, in octets the other; where none was missing in training, either is refused."""
    expected = (await own(models, model="sparse", X=[[3, None]]))["predictions"]
    octets = np.array([[3.0, np.nan]]).tobytes()

    in_json = await infer(models, "sparse", tensor("X", "FP64", [1, 2], [3, None]))
    in_octets = await binary(models, "sparse", [("X", "FP64", [1, 2], octets)])

    assert outputs_of(in_json)["y"] == outputs_of(in_octets.json())["y"] == expected
    refused = await models.post(
        "/v2/models/exam/infer", json={"inputs": [tensor("X", "FP64", [2, 2], [4, 8, None, 5])]}
    )
    assert refused.status_code == 400
    assert "row 1, column hours_studied" in refused.json()["error"]


async def binary(
    client: httpx.AsyncClient, model: str, tensors: list[tuple[str, str, list[int], bytes]], **more: Any
) -> httpx.Response:
    """Send octets behind JSON."""
    told = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(octets)}}
        for name, datatype, shape, octets in tensors
    ]
    header = json.dumps({"inputs": told} | more).encode()
    content = header + b"".join(octets for *_, octets in tensors)
    return await client.post(
        f"/v2/models/{model}/infer", content=content, headers={"Inference-Header-Content-Length": str(len(header))}
    )


def read(response: httpx.Response) -> dict[str, bytes]:
    """Take an answer in octets apart."""
    assert response.headers["content-type"] == "application/octet-stream"
    length = int(response.headers["inference-header-content-length"])
    told, at, found = json.loads(response.content[:length]), length, {}
    for output in told["outputs"]:
        assert "data" not in output
        size = output["parameters"]["binary_data_size"]
        found[output["name"]] = response.content[at : at + size]
        at += size
    assert at == len(response.content)
    return found


DTYPES = {
    "FP16": "f2",
    "FP32": "f4",
    "FP64": "f8",
    "INT8": "i1",
    "INT16": "i2",
    "INT64": "i8",
    "UINT32": "u4",
    "BOOL": "?",
}


@pytest.mark.parametrize("datatype", DTYPES)
async def test_octets_of_every_datatype(models: httpx.AsyncClient, datatype: str) -> None:
    """Read as what they are, and answered in the datatype that is announced."""
    X = np.array([[1, 1], [0, 1]], dtype=DTYPES[datatype])
    if datatype == "BOOL":
        response = await binary(models, "flowers", [("wild", datatype, [2], X[0].tobytes())])
        assert response.status_code == 400
        assert "colour" in response.json()["error"]
        return
    expected = await own(models, model="exam", X=X.tolist())

    response = await binary(
        models, "exam", [("X", datatype, [2, 2], X.tobytes())], parameters={"binary_data_output": True}
    )

    found = read(response)
    assert np.frombuffer(found["score"], "<f8").tolist() == expected["predictions"]
    assert np.frombuffer(found["in_range"], "u1").tolist() == expected["in_range"]


async def test_texts_in_octets_have_their_lengths(models: httpx.AsyncClient) -> None:
    """In and out; what is cut off or is no UTF-8 is refused."""

    def packed(*texts: bytes) -> bytes:
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)

    row = FLOWERS[0]
    numbers = [("petal", "FP64", [1], struct.pack("<d", row["petal"])), ("wild", "BOOL", [1], b"\x01")]
    seen = ("seen", "BYTES", [1], packed(str(row["seen"]).encode()))
    expected = await own(
        models, model="flowers", rows=[{name: row[name] for name in ("petal", "colour", "wild", "seen")}]
    )

    response = await binary(
        models, "flowers", [*numbers, seen, ("colour", "BYTES", [1], packed(b"red"))], outputs=[{"name": "kind"}]
    )
    assert outputs_of(response.json())["kind"] == expected["predictions"]
    response = await binary(
        models,
        "flowers",
        [*numbers, seen, ("colour", "BYTES", [1], packed(b"red"))],
        outputs=[{"name": "kind", "parameters": {"binary_data": True}}],
    )
    assert read(response)["kind"] == packed(expected["predictions"][0].encode())
    for wrong in (packed(b"red")[:-1], packed(b"\xff"), b"\x01\x00", packed(b"red", b"red")):
        response = await binary(models, "flowers", [*numbers, seen, ("colour", "BYTES", [1], wrong)])
        assert response.status_code == 400
        assert "colour" in response.json()["error"]


async def test_a_raw_body_is_one_row(models: httpx.AsyncClient) -> None:
    """With a header of 0, nothing but octets comes, and the answer is octets."""
    expected = await own(models, model="exam", X=[[4, 8]])
    octets = np.array([4.0, 8.0]).tobytes()
    headers = {"inference-header-content-length": "0"}

    response = await models.post("/v2/models/exam/infer", content=octets, headers=headers)

    assert np.frombuffer(read(response)["score"]).tolist() == expected["predictions"]
    response = await models.post("/v2/models/flowers/infer", content=octets, headers=headers)
    assert response.status_code == 400
    assert "one input" in response.json()["error"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"[1", "not JSON"),
        (b"[]", "Open Inference Protocol"),
        (b"{}", "inputs"),
        (b'{"inputs": []}', "inputs"),
        (b'{"inputs": [{"name": "X", "datatype": "FP64", "shape": [1, 2], "data": [1, 2], "data": [3, 4]}]}', "twice"),
        ({"inputs": [tensor("X", "FP64", [1, 2], [1, "2"])]}, 'text "2"'),
        ({"inputs": [tensor("X", "FP64", [1, 2], [1, True])]}, "true"),
        ({"inputs": [tensor("X", "FP64", [1, 2], [1, 2, 3])]}, "2 values"),
        ({"inputs": [tensor("X", "FP64", [2, 2], [[1, 2], [3]])]}, "4 values"),
        ({"inputs": [tensor("X", "FP64", [1, 2], [[1, [2]]])]}, "a list"),
        ({"inputs": [tensor("X", "FP64", [-1, 2], [1, 2])]}, "shape"),
        ({"inputs": [tensor("X", "FP64", [1, 1, 2], [1, 2])]}, "shape"),
        ({"inputs": [tensor("X", "FP64", [0, 2], [])]}, "no rows"),
        ({"inputs": [tensor("X", "COMPLEX", [1, 2], [1, 2])]}, "datatype"),
        ({"inputs": [tensor("X", "FP64", [1, 2], [1e200, 2])]}, "1e100"),
        ({"inputs": [{"name": "X", "datatype": "FP64", "shape": [1, 2]}]}, "binary_data_size"),
        ({"inputs": [tensor("X", "FP64", [1, 2], [1, 2], binary_data_size=16)]}, "either"),
        ({"inputs": [tensor("hours_studied", "FP64", [1], [1])]}, "hours_slept"),
        ({"inputs": [COLUMNS[0], tensor("hours_studied", "FP64", [1], [1])]}, "all as long"),
        ({"inputs": [COLUMNS[0], COLUMNS[0]]}, "once"),
        ({"inputs": [NESTED], "outputs": [{"name": "grade"}]}, "grade"),
        ({"inputs": [NESTED], "id": 7}, "id"),
    ],
)
async def test_what_does_not_fit_is_refused_in_one_sentence(models: httpx.AsyncClient, body: Any, said: str) -> None:
    """400 and an `error` that names what is wrong."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await models.post("/v2/models/exam/infer", content=content)
    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert said in response.json()["error"]


async def test_octets_that_are_too_many_or_too_few_are_refused(models: httpx.AsyncClient) -> None:
    """By the header, by the sizes in the JSON, and by the shape."""
    octets = np.array([4.0, 8.0]).tobytes()
    for shape, sent in (([1, 2], octets[:-1]), ([1, 2], octets * 2), ([2, 2], octets)):
        assert (await binary(models, "exam", [("X", "FP64", shape, sent)])).status_code == 400
    header = json.dumps({"inputs": [tensor("X", "FP64", [1, 2], [4, 8])]}).encode()
    for length in ("-1", "x", "1e3", str(len(header) + 1), "9" * 30, "٣"):
        response = await models.post(
            "/v2/models/exam/infer",
            content=header,
            headers=[(b"inference-header-content-length", length.encode())],
        )
        assert response.status_code == 400
        assert "bytes" in response.json()["error"]
    response = await models.post(
        "/v2/models/exam/infer", content=header + b"rest", headers={"inference-header-content-length": str(len(header))}
    )
    assert "4 bytes follow" in response.json()["error"]


async def test_every_error_below_v2_is_one_sentence(models: httpx.AsyncClient) -> None:
    """Unknown models, versions and paths, other methods, compression that is none."""
    for method, path, status in (
        ("GET", "/v2/models/nope", 404),
        ("GET", "/v2/models/nope/ready", 404),
        ("GET", "/v2/models/exam/versions/9", 404),
        ("GET", "/v2/models/exam/versions/x/config", 404),
        ("POST", "/v2/models/exam/versions/9/infer", 404),
        ("GET", "/v2/logging", 404),
        ("POST", "/v2/models/exam/generate", 404),
        ("DELETE", "/v2/models/exam", 405),
        ("POST", "/v2/repository/models/nope/unload", 404),
    ):
        response = await models.request(method, path)
        assert response.status_code == status
        assert list(response.json()) == ["error"]
    response = await models.post("/v2/models/exam/infer", content=b"x", headers={"content-encoding": "br"})
    assert (response.status_code, list(response.json())) == (415, ["error"])
    response = await models.post("/v2/models/exam/infer", content=b"x", headers={"content-encoding": "gzip"})
    assert (response.status_code, list(response.json())) == (400, ["error"])


async def test_one_way_of_compression_is_used_if_it_alone_is_asked_for(models: httpx.AsyncClient) -> None:
    """A list of ways, as most clients send, is answered as it is."""
    for accepted, used in (("gzip", "gzip"), ("deflate", "deflate"), ("gzip, deflate", None), ("br", None)):
        response = await models.post(
            "/v2/models/exam/infer", json={"inputs": [NESTED]}, headers={"accept-encoding": accepted}
        )
        assert response.headers.get("content-encoding") == used
        assert response.json()["model_name"] == "exam"
    content = gzip.compress(json.dumps({"inputs": [NESTED]}).encode())
    response = await models.post("/v2/models/exam/infer", content=content, headers={"content-encoding": "gzip"})
    assert response.status_code == 200


async def test_statistics_count_what_was_asked(models: httpx.AsyncClient) -> None:
    """Rows, calls and failures, of each version by itself."""
    await infer(models, "exam", NESTED)
    await infer(models, "exam", NESTED)
    await models.post("/v2/models/exam/infer", content=b"x")
    await infer(models, "two", tensor("hours_studied", "FP64", [1, 1], [4]))

    (known,) = (await models.get("/v2/models/exam/versions/1/stats")).json()["model_stats"]

    assert (known["inference_count"], known["execution_count"]) == (4, 2)
    stats = known["inference_stats"]
    assert (stats["success"]["count"], stats["fail"]["count"], stats["compute_infer"]["count"]) == (2, 1, 2)
    assert 0 < stats["compute_infer"]["ns"] < stats["success"]["ns"]
    assert known["last_inference"] > 1.7e12
    everything = (await models.get("/v2/models/stats")).json()["model_stats"]
    assert [each["name"] for each in everything] == ["exam", "two"]


async def test_the_repository_lists_loads_and_lets_go(models: httpx.AsyncClient) -> None:
    """Whatever is let go of is loaded again when it is asked for; a model is not made of a configuration."""
    assert (await models.get("/v2/models")).json() == {"models": ["exam", "flowers", "sparse", "truths", "two"]}
    listed = (await models.post("/v2/repository/index", content=b"")).json()
    assert {"name": "two", "version": "1", "state": "READY", "reason": ""} in listed
    for action in ("load", "unload"):
        assert (await models.post(f"/v2/repository/models/exam/{action}")).json() == {}
    assert outputs_of(await infer(models, "exam", NESTED))
    response = await models.post(
        "/v2/repository/models/exam/load", json={"parameters": {"config": "{}", "file:1/model.onnx": ""}}
    )
    assert response.status_code == 400
    assert "trained here" in response.json()["error"]


async def test_an_alias_is_a_model_of_its_own(models: httpx.AsyncClient) -> None:
    """By its reference, in every path."""
    await models.put("/models/exam/aliases/best", json={"version": 1})
    assert (await models.get("/v2/models/exam@best/ready")).json()["ready"] is True
    assert outputs_of(await infer(models, "exam@best", NESTED)) == outputs_of(await infer(models, "exam", NESTED))
    assert (await models.get("/v2/models/exam@worst")).status_code == 404
