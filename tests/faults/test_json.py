"""Faults 21 to 35: bodies that are no JSON, or JSON that no route takes."""

import json
from itertools import product
from typing import Any

from tests.conftest import ROWS, TUTORIAL
from tests.faults.refusing import PREDICT, QUICK, TABLE, TRAIN, Service

BOTH = (TRAIN, PREDICT)
READ_AS_JSON = {
    TRAIN: "POST",
    PREDICT: "POST",
    "/models/exam/predict": "POST",
    "/models/exam/train": "POST",
    "/models/exam/trace": "POST",
    "/models/exam/gradcheck": "POST",
    "/models/exam/counterfactual": "POST",
    "/models/exam": "PATCH",
    "/models/exam/aliases/live": "PUT",
    "/datasets": "POST",
    "/invocations": "POST",
}
WHOLE = json.dumps(TUTORIAL).encode()
MALFORMED = (400, "malformed-json")


async def test_fault_21_an_empty_body(service: Service) -> None:
    """400, wherever JSON is read; only a rollback needs nothing said, and takes an empty body for {}."""
    for path, method in READ_AS_JSON.items():
        await service.refuses(path, b"", *MALFORMED, method)


async def test_fault_22_cut_short_followed_by_more_or_with_nul(service: Service) -> None:
    """400: a body is one JSON text, all of it."""
    cut = [WHOLE[:-1], WHOLE[: len(WHOLE) // 2]]
    longer = [WHOLE + more for more in (b"x", WHOLE, b"\0")]
    with_nul = [b"\0" + WHOLE, WHOLE.replace(b", ", b",\0", 1), WHOLE.replace(b"exam", b"ex\0am", 1)]

    for path, body in product(BOTH, [*cut, *longer, *with_nul]):
        await service.refuses(path, body, *MALFORMED)


async def test_fault_23_not_utf_8(service: Service) -> None:
    """400 for other encodings, for bytes that are none, and for a byte-order mark, which is named."""
    wrong = [WHOLE.replace(b"exam", b"ex%bam" % byte, 1) for byte in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80")]
    others = [WHOLE.decode().encode(encoding) for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")]
    marked = b"\xef\xbb\xbf" + WHOLE

    for path, body in product(BOTH, [*wrong, *others, marked]):
        told = await service.refuses(path, body, *MALFORMED)
        assert ("byte-order mark" in told["detail"]) is (body is marked)


async def test_fault_24_half_a_surrogate_pair(service: Service) -> None:
    """400, as a value and as a key."""
    for path, half in product(BOTH, [rb"\ud800", rb"\udfff", rb"\ud800\u0041", rb"\udc00\ud800"]):
        for body in (WHOLE.replace(b"exam", half, 1), WHOLE.replace(b'"name"', b'"' + half + b'"', 1)):
            await service.refuses(path, body, *MALFORMED)


async def test_fault_25_nan_and_infinity(service: Service) -> None:
    """400: as a cell it is a fault of its own (not-a-number), which names the row and the column."""
    settings = [
        (TRAIN, b'{"X": [[1], [2]], "y": [1, 2], "training": {"learning_rate": %b}}'),
        (TRAIN, b'{"X": [[1], [2]], "y": [1, 2], "scaling": {"clip": %b}}'),
        (PREDICT, b'{"model": "exam", "X": [4, 8], "interval": %b}'),
    ]
    cells = [
        (TRAIN, b'{"X": [[1], [%b]], "y": [1, 2]}'),
        (TRAIN, b'{"X": [[1], [2]], "y": [1, %b]}'),
        (TRAIN, b'{"rows": [{"a": 1, "y": 1}, {"a": %b, "y": 1}], "target": "y"}'),
        (PREDICT, b'{"model": "exam", "X": [[4, 8], [4, %b]]}'),
        ("/datasets", b'[{"a": 1}, {"a": %b}]'),
    ]

    for word in (b"NaN", b"Infinity", b"-Infinity"):
        for path, body in settings:
            await service.refuses(path, body % word, *MALFORMED)
        for path, body in cells:
            told = await service.refuses(path, body % word, 400, "not-a-number")
            assert told["errors"][0]["row"] == 1


async def test_fault_26_numbers_that_no_float_holds(service: Service) -> None:
    """400, as if Infinity were written there."""
    setting = b'{"X": [[1], [2]], "y": [1, 2], "training": {"learning_rate": %b}}'

    for number in (b"1e999", b"-1e999", b"1" + b"0" * 400 + b".0"):
        await service.refuses(TRAIN, b'{"X": [[1], [%b]], "y": [1, 2]}' % number, 400, "not-a-number")
        await service.refuses(PREDICT, b'{"model": "exam", "X": [4, %b]}' % number, 400, "not-a-number")
        await service.refuses(TRAIN, setting % number, *MALFORMED)


async def test_fault_27_a_text_where_a_number_is_needed(service: Service) -> None:
    """422 in X and y, for settings, and in a question; in rows NaN is a missing value, as README says."""
    for word in ("NaN", "Infinity", "1e999"):
        await service.refuses(TRAIN, {"X": [[1], [2], [word]], "y": [1, 2, 3]}, 422, "table")
        await service.refuses(TRAIN, {"X": [[1], [2], [3]], "y": [1, 2, word]}, 422, "table")
        await service.refuses(TRAIN, TABLE | {"training": {"learning_rate": word}}, 422, "validation")
        told = await service.refuses(PREDICT, {"model": "exam", "X": [4, word]}, 422, "table")
        assert told["errors"][0]["column"] == "hours_slept"


async def test_fault_28_cells_of_another_kind(service: Service) -> None:
    """422 in X and y, where nothing is taken for a number that is none; null is missing where the model knows gaps."""
    cells = [("1", 'text "1"'), (True, "true"), (False, "false"), (None, "null"), ({}, "an object")]
    body = {"name": "gaps", "X": [[1], [None], [3]], "y": [1, 2, 3], "training": QUICK}
    (await service.client.post(TRAIN, json=body)).raise_for_status()

    for cell, got in cells:
        told = await service.refuses(TRAIN, {"X": [[1], [2], [3]], "y": [1, 2, cell]}, 422, "table")
        expected = "a number" if cell is not None else "a number; leave out rows that have none"
        assert told["errors"] == [{"row": 2, "column": "y", "got": got, "expected": expected}]
        asked = await service.refuses(PREDICT, {"model": "exam", "X": [[4, 8], [cell, 8]]}, 422, "table")
        assert (asked["errors"][0]["row"], asked["errors"][0]["got"]) == (1, got)
        if cell is not None:
            await service.refuses(TRAIN, {"X": [[1], [2], [cell]], "y": [1, 2, 3]}, 422, "table")
        answered = await service.client.post(PREDICT, json={"model": "gaps", "X": [[cell]]})
        assert answered.status_code == (200 if cell is None else 422)


async def test_fault_29_numbers_of_very_many_digits(service: Service) -> None:
    """400 for more than 1,024 characters, before anything is made of them.

    A whole number of 400 digits is a number, too large for a cell: 422 with its row. A fraction of as many is read as
    the nearest number, and a text of digits may be as long as any other.
    """
    huge = [b"9" * 5000, b"9" * 10**6, b"0." + b"1" * 10**6, b"-1" + b"0" * 1100 + b"e-1100", b"9" * 1025]

    for path, number in product(BOTH, huge):
        told = await service.refuses(path, b'{"model": "exam", "X": [[4, %b]], "y": [1]}' % number, *MALFORMED)
        assert "more than 1024 characters" in told["detail"]
    for digits in (400, 1024):
        body = b'{"X": [[1], [%b]], "y": [1, 2]}' % (b"9" * digits)
        told = await service.refuses(TRAIN, body, 422, "table")
        assert told["errors"][0]["row"] == 1
    for cell, status in ((b"8." + b"0" * 1000, 200), (b'"' + b"8" * 1100 + b'"', 422)):
        answered = await service.client.post(PREDICT, content=b'{"model": "exam", "X": [4, %b]}' % cell)
        assert (answered.status_code, "more than 1024" in answered.text) == (status, False)


async def test_fault_30_a_hundred_thousand_levels(service: Service) -> None:
    """400, closed or not: nothing here follows levels by calling itself."""
    opened = {b"[": b"]", b'{"a":': b"}", b'{"rows":[': b"]}", b'{"X":[[': b"]]}"}

    for path, (opening, closing) in product(BOTH, opened.items()):
        for end in (b"", b"1" + closing * 100_000):
            await service.refuses(path, opening * 100_000 + end, *MALFORMED)


async def test_fault_31_a_key_twice(service: Service) -> None:
    """400, at any depth, and however the key is written."""
    twice = [
        (TRAIN, b'{"X": [[1], [2]], "y": [1, 2], "X": [[1], [2]]}'),
        (TRAIN, b'{"X": [[1], [2]], "y": [1, 2], "training": {"epochs": 1, "epochs": 2}}'),
        (TRAIN, b'{"X": [[1], [2]], "y": [1, 2], "name": "a", "n\\u0061me": "b"}'),
        (TRAIN, b'{"rows": [{"a": 1, "y": 1}, {"a": 2, "a": 3, "y": 2}], "target": "y"}'),
        (PREDICT, b'{"model": "exam", "X": [4, 8], "model": "exam"}'),
        (PREDICT, b'{"model": "exam", "rows": [{"hours_studied": 4, "hours_slept": 8, "hours_slept": 9}]}'),
        ("/datasets", b'[{"a": 1, "a": 2}]'),
        ("/invocations", b'{"inputs": [[4, 8]], "inputs": [[4, 8]]}'),
    ]

    for path, body in twice:
        await service.refuses(path, body, 400, "duplicate-key")


async def test_fault_32_an_unknown_field(service: Service) -> None:
    """422 that guesses what was meant."""
    unknown: list[tuple[str, dict[str, Any], str, str]] = [
        (TRAIN, TABLE | {"trainin": {}}, "trainin", "training"),
        (TRAIN, TABLE | {"training": {"epocs": 5}}, "training.epocs", "epochs"),
        (TRAIN, TABLE | {"epochs": 5}, "epochs", "training.epochs"),
        (PREDICT, {"model": "exam", "X": [4, 8], "intervall": 0.9}, "intervall", "interval"),
        ("/models/exam/aliases/live", {"versoin": 1}, "versoin", "version"),
    ]

    for path, body, field, meant in unknown:
        told = await service.refuses(path, body, 422, "validation", READ_AS_JSON[path])
        (fault,) = [fault for fault in told["errors"] if fault["field"] == field]
        assert fault["expected"].endswith(f"is it {meant}?")


async def test_fault_33_no_object_at_the_top(service: Service) -> None:
    """422: a bare list of rows is taken where the address says the rest, and a dataset is such a list."""
    paths = [path for path in READ_AS_JSON if path != "/datasets"]

    for path, body in product(paths, [b"[]", b"null", b"5", b'"exam"', b"true", b"[{}]"]):
        told = await service.refuses(path, body, 422, "validation", READ_AS_JSON[path])
        assert told["errors"][0]["expected"].startswith("an object")


async def test_fault_34_names_that_are_too_long_or_hide_something(service: Service) -> None:
    """422: a model's name is of 63 plain letters at most, a column's of 128 that can be seen; no other comes back."""
    unseen = ["a\0", "a\nb", "a\x1b[31m", "exam\u202e", "a\u200b", ""]
    letters = ["e\u0301", "\uff45xam", "\u0435xam", "a b"]

    for name in ("n" * 10**6, *unseen, *letters):
        told = await service.refuses(TRAIN, TABLE | {"name": name}, 422, "validation")
        assert told["errors"][0]["field"] == "name"
    for name in ("n" * 10**6, *unseen):
        rows = [{name: row["score"], "y": 1} for row in ROWS]
        told = await service.refuses(TRAIN, {"rows": rows, "target": "y"}, 422, "table")
        assert json.dumps(told, ensure_ascii=False).isprintable()


async def test_fault_35_a_great_many_keys(service: Service) -> None:
    """422: the keys of a long text are counted before there is an object of them; those of a row are its columns.

    These keys are all the same to the hash that many languages have; Python's has a secret.
    """
    colliding = ",".join(f'"{key}":1' for key in map("".join, product(("Aa", "BB"), repeat=15)))
    objects = [
        ("{%s}", "too-many-keys"),
        ('{"training": {%s}}', "too-many-keys"),
        ('{"tags": {%s}}', "too-many-keys"),
        ('{"rows": [{%s}]}', "table"),
    ]

    for path, (text, slug) in product(BOTH, objects):
        told = await service.refuses(path, (text % colliding).encode(), 422, slug)
        assert told["errors"][0]["got"] == str(2**15)
    for count in (101, 10**6):
        text = ",".join(f'"{key}":1' for key in range(count))
        told = await service.refuses(TRAIN, f"{{{text}}}".encode(), 422, "too-many-keys")
        assert told["errors"] == [{"field": "body", "got": str(count), "expected": "at most 100 keys"}]
