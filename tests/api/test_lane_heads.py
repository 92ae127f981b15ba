"""Heads in front of the lane: plain ones are for it, all others for the application, and nobody can tell which."""

import random
import re
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from app.api.heads import head_of
from app.settings import Settings
from tests.api.lanes import LAST, Both, bodies_of, request, serving, statuses_of

ASKED = b'{"model": "exam", "X": [[4, 8]]}'
PLAIN = request(ASKED)
OTHER = request({"model": "exam", "rows": [{"b": 5, "a": 1}, {"a": 2, "b": 3}]}, x_request_id="other")


@pytest.fixture
async def both(settings: Settings) -> AsyncIterator[Both]:
    async with serving(settings) as both:
        await both.train("exam")
        yield both


def with_line(line: bytes) -> bytes:
    """Add a line to the head of a plain request."""
    return PLAIN.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n", 1)


def without(name: bytes) -> bytes:
    """Take a line out of it."""
    head, body = PLAIN.split(b"\r\n\r\n")
    return b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(name)) + b"\r\n\r\n" + body


ALL_THE_SAME = {
    "as it is": PLAIN,
    "in the path": request(b'{"X": [[4, 8]]}', "/models/exam/predict"),
    "with its version": request(b'{"X": [[4, 8]]}', "/models/exam/versions/1/predict"),
    "no type": without(b"content-type"),
    "a form": PLAIN.replace(b"application/json", b"application/x-www-form-urlencoded"),
    "a type with a parameter": PLAIN.replace(b"application/json", b"Application/JSON ; charset=utf-8"),
    "no id": without(b"x-request-id"),
    "an id that can be none": PLAIN.replace(b"mine", b"not mine"),
    "an id of spaces": PLAIN.replace(b": mine", b":    "),
    "an id in spaces": PLAIN.replace(b"mine", b"  mine"),
    "names in capitals": PLAIN.replace(b"content-length", b"CONTENT-LENGTH").replace(b"x-request-id", b"X-Request-Id"),
    "no space behind the colon": PLAIN.replace(b": ", b":", 4),
    "keep-alive": with_line(b"connection: Keep-Alive"),
    "any answer": with_line(b"accept: */*"),
    "an answer in JSON": with_line(b"accept: text/csv;q=0.5, application/json"),
    "a cookie": with_line(b"cookie: a=b; c=d"),
    "authority": with_line(b"authorization: Basic abc"),
    "an agent": with_line(b'user-agent: curl/8 (x; y) \\"z\\"'),
    "compression of the answer": with_line(b"accept-encoding: gzip, br"),
    "an empty header": with_line(b"x-nothing:"),
    "a forwarded address": with_line(b"x-forwarded-for: 1.2.3.4"),
    "a traced request": with_line(b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    "a key of its own": with_line(b"idempotency-key: abc"),
    "a method behind it": with_line(b"x-http-method-override: DELETE"),
}
FOR_THE_APPLICATION = {
    "no host": without(b"host"),
    "two hosts": with_line(b"host: there"),
    "another host": PLAIN.replace(b"host: here", b"host: there"),
    "many headers": with_line(b"\r\n".join([b"x-y: z"] * 50)),
    "a query": PLAIN.replace(b"/predict", b"/predict?proba=false"),
    "an empty query": PLAIN.replace(b"/predict", b"/predict?"),
    "a fragment": PLAIN.replace(b"/predict", b"/predict#here"),
    "a slash behind": PLAIN.replace(b"/predict", b"/predict/"),
    "two slashes": PLAIN.replace(b"/predict", b"//predict"),
    "an escaped letter": PLAIN.replace(b"/predict", b"/%70redict"),
    "a whole address": PLAIN.replace(b"/predict", b"http://here/predict"),
    "a name in capitals": request(b'{"X": [[4, 8]]}', "/models/EXAM/predict"),
    "an alias in the path": request(b'{"X": [[4, 8]]}', "/models/exam@live/predict"),
    "a version with zeros": request(b'{"X": [[4, 8]]}', "/models/exam/versions/01/predict"),
    "no version": request(b'{"X": [[4, 8]]}', "/models/exam/versions/0/predict"),
    "a large version": request(b'{"X": [[4, 8]]}', "/models/exam/versions/9999999999/predict"),
    "another method": PLAIN.replace(b"POST", b"PUT"),
    "GET with a body": PLAIN.replace(b"POST", b"GET"),
    "a small method": PLAIN.replace(b"POST", b"post"),
    "HTTP/1.0": PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/1.0, kept": with_line(b"connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/2": PLAIN.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "HTTP/1.2": PLAIN.replace(b"HTTP/1.1", b"HTTP/1.2"),
    "a small protocol": PLAIN.replace(b"HTTP/1.1", b"http/1.1"),
    "two spaces": PLAIN.replace(b"POST /", b"POST  /"),
    "a space before": b" " + PLAIN,
    "an empty line before": b"\r\n" + PLAIN,
    "bare line feeds": PLAIN.replace(b"\r\n", b"\n"),
    "one bare line feed": PLAIN.replace(b"\r\nx-", b"\nx-"),
    "a bare carriage return": PLAIN.replace(b"mine", b"mi\rne"),
    "a space before the colon": PLAIN.replace(b"host:", b"host :"),
    "a folded line": PLAIN.replace(b"mine", b"mine\r\n more"),
    "a header without a name": with_line(b": nothing"),
    "a header without a colon": with_line(b"nothing"),
    "an odd name": with_line(b"x(y): nothing"),
    "a name beyond ASCII": with_line("é: x".encode()),
    "a value beyond ASCII": with_line("x-y: é".encode()),
    "a NUL": with_line(b"x-y: \0"),
    "a tab in a value": with_line(b"x-y: a\tb"),
    "a tab behind an id": PLAIN.replace(b"mine", b"mine\t"),
    "an id before spaces": PLAIN.replace(b"mine", b"mine   "),
    "a length before spaces": PLAIN.replace(b"content-length: 32", b"content-length: 32  "),
    "another type": PLAIN.replace(b"application/json", b"text/csv"),
    "lines of JSON": PLAIN.replace(b"application/json", b"application/x-ndjson"),
    "an answer in CSV": with_line(b"accept: text/csv"),
    "an answer in text": with_line(b"accept: text/*"),
    "an answer in a picture": with_line(b"accept: image/png"),
    "no answer in JSON": with_line(b"accept: application/json;q=0"),
    "compressed": with_line(b"content-encoding: gzip"),
    "not compressed": with_line(b"content-encoding: identity"),
    "its own site": with_line(b"origin: http://here"),
    "another site": with_line(b"origin: http://there"),
    "a page's site": with_line(b"sec-fetch-site: cross-site"),
    "expectations": with_line(b"expect: 100-continue"),
    "other expectations": with_line(b"expect: more"),
    "an upgrade": with_line(b"connection: upgrade\r\nupgrade: h2c"),
    "a wish for an upgrade": with_line(b"upgrade: h2c"),
    "patience": with_line(b"x-request-timeout: 5"),
    "no patience": with_line(b"x-request-timeout: x"),
    "closed": with_line(b"connection: close"),
    "closed by a proxy": with_line(b"proxy-connection: close"),
    "kept and closed": with_line(b"connection: keep-alive, close"),
    "an empty connection": with_line(b"connection:"),
    "two ids": with_line(b"x-request-id: other"),
    "two types": with_line(b"content-type: text/csv"),
    "two accepts": with_line(b"accept: text/csv\r\naccept: application/json"),
    "two lengths": with_line(b"content-length: 32"),
    "two other lengths": with_line(b"content-length: 31"),
    "a length with a plus": PLAIN.replace(b"content-length: ", b"content-length: +"),
    "a length with a zero": PLAIN.replace(b"content-length: ", b"content-length: 0"),
    "a length that is none": PLAIN.replace(b"content-length: 32", b"content-length: x"),
    "a negative length": PLAIN.replace(b"content-length: 32", b"content-length: -1"),
    "a huge length": PLAIN.replace(b"content-length: 32", b"content-length: 99999999999999999999999"),
    "two lengths in one": PLAIN.replace(b"content-length: 32", b"content-length: 32, 32"),
    "no body": PLAIN.removesuffix(ASKED).replace(b"content-length: 32", b"content-length: 0"),
    "no length": without(b"content-length").removesuffix(ASKED),
    "chunks": without(b"content-length").replace(
        b"\r\n\r\n" + ASKED, b"\r\ntransfer-encoding: chunked\r\n\r\n20\r\n" + ASKED + b"\r\n0\r\n\r\n"
    ),
    "chunks and a length": with_line(b"transfer-encoding: chunked"),
    "another transfer": with_line(b"transfer-encoding: gzip"),
    "less than its length": PLAIN.replace(b"content-length: 32", b"content-length: 31"),
}
REFUSED = re.compile(rb'"/problems/(malformed-http|unknown-|bad-host)')  # in front of the application
NOT_SPLIT = {"closed", "closed by a proxy"}  # what follows them is not always looked at


@pytest.mark.parametrize("name", ALL_THE_SAME)
def test_a_plain_head_is_for_the_lane(name: str) -> None:
    """Whatever else clients usually say."""
    head = head_of(ALL_THE_SAME[name].partition(b"\r\n\r\n")[0])

    assert head is not None
    assert head.length == len(ALL_THE_SAME[name].partition(b"\r\n\r\n")[2])


async def test_a_plain_head_is_answered_as_by_the_application(both: Both) -> None:
    """To the byte: it has not seen it."""
    expected = bodies_of(await both.alike(PLAIN, LAST))[0]

    for name, sent in ALL_THE_SAME.items():
        await both.alike(sent, LAST)  # after which what it names is known
        before = both.reached
        answer = await both.alike(sent, LAST)
        assert both.reached == before + 1, name  # the last is for the application
        assert (statuses_of(answer), bodies_of(answer)[0]) == ([200, 404], expected), name


async def test_an_unusual_head_is_left_to_the_application(both: Both) -> None:
    """With all that comes before and after it on the connection; or to the parser, where it is wrong."""
    for name, sent in FOR_THE_APPLICATION.items():
        before = both.reached
        answer = await both.alike(PLAIN, sent, LAST)
        answered = len(statuses_of(answer)) - len(REFUSED.findall(answer))
        assert both.reached >= before + answered - 1, name  # all but the first


async def test_an_unusual_head_may_be_followed_in_its_segment(both: Both) -> None:
    """By others of both kinds; and it may come in pieces."""
    for name, sent in FOR_THE_APPLICATION.items():
        if name in NOT_SPLIT:
            continue
        middle = len(sent) // 2
        await both.alike(PLAIN + sent + OTHER + LAST)
        await both.alike(PLAIN, sent[:middle], sent[middle:], OTHER, LAST)


async def test_an_id_is_carried_back_if_it_can_be_one(both: Both) -> None:
    """Else there is a new one."""
    for brought, carried in (("a.B_c-9", "a.B_c-9"), ("x" * 64, "x" * 64), ("x" * 65, "made-up"), ("a,b", "made-up")):
        answer = await both.alike(request(ASKED, x_request_id=brought), LAST)
        assert f"\r\nx-request-id: {carried}\r\n".encode() in answer


async def test_any_head_is_taken_as_by_the_application(both: Both) -> None:
    """Bytes of plain requests, some of them changed, cut anywhere."""
    rng, odd = random.Random(1), [bytes([byte]) for byte in b" \t\r\n\0:,;/?@zZ\x80"]
    for _ in range(100):
        sent = rng.choice([PLAIN, OTHER, *ALL_THE_SAME.values(), *FOR_THE_APPLICATION.values()])
        for _ in range(rng.randint(0, 2)):
            place = rng.randrange(len(sent))
            sent = sent[:place] + rng.choice([b"", b"\r\n", *odd]) + sent[place + rng.randint(0, 1) :]
        sent = PLAIN + sent + OTHER
        cuts = sorted(rng.randrange(len(sent)) for _ in range(rng.randint(0, 2)))
        await both.alike(*(sent[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)), LAST)


async def test_long_heads_are_not_remembered(both: Both) -> None:
    """However many there are: ids, agents and cookies are the client's to choose."""
    await both.alike(PLAIN, LAST)
    tracemalloc.start()
    try:
        for number in range(60):
            await both.alike(with_line(b"cookie: %d" % number + b"x" * 50_000), LAST)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 30 * 50_000
