"""The whole story in a real browser, against a real server: begin, watch, ask, look inside, take away, manage."""

import csv
import io
import json
import math
import random
import re
import signal
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Server, StartServer, wait_until
from tests.web.conftest import Visiting

pytestmark = pytest.mark.only_on("sqlite")

LONG_MS = 30_000
POINTS = "document.querySelector('.curve polyline')?.points.numberOfItems"  # of the curve that is drawn
MINUS = "\N{MINUS SIGN}"
expect.set_options(timeout=LONG_MS)


def table(rows: int = 400) -> str:
    """Make a CSV with a number, a category and a gap."""
    draw = random.Random(5)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["size", "kind", "age", "price"])
    for row in range(rows):
        size, kind, age = draw.uniform(10, 200), draw.choice(["flat", "house", "loft"]), draw.randint(0, 90)
        price = 3 * size + 100 * (kind == "loft") - age + draw.gauss(0, 5)
        writer.writerow([f"{size:.1f}", kind, "" if row % 20 == 7 else age, f"{price:.1f}"])
    return text.getvalue()


def drop(page: Page, name: str, text: str) -> None:
    """Drop a file on the card of the table."""
    transfer = page.evaluate_handle(
        "([name, text]) => { const all = new DataTransfer(); all.items.add(new File([text], name)); return all; }",
        [name, text],
    )
    page.locator(".landing").dispatch_event("drop", {"dataTransfer": transfer})


def train(page: Page) -> None:
    page.get_by_role("button", name="Train", exact=True).click()


def answer(page: Page) -> float:
    """Read the answer that is shown."""
    expect(page.locator(".answer").first).to_be_visible()
    return float(page.locator(".answer").first.inner_text().replace(",", ""))


def test_one_click_answers_the_tutorials_question(server: Server, visiting: Visiting) -> None:
    """What would (4, 8) score? As the service answers, flagged as beyond the table, with contributions that add up."""
    page = visiting(server.url).to()

    train(page)

    assert answer(page) == pytest.approx(90.353, abs=1e-3)
    expect(page.get_by_text("lies outside of what was learnt")).to_be_visible()
    with server.client() as client:
        told = client.post("/predict", json={"model": "exam", "X": [4, 8]}).json()
    assert answer(page) == pytest.approx(told["predictions"][0], rel=1e-4)


def test_a_table_of_ones_own_is_learnt_while_one_watches(server: Server, visiting: Visiting) -> None:
    """Dropped, understood, learnt with at least ten live points, and asked; the answer moves with a slider."""
    visit = visiting(server.url)
    page = visit.to()
    heard: list[str] = []
    page.on("response", lambda response: heard.append(response.url) if "/events" in response.url else None)

    drop(page, "homes.csv", table())
    expect(page.get_by_role("row", name=re.compile("kind.*category"))).to_be_visible()
    expect(page.get_by_label("Target")).to_have_value("price")
    expect(page.get_by_label("Name of the model")).to_have_value("homes")
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Epochs").fill("4000")
    train(page)
    expect(page.get_by_role("heading", name=re.compile("Learning homes"))).to_be_visible()
    page.wait_for_function(f"() => document.querySelector('h1')?.innerText.startsWith('Learning') && {POINTS} >= 10")
    visit.require_usable()

    before = answer(page)
    slider = page.get_by_role("slider", name="size")
    slider.focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("before => document.querySelector('.answer').innerText !== before", arg=f"{before:,.5g}")
    expect(page.get_by_text("nine times in ten")).to_be_visible()
    assert answer(page) > before
    assert any(url.endswith("events?weights=true") for url in heard)
    visit.require_usable()


def test_what_the_page_computes_is_what_the_service_answers(server: Server, visiting: Visiting) -> None:
    """Surfaces and neurons are computed in the browser, of categories, gaps and several networks too."""
    with server.client() as client:
        posted = client.post(
            "/train",
            params={"target": "price", "name": "homes", "training": json.dumps({"epochs": 30})},
            content=table(),
            headers={"content-type": "text/csv"},
        )
        posted.raise_for_status()
        page = visiting(server.url).to("model/homes/1")
        shown = page.get_by_text(re.compile(r"This row: .* → price"))
        expect(shown).to_be_visible()

        computed = float(shown.inner_text().split("price")[-1].replace(",", ""))

    assert computed == pytest.approx(answer(page), rel=2e-4)


