"""Pages from elsewhere: those of origins that were set read every answer, in a real browser too, and others none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from app.api.heads import TELLING, UNUSUAL
from app.settings import Settings
from app.store.api_keys import Quotas
from tests.conftest import MakeKey, StartServer
from tests.web.browsing import launched

OWN, OTHER = "https://app.example.org", "https://evil.example.org"
ASKED = {"model": "exam", "X": [[1, 2]]}
ORDER = {"name": "exam", "X": [[1, 2], [3, 4], [5, 6]], "y": [1, 2, 3]}
ALLOW, SHOW = "access-control-allow-origin", "access-control-expose-headers"
READS = """async ([url, key, asked]) => {
    const ask = async (path, headers) => {
        const answer = await fetch(url + path, {method: "POST", headers, body: JSON.stringify(asked)});
        return [answer.status, answer.headers.get("x-request-id") !== null, Object.keys(await answer.json()).sort()];
    };
    const json = {"Content-Type": "application/json"};
    try {
        return [await ask("/predict", {...json, ...key}), await ask("/predict", json), await ask("/nowhere", key)];
    } catch (error) {
        return error.name;
    }
}"""


@pytest.fixture
def client(start_server: StartServer, make_key: MakeKey) -> Iterator[httpx.Client]:
    """Ask a service that lets pages of one origin in, with a key that it has."""
    key = make_key("admin")
    server = start_server(NETLET_CORS_ORIGINS=f" {OWN.upper()}:443 , http://localhost:3000")
    with server.client() as client:
        client.headers.update(key)
        client.post("/train", json=ORDER).raise_for_status()
        yield client


def varies(answer: httpx.Response) -> bool:
    return "origin" in answer.headers.get("vary", "").lower()


def test_pages_of_an_origin_that_was_set_read_answers_and_refusals(client: httpx.Client, make_key: MakeKey) -> None:
    """What was predicted, and why something was not: without a key, with a slow one, of nobody, for another host."""
    slow = make_key("predict", quotas=Quotas(requests=1))
    asking: list[tuple[int, Callable[..., httpx.Response], dict[str, Any]]] = [
        (200, client.post, {"url": "/predict", "json": ASKED}),
        (201, client.post, {"url": "/train", "json": ORDER}),
        (401, client.post, {"url": "/predict", "json": ASKED, "headers": {"authorization": "Bearer none"}}),
        (404, client.get, {"url": "/models/nobody"}),
        (405, client.delete, {"url": "/predict"}),
        (421, client.get, {"url": "/models", "headers": {"host": "evil.example.org"}}),
        (422, client.post, {"url": "/predict", "json": {"model": "exam", "X": []}}),
        *[(429, client.post, {"url": "/predict", "json": ASKED, "headers": slow})] * 3,
    ]
    for status, ask, of in asking:
        answer = ask(**of | {"headers": of.get("headers", {}) | {"origin": OWN}})
        assert answer.status_code == status or (status == 429 and answer.status_code == 200), answer.text
        assert (answer.headers.get_list(ALLOW), varies(answer)) == ([OWN], True), answer.request
        assert "x-request-id" in answer.headers[SHOW].lower()
        assert "access-control-allow-credentials" not in answer.headers
    assert answer.status_code == 429


def test_a_page_of_another_origin_is_told_nothing(client: httpx.Client) -> None:
    """Neither by the lane, nor by routes, nor before it asks; and it changes nothing. Nor is who is no page."""
    for origin in (OTHER, "null", f"{OWN}.evil.example.org", OWN.replace("https", "http"), None):
        headers = {} if origin is None else {"origin": origin}
        asks = {"access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
        answers = [
            client.post("/predict", json=ASKED, headers=headers),
            client.get("/models", headers=headers),
            client.options("/train", headers=headers | asks),
        ]
        for answer in answers:
            assert not [name for name in answer.headers if name.startswith("access-control-")], answer.request
            assert varies(answer)
        assert answers[0].status_code == (200 if origin is None else 403)


def test_a_browser_may_ask_first_and_needs_no_key_for_it(client: httpx.Client) -> None:
    """For each method, of a path that is not there too: it is told what may be sent, and nothing is done."""
    for path, method in (("/predict", "POST"), ("/models/exam", "DELETE"), ("/models/exam/aliases/live", "PUT")):
        asks = {"origin": OWN, "access-control-request-method": method}
        answer = httpx.options(f"{client.base_url}{path}", headers=asks, trust_env=False)

        assert (answer.status_code, answer.content, answer.headers[ALLOW]) == (204, b"", OWN)
        assert method in answer.headers["access-control-allow-methods"].split(", ")
        assert varies(answer)
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "x-api-key", "content-type", "idempotency-key"} <= set(allowed)
    of_browsers = {"host", "content-length", "connection", "transfer-encoding", "origin", "sec-fetch-site"}
    of_browsers |= {"expect", "proxy-connection", "upgrade"}
    assert (TELLING | UNUSUAL) - of_browsers <= set(allowed)
    assert client.get("/models/exam").status_code == 200


def test_without_the_setting_nobody_is_told_anything(url: str) -> None:
    """As it was before: a page of another origin changes nothing and reads nothing."""
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        answer = client.get("/models", headers={"origin": OWN})
        refused = client.post("/train", json=ORDER, headers={"origin": OWN})

    assert not varies(answer)
    assert refused.status_code == 403
    assert not [name for name in {*answer.headers, *refused.headers} if name.startswith("access-control-")]


@pytest.mark.parametrize("text", ["*", "null", "app.example.org", f"{OWN}/", f"{OWN},*", "https://*.example.org"])
def test_an_origin_is_named_as_browsers_write_it(text: str) -> None:
    """And each by itself: whoever wants every page to read the answers does not mean it."""
    with pytest.raises(ValidationError, match="cors_origins"):
        Settings(cors_origins=text)


@contextmanager
def page_elsewhere(folder: Path) -> Iterator[str]:
    """Serve an empty page on a port of its own, which makes it one from elsewhere; give its origin."""
    (folder / "index.html").write_text("<title>elsewhere</title>", encoding="utf-8")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_real_browser_lets_one_page_read_and_not_another(
    start_server: StartServer, make_key: MakeKey, tmp_path: Path
) -> None:
    """Two pages, the same but for where they come from: one has predictions and refusals, the other an error."""
    key = make_key("admin")
    with launched() as browser, page_elsewhere(tmp_path) as own, page_elsewhere(tmp_path) as other:
        server = start_server(NETLET_CORS_ORIGINS=own)
        with server.client() as client:
            client.post("/train", json=ORDER, headers=key).raise_for_status()
        page = browser.new_page()
        read = []
        for origin in (own, other):
            page.goto(origin)
            read.append(page.evaluate(READS, [server.url, key, ASKED]))

    predicted, unauthorized, nowhere = read[0]
    assert predicted[:2] == [200, True]
    assert "predictions" in predicted[2]
    assert (unauthorized[:2], nowhere[:2]) == ([401, True], [404, True])
    assert read[1] == "TypeError"
