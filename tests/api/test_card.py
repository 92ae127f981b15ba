"""Model cards: all that is known of a version, and only that."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.api.card_markdown import escaped
from tests.conftest import ROWS, TUTORIAL

QUICK = {"optimizer": "adam", "epochs": 5, "validation": 0.5}
NAME = "<script>alert(1)</script> [x](http://e.vil) | `a` *b* # c"
NASTY = "<script>alert(1)</script> [x](http://e.vil) | `a` *b* \n# c"
GROUP = {"name": "side", "X": [[x, 7] for x in range(60)], "y": ["up" if x > 2 else "down" for x in range(60)]}


async def trained(client: httpx.AsyncClient, **request: Any) -> None:
    response = await client.post("/train", json=request)
    assert response.status_code == 201, response.text


async def card(client: httpx.AsyncClient, path: str) -> Any:
    response = await client.get(f"/models/{path}/card", params={"format": "json"})
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_card_is_what_the_model_tells_and_more(client: httpx.AsyncClient) -> None:
    """All of GET /models/exam/versions/1 but its aliases; seed, libraries, fingerprint and certainty beside."""
    await trained(client, **TUTORIAL | {"training": {"seed": 3}}, tags={"team": "blue"}, description="First.")

    told = await card(client, "exam/versions/1")

    detail = (await client.get("/models/exam/versions/1")).json()
    del detail["aliases"]
    assert {name: told[name] for name in detail} == detail
    assert told["seed"] == told["training"]["seed"] == 3
    assert {"netlet", "numpy", "python"} == told["libraries"].keys()
    assert len(told["report"]["fingerprint"]) == 64
    assert told["certainty"] == {"rows": 0, "highest_level": None, "reason": told["certainty"]["reason"]}
    assert "there are 0" in told["certainty"]["reason"]
    assert await card(client, "exam") == told


async def test_the_fingerprint_is_that_of_the_rows_whatever_they_come_in(client: httpx.AsyncClient) -> None:
    """JSON or CSV; another row has another."""
    await trained(client, name="json", rows=ROWS, target="score")
    await trained(client, name="more", rows=[*ROWS, ROWS[0]], target="score")
    text = "hours_studied,hours_slept,score\n2,9,92\n1,5,86\n3,6,89\n"
    csv = {"content-type": "text/csv"}
    (await client.post("/train?name=csv&target=score", content=text, headers=csv)).raise_for_status()

    prints = {name: (await card(client, name))["report"]["fingerprint"] for name in ("json", "csv", "more")}

    assert prints["json"] == prints["csv"]
    assert len({prints["json"], prints["more"]}) == 2


async def test_limits_follow_from_facts(client: httpx.AsyncClient) -> None:
    """Few rows, none held out, no interval; rare labels, columns that never vary; and none where it is not so."""
    await trained(client, **TUTORIAL)
    await trained(client, **GROUP, training=QUICK)

    few, side = ["\n".join((await card(client, name))["limits"]) for name in ("exam", "side")]

    for said in ("3 rows only", "No row was held out", "takes 9 rows", "in_range is then false"):
        assert said in few
    assert "3 parameters" in few
    assert "of: down" in side
    assert "cannot be learnt: x2" in side
    for unsaid in ("No row was held out", "rows only", "A category"):
        assert unsaid not in side


async def test_a_card_tells_how_sure_it_can_be(client: httpx.AsyncClient) -> None:
    """30 rows that were held out allow 30 of 31."""
    await trained(client, **GROUP, training=QUICK)

    told = await card(client, "side")

    assert told["certainty"] == {"rows": 30, "highest_level": 30 / 31, "reason": None}
    assert told["rests_on"] == "30 rows that the answering networks had not learnt from"


async def test_a_card_names_what_the_version_came_from(client: httpx.AsyncClient) -> None:
    """The version it began with, and the dataset."""
    dataset = (await client.post("/datasets", json=ROWS)).json()["dataset"]
    await trained(client, name="kept", dataset=dataset, target="score", training=QUICK | {"validation": 0})
    (await client.post("/models/kept/train", json={"rows": ROWS, "training": {"epochs": 2}})).raise_for_status()

    first, second = [await card(client, f"kept/versions/{version}") for version in (1, 2)]

    assert (first["dataset"], first["continued_from"]) == (dataset, None)
    assert second["continued_from"] == "kept/1"
    text = (await client.get("/models/kept/versions/2/card")).text
    assert "| continued from | kept/1 |" in text


async def test_who_went_on_may_have_learnt_what_was_held_out(client: httpx.AsyncClient) -> None:
    """The card says so, the pictures do, and calibration is not drawn."""
    rows = [{"x": x / 7, "y": (x * 37 % 101) / 10} for x in range(100)]
    await trained(client, name="noise", rows=rows, target="y", training=QUICK | {"validation": 0})
    again = {"rows": rows[::-1], "training": QUICK | {"validation": 0.3}}
    (await client.post("/models/noise/train", json=again)).raise_for_status()

    told = await card(client, "noise")
    predicted = (await client.get("/models/noise/predicted.json")).json()
    calibration = await client.get("/models/noise/calibration.json")

    for words in (told["rests_on"], predicted["note"], "\n".join(told["limits"])):
        assert "noise/1 may have learnt" in words
    assert predicted["unseen"] is False
    assert calibration.status_code == 404
    assert "may have learnt" in calibration.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "params", "media_type"),
    [
        ({}, {}, "text/markdown; charset=utf-8"),
        ({"accept": "text/markdown"}, {}, "text/markdown; charset=utf-8"),
        ({"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, {}, "text/plain; charset=utf-8"),
        ({"accept": "application/json"}, {}, "application/json"),
        ({"accept": "text/markdown"}, {"format": "json"}, "application/json"),
        ({"accept": "application/json"}, {"format": "markdown"}, "text/markdown; charset=utf-8"),
    ],
)
async def test_a_card_comes_as_it_is_asked_for(
    headers: dict[str, str], params: dict[str, str], media_type: str, client: httpx.AsyncClient
) -> None:
    """By the address, else by Accept, else as Markdown, which browsers are told is plain text."""
    await trained(client, **TUTORIAL)

    response = await client.get("/models/exam/card", headers=headers, params=params)

    assert response.headers["content-type"] == media_type
    again = {"if-none-match": response.headers["etag"]} | headers
    assert (await client.get("/models/exam/card", headers=again, params=params)).status_code == 304


async def test_a_card_reads_as_a_page(client: httpx.AsyncClient) -> None:
    """With its sections, a table of columns with their ranges, every setting and every metric."""
    await trained(client, **TUTORIAL, description="What a score takes.")

    page = (await client.get("/models/exam/card")).text

    for line in (
        "# exam/1",
        "What a score takes.",
        "Numbers: score.",
        "| hours_studied | integer | 1.0 | 3.0 |  | 0.0% |",
        "| network.hidden | 3 |",
        "| training.optimizer | gradient_descent |",
    ):
        assert line in page.splitlines()
    assert "- It has learnt from 3 rows only." in page


async def test_words_of_users_are_text_in_a_card(client: httpx.AsyncClient) -> None:
    """Names, levels, labels, tags and description hold no markup, no HTML and no link, whatever they hold."""
    rows = [{NAME: NAME + str(x % 2), "y": f"{NAME}{x % 2}"} for x in range(10)]
    await trained(client, name="odd", rows=rows, target="y", tags={NASTY: NASTY}, description=NASTY * 5)

    page = (await client.get("/models/odd/card")).text

    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = [child for token in parser.parse(page) for child in (token, *(token.children or ()))]
    kinds = {token.type for token in tokens}
    assert not kinds & {"html_inline", "html_block", "link_open", "image", "code_inline", "em_open", "fence"}
    assert sum(token.type == "heading_open" for token in tokens) == 7
    texts = "".join(token.content for token in tokens if token.type in {"text", "text_special"})
    assert NAME in texts
    rows_of_tables = [line for line in page.splitlines() if line.startswith("| ")]
    assert all(line.endswith(" |") for line in rows_of_tables)


def test_what_cannot_be_seen_is_left_out() -> None:
    """Line ends, controls and marks that turn text around; what is long is cut."""
    assert escaped("a\nb\0\N{RIGHT-TO-LEFT OVERRIDE}c") == "a b c"
    assert escaped("x" * 500, 10) == "x" * 9 + "…"
    assert escaped("~_~") == r"\~\_\~"


TABLE = "| a |\n| --- |\n| "
MARKS = st.text("ab_12. -+=*#:/\\`~<>[]()!&|\"'$@^{}", max_size=12)
WORDS = st.lists(st.sampled_from(["&lt;", "1.", "2)", "---", "=", "-", "+", "~~a~~", "_a_", "<a>", "`"])).map(" ".join)


@pytest.mark.parametrize("before", ["", "# ", "- ", TABLE])
@given(text=MARKS | WORDS | st.text())
def test_whatever_is_written_is_read_again(before: str, text: str) -> None:
    """Alone, as a heading, in a list and in a table: no markup is made of it, and nothing of it is lost."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(before + escaped(text))

    parts = [child for token in tokens for child in token.children or ()]
    assert {part.type for part in parts} <= {"text", "text_special"}
    read = "".join(part.content for part in parts)
    assert (read.removeprefix("a") if before == TABLE else read) == " ".join(
        "".join(c if c.isprintable() else " " for c in text).split()
    )