def test_the_arithmetic_of_a_neuron_is_the_tutorials(server: Server, visiting: Visiting) -> None:
    """Scaled inputs, weighted sum and activation of the unit that is chosen; a step of learning in its order."""
    page = visiting(server.url).to()
    train(page)
    answer(page)
    with server.client() as client:
        trace = client.post("/models/exam/trace", json={"row": [4, 8], "y": 91}).json()
    layers = trace["members"][0]["layers"]

    page.get_by_role("button", name=re.compile("unit 2 of", re.IGNORECASE)).first.click()
    told = page.locator(".arithmetic").inner_text()
    over_columns = page.get_by_text(re.compile("This row: .* → a ")).inner_text()
    page.get_by_text("Follow one step of learning").click()
    page.get_by_label(re.compile("The true score")).fill("91")
    page.get_by_role("button", name="Follow it").click()
    page.get_by_role("button", name="3. Delta").click()
    expect(page.get_by_text(re.compile("how the loss changes with each z"))).to_be_visible()
    deltas = page.locator("ol.number").inner_text()

    numbers = [float(number) for number in re.findall(r"-?\d+\.\d+", told.replace(MINUS, "-"))]
    assert any(math.isclose(number, layers[0]["z"][1], rel_tol=1e-4) for number in numbers)
    assert any(math.isclose(number, layers[0]["a"][1], rel_tol=1e-4) for number in numbers)
    assert float(over_columns.split("a ")[-1]) == pytest.approx(layers[0]["a"][1], rel=1e-4)
    found = [float(number) for number in re.findall(r"-?\d+\.?\d*(?:E-?\d+)?", deltas.replace(MINUS, "-"))]
    assert any(math.isclose(number, layers[1]["delta"][0], rel_tol=1e-2) for number in found), (deltas, layers)


def test_a_shared_link_gives_the_same_numbers(server: Server, visiting: Visiting) -> None:
    """Opened by somebody else, it has the table, settings and seed; what is trained from it has the same weights."""
    page = visiting(server.url).to()
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Seed").fill("7")
    train(page)
    answer(page)
    link = page.get_by_label(re.compile("Link to this set-up")).inner_text()

    other = visiting(server.url).page
    other.goto(link)
    expect(other.get_by_label("Seed")).to_have_value("7")
    expect(other.get_by_label("Target")).to_have_value("score")
    train(other)
    expect(other.get_by_role("heading", name="version 2")).to_be_visible()

    with server.client() as client:
        first, second = (client.get(f"/models/exam/versions/{number}/weights").json() for number in (1, 2))
    assert first["members"] == second["members"]


def test_a_long_job_is_paused_stepped_and_cancelled(server: Server, visiting: Visiting) -> None:
    """Each with one click; why it ended is said in words, and where to go on."""
    visit = visiting(server.url)
    page = visit.to()
    drop(page, "homes.csv", table())
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Optimizer").select_option("adam")
    page.get_by_label("Epochs").fill("1000000")
    train(page)

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("paused", exact=True)).to_be_visible()
    page.get_by_role("button", name="Step 10 epochs").click()
    expect(page.get_by_role("button", name="Step 10 epochs")).to_have_attribute("aria-busy", "false")
    page.get_by_role("button", name="Cancel").click()

    expect(page.get_by_text("cancelled", exact=True)).to_be_visible()
    visit.require_usable()


def test_a_search_is_watched_trial_by_trial(server: Server, visiting: Visiting) -> None:
    """Its leaderboard grows while it goes on, and stands with the model afterwards."""
    rows = [{"hours": hours / 4, "score": 60 + (7 * hours) % 40} for hours in range(40)]
    asked = {
        "name": "found",
        "rows": rows,
        "target": "score",
        "training": {"optimizer": "adam", "epochs": 90},
        "search": {"trials": 4, "space": {"hidden": {"choices": [[2], [4, 4]]}}},
    }
    with server.client() as client:
        job = client.post("/train", params={"paused": True}, json=asked).raise_for_status().json()["job"]
    visit = visiting(server.url)
    page = visit.to(f"job/{job}")

    page.get_by_role("button", name="Step 100 epochs").click()
    expect(page.get_by_text("as without a search")).to_be_visible()
    expect(page.get_by_text(re.compile("^[12] of 4$"))).to_be_visible()
    expect(page.get_by_text("0, the best")).to_be_visible()
    visit.require_usable()

    page.get_by_role("button", name="Resume").click()
    with server.client() as client:
        wait_until(lambda: client.get(f"/jobs/{job}").json()["ended"] is not None)
        search = client.get("/models/found").json()["report"]["search"]
    page = visit.to("model/found/1")
    trials = page.get_by_role("region", name="Trials of the search").get_by_role("row")
    expect(trials).to_have_count(1 + len(search["trials"]))
    expect(page.get_by_text(f"{search['best']}, the best")).to_be_visible()
    visit.require_usable()


