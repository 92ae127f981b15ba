"""What `/` sends: the page as it was built, or the plain page; nothing of either asks for anything from elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from app.web import files

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
CSV = "hours_studied,hours_slept,score\n2,9,92\n1,5,86\n3,6,89\n"


@pytest.fixture
def unbuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve from a folder in which nothing was built."""
    monkeypatch.setattr(files, "BUILT", tmp_path / "none")
    files.names.cache_clear()
    yield
    files.names.cache_clear()


async def sent(client: httpx.AsyncClient, **form: str) -> httpx.Response:
    return await client.post("/plain", content=urlencode(form), headers=FORM)


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_the_page_is_sent_with_a_strict_policy(client: httpx.AsyncClient, path: str) -> None:
    """Its scripts and styles are files of its own; their names hold their hashes, so that they are kept for ever."""
    page = await client.get(path, headers=BROWSER)
    files_of_it = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-cache"
    assert "<style" not in page.text
    assert not re.search(r"<script(?![^>]*\bsrc=)", page.text)
    assert any(file.endswith(".js") for file in files_of_it)
    for file in (file for file in files_of_it if "assets" in file):
        assert file.startswith("./assets/")
        for encoding in ("gzip", "identity"):
            answer = await client.get("/" + file, headers={"accept-encoding": encoding})
            assert answer.status_code == 200
            assert answer.headers.get("content-encoding", "identity") == encoding
            assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("refused", ["gzip;q=0", "gzip; q=0.0, br", "br, gzip;q=0", "xgzip", ""])
async def test_who_takes_no_gzip_gets_none(client: httpx.AsyncClient, refused: str) -> None:
    """Whatever the header says beside; and a header alone is answered as what it stands before would be."""
    page = await client.get("/", headers=BROWSER | {"accept-encoding": refused})

    assert "content-encoding" not in page.headers
    assert (await client.get("/", headers=BROWSER | {"accept-encoding": "br, gzip;q=0.5"})).headers["content-encoding"]
    for path in ("/", "/docs", "/plain"):
        head = await client.head(path, headers=BROWSER)
        assert (head.status_code, head.content) == (200, b"")


async def test_programs_are_told_that_the_service_is_there(client: httpx.AsyncClient) -> None:
    """What does not ask for HTML gets none."""
    assert (await client.get("/", headers={"accept": "*/*"})).json() == {"status": "alive"}


@pytest.mark.parametrize("file", ["none.js", "..%2findex.html", "%2e%2e%2f%2e%2e%2fmain.py"])
async def test_no_file_beside_those_of_the_page_is_sent(client: httpx.AsyncClient, file: str) -> None:
    """Whatever a path says."""
    assert (await client.get(f"/assets/{file}")).status_code == 404


@pytest.mark.usefixtures("unbuilt")
async def test_where_it_was_not_built_the_plain_page_says_how(client: httpx.AsyncClient) -> None:
    """And trains meanwhile."""
    page = await client.get("/", headers=BROWSER)

    assert page.status_code == 200
    assert "npm run build" in page.text
    docs = (await client.get("/docs", headers=BROWSER)).text
    assert "npm run build" in docs
    assert '<a href="openapi.json">' in docs
    assert '<form method="post" action="plain">' in page.text
    assert "npm run build" not in (await client.get("/assets/x.js")).text


async def test_the_plain_page_trains_and_asks(client: httpx.AsyncClient) -> None:
    """As a browser without JavaScript sends its forms; what lies outside of the training is said."""
    trained = await sent(client, table=CSV, target="score", name="exam")
    asked = await sent(client, model="exam/1", **{"column.hours_studied": "2", "column.hours_slept": "9"})
    outside = await sent(client, model="exam/1", **{"column.hours_studied": "4", "column.hours_slept": "8"})

    answer = re.search(r"<output>([^<]+)</output>", asked.text)
    assert answer is not None
    assert float(answer[1]) == pytest.approx(92, abs=1e-3)
    assert 'name="column.hours_slept"' in trained.text
    assert "Outside" not in asked.text
    assert "Outside of what it was trained on: hours_studied" in outside.text


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"table": "a,b\n1,x\n2,3\n", "target": "c"}, 422, 'role="alert"'),
        ({"table": "", "target": "score"}, 422, 'role="alert"'),
        ({"model": "nobody/1"}, 404, 'role="alert"'),
        ({"model": "../x"}, 404, 'role="alert"'),
        ({"table": "<script>alert(1)</script>,b\n1,2\n3,5\n", "target": "c"}, 422, "&lt;script&gt;"),
    ],
)
async def test_what_is_wrong_with_a_form_is_said_in_words(
    client: httpx.AsyncClient, form: dict[str, str], status: int, words: str
) -> None:
    """With the status of the answer that it comes from, and what was sent only as text."""
    answer = await sent(client, **form)

    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert "<script" not in answer.text


async def test_a_form_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    """No octets that a client sends are an error of the service."""
    assert (await client.post("/plain", content=b"\xff\xfe=1", headers=FORM)).status_code == 400
    assert (await client.post("/plain", content="&".join(["a=1"] * 3000), headers=FORM)).status_code == 400
    assert (await client.post("/plain", content=b"a" * 70_000, headers=FORM)).status_code == 413
