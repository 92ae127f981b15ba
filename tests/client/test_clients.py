"""What both clients have in common, and how they are made."""

import inspect
import pickle
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run

import pandas as pd
import pytest

from app.client import (
    AsyncClient,
    Client,
    NotAllowed,
    NotUsable,
    Progress,
    TimedOut,
)
from app.client.clients import Calls
from app.client.errors import KINDS, Problem
from tests.client.fake_service import Answer, serving
from tests.conftest import ROWS

FRAME = pd.DataFrame(ROWS)
NEW = [{"hours_studied": 4, "hours_slept": 8}]


async def test_the_same_calls_wait_for_nobody(url: str, tmp_path: Path) -> None:
    """`AsyncClient` trains, asks and lists; progress may be awaited."""
    FRAME.to_csv(tmp_path / "exam.csv", index=False)
    seen: list[int] = []

    async def watch(progress: Progress) -> None:
        seen.append(progress.epoch)

    async with AsyncClient(url) as client:
        model = await client.train(str(tmp_path / "exam.csv"), "score", name="async", preset="tutorial", progress=watch)
        answer = await client.predict("async", NEW)
        names = [listed.model async for listed in client.models("async")]
        job = await client.begin(ROWS, "score", name="async", preset="tutorial")
        events = [event.name async for event in client.follow(job.job)]
        await client.predict_file("async", tmp_path / "exam.csv", tmp_path / "out.csv", ignore_extra=True)

    assert model.reference == "async/1"
    assert answer.predictions == [pytest.approx(90.35334158360055, abs=1e-9)]
    assert names[0] == "async"
    assert seen[-1] == 1000
    assert events[-1] == "succeeded"


def test_both_clients_have_the_same_calls() -> None:
    """By name and by what they take; each says what it does."""
    calls = {name: call for name, call in inspect.getmembers(Calls, callable) if not name.startswith("_")}

    for name, call in calls.items():
        assert inspect.signature(getattr(Client, name)) == inspect.signature(call)
        assert getattr(Client, name).__doc__


def test_the_client_imports_nothing_heavy() -> None:
    """Neither what the service is made of, nor NumPy or pandas, which who has arrays and frames has imported."""
    heavy = {"fastapi", "numpy", "pandas", "pyarrow", "pydantic", "sklearn", "sqlalchemy", "uvicorn"}
    program = f"import sys, app.client; print(sorted({heavy} & set(sys.modules)))"

    told = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout == "[]\n"


def test_a_key_is_sent_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a bearer's, from the argument or else from NETLET_KEY."""
    monkeypatch.setenv("NETLET_KEY", "from-the-environment")

    with serving([Answer(401, '{"detail": "Which key?"}')] * 2) as (url, received):
        for client in (Client(url), Client(url, api_key="given")):
            with client, pytest.raises(NotAllowed, match=r"Which key\?"):
                client.model("exam")
            assert "given" not in repr(vars(client)) + repr(client)

    assert [request.headers["authorization"] for request in received] == ["Bearer from-the-environment", "Bearer given"]


@pytest.mark.parametrize(
    "make", [lambda: Client("ftp://a"), lambda: Client("http://a:b"), lambda: Client(api_key="a b")]
)
def test_what_cannot_be_an_address_or_a_key_is_said_at_once(make: Callable[[], Client]) -> None:
    """Before anything is sent."""
    with pytest.raises(NotUsable):
        make()


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever() -> None:
    """Nobody reads what arrives at this socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with Client(f"http://127.0.0.1:{port}", timeout=0.1, patience=0.1) as client, pytest.raises(TimedOut):
            client.model("exam")


def test_errors_travel_between_processes() -> None:
    """With all that they know: a grid search, say, runs in several."""
    for kind in {*KINDS.values()}:
        error = pickle.loads(pickle.dumps(kind(404, {"detail": "No."}, "id", 3.0)))  # noqa: S301 - our own

        assert isinstance(error, Problem)
        assert (type(error), str(error), error.request_id, error.retry_after) == (kind, "No.", "id", 3.0)