def test_groups_are_counted_and_end_as_a_list_of_models(server: Server, visiting: Visiting) -> None:
    """Each leads to its model, or says why it has none."""
    rows = [{"pupil": pupil, "hours": hours, "score": 50 + hours} for pupil in ("ann", "ben") for hours in range(12)]
    asked = {"name": "pupils", "group_by": "pupil", "target": "score", "rows": [*rows, {**rows[0], "pupil": "cy"}]}
    with server.client() as client:
        job = client.post("/train/batch", json=asked).raise_for_status().json()["job"]
    visit = visiting(server.url)
    page = visit.to(f"job/{job}")

    expect(page.get_by_text("3 of 3", exact=True)).to_be_visible()
    models = page.get_by_role("region", name="Groups")
    expect(models.get_by_role("row")).to_have_count(1 + 3)
    expect(models.get_by_role("row", name=re.compile("pupils.cy.*at least 2"))).to_be_visible()
    expect(page.get_by_text("cancelled")).to_have_count(0)
    visit.require_usable()

    models.get_by_role("link", name="pupils.ben").click()
    expect(page.get_by_role("heading", name="pupils.ben")).to_be_visible()


def test_a_server_that_restarts_loses_nothing(start_server: StartServer, visiting: Visiting) -> None:
    """The page says that it is away, and goes on watching the same training when it is there again."""
    quick = {"NETLET_LEASE_SECONDS": "2", "NETLET_CHECKPOINT_SECONDS": "1"}
    server = start_server(**quick)
    port = server.url.rsplit(":", 1)[1]
    visit = visiting(server.url)
    page = visit.to()
    drop(page, "homes.csv", table())
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Optimizer").select_option("adam")
    page.get_by_label("Epochs").fill("100000")  # a point each 200 epochs
    train(page)
    page.wait_for_function(f"() => {POINTS} >= 3")

    visit.is_down = True
    server.end(signal.SIGKILL)
    lost = page.locator(".note", has_text="The connection was lost")
    expect(lost).to_be_visible()
    again = start_server("--port", port, **quick)
    expect(lost).not_to_be_visible()
    visit.is_down = False

    before = page.evaluate(POINTS)
    page.wait_for_function(f"before => {POINTS} > before", arg=before, timeout=2 * LONG_MS)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled", exact=True)).to_be_visible()
    with again.client() as client:
        (job,) = client.get("/jobs").json()["jobs"]
    assert job["status"] == "cancelled"


def test_a_table_that_was_deleted_meanwhile_is_sent_again(server: Server, visiting: Visiting) -> None:
    """By whoever has its text still: Train does what it says."""
    visit = visiting(server.url)
    page = visit.to()
    expect(page.get_by_text("3 rows, 3 columns")).to_be_visible()
    with server.client() as client:
        (kept,) = client.get("/datasets").json()["datasets"]
        client.delete(f"/datasets/{kept['dataset']}").raise_for_status()
    visit.is_down = True  # a browser complains of each 404

    train(page)

    assert answer(page) == pytest.approx(90.353, abs=1e-3)


def test_what_is_wrong_is_said_in_words(server: Server, visiting: Visiting) -> None:
    """By row and column where it is about the table; with what to do where a link leads nowhere."""
    visit = visiting(server.url)
    visit.is_down = True  # Chromium itself complains of each 4xx
    page = visit.to()
    page.get_by_label("A line of names", exact=False).fill("a,b\n1,2\n3,4,5\n")
    expect(page.get_by_role("alert").first).to_be_visible()

    visit.to("model/nobody")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("link", name="All models")).to_be_visible()
    visit.to("set-up/%7Bcut")
    expect(page.get_by_role("alert")).to_contain_text("holds no set-up")
    visit.require_usable()


def test_models_versions_and_aliases_are_managed(server: Server, visiting: Visiting) -> None:
    """Two versions side by side; an alias is made, moved, undone; a version is deleted after asking once more."""
    body = {"name": "exam", "preset": "tutorial", "X": [[2, 9], [1, 5], [3, 6]], "y": [92, 86, 89]}
    with server.client() as client:
        for seed in (0, 1):
            client.post("/train", json=body | {"training": {"seed": seed}}).raise_for_status()
    visit = visiting(server.url)
    page = visit.to("model/exam/2")

    page.get_by_label("New alias for version 2").fill("live")
    page.get_by_role("button", name="Make it").click()
    page.get_by_label("Version for live").select_option("1")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("live points to version 1")).to_be_visible()
    page.get_by_role("button", name="Undo the last move").click()
    expect(page.get_by_text("live points to version 2")).to_be_visible()
    page.get_by_role("link", name="Compare with 2").click()
    expect(page.get_by_role("row", name=re.compile("training.seed"))).to_contain_text("1")
    visit.require_usable()
    visit.to("model/exam/2")
    page.get_by_role("button", name="Delete version 1").click()
    page.get_by_role("button", name="Delete version 1, for good").click()
    expect(page.get_by_role("button", name="Delete version 1")).not_to_be_visible()

    with server.client() as client:
        assert client.get("/models/exam").json()["versions"] == [2]
        assert [move["to"] for move in client.get("/models/exam/aliases/live/history").json()["moves"]] == [2, 1, 2]


def test_a_model_is_taken_away(server: Server, visiting: Visiting, tmp_path: Path) -> None:
    """Its program answers by itself; the command that is shown asks the same; it is trained again and compared."""
    page = visiting(server.url).to()
    train(page)
    shown = answer(page)

    with page.expect_download() as download:
        page.get_by_role("button", name="Python program").click()
    download.value.save_as(tmp_path / "exam.py")
    page.get_by_role("button", name="Train again and compare").click()
    expect(page.get_by_text("the same to the last bit")).to_be_visible()
    command = page.get_by_label("Ask this").inner_text()

    found = re.fullmatch(r"curl '([^']+)' -d '([^']+)'", command)
    assert found is not None
    told = httpx.post(found[1], content=found[2], timeout=60).json()
    assert told["predictions"][0] == pytest.approx(shown, rel=1e-4)
    assert "def predict" in (tmp_path / "exam.py").read_text(encoding="utf-8")


def test_without_javascript_the_plain_page_trains_and_asks(server: Server, visiting: Visiting) -> None:
    """By forms, which the service takes as its own; the model that is asked is the one that was trained."""
    page = visiting(server.url, scripts=False).to()
    page.get_by_role("link", name="The plain page").click()
    page.get_by_role("button", name="Train").click()
    expect(page.get_by_role("heading", name="Ask exam/1")).to_be_visible()
    with server.client() as client:  # somebody else takes the same name
        client.post("/train", json={"name": "exam", "X": [[1, 1], [2, 2]], "y": [1, 2]}).raise_for_status()

    page.get_by_label("hours_studied").fill("2")
    page.get_by_label("hours_slept").fill("9")
    page.get_by_role("button", name="Ask").click()

    assert float(page.locator("output").inner_text()) == pytest.approx(92, abs=1e-3)


@pytest.mark.parametrize("width", [360, 2560])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_usable(server: Server, visiting: Visiting, width: int, scheme: str) -> None:
    """By whoever reads it in whatever way: axe finds nothing serious, and nothing is wider than the window."""
    visit = visiting(server.url, width=width, scheme=scheme)
    page = visit.to()
    train(page)
    answer(page)
    visit.require_usable()
    with server.client() as client:
        dataset = client.get("/datasets").json()["datasets"][0]["dataset"]
        job = client.get("/jobs").json()["jobs"][0]["job"]
        wait_until(lambda: client.get(f"/jobs/{job}").json()["ended"] is not None)
    for words in ("", "models", "jobs", "datasets", f"datasets/{dataset}", "compare/exam/1/1"):
        visit.to(words)
        expect(page.locator("h1")).to_be_visible()
        page.wait_for_load_state("networkidle")
        visit.require_usable()
