"""The measurements: rows, tables and octets, in turns with a bare echo of the same bodies; memory; cold start."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import sleep
from typing import NamedTuple

import httpx
import numpy as np
import pyarrow as pa

from app.tables.formats import FORMATS
from benchmarks.report import Bars, Section, say, verdict
from benchmarks.running import serving
from benchmarks.serving import contestants, load
from benchmarks.serving.apps.network import COLUMNS, UNITS
from benchmarks.serving.contestants import ECHO, PEERS, Contestant, free_port, interpreter, running
from benchmarks.serving.load import Body, Measured
from benchmarks.tables import Matrix

NETLET = "netlet"
CONNECTIONS = 16
ONE, HUNDRED, MANY = 1, 100, 10_000
ROWS = 2_000  # that are learnt: from 1,000 on, networks are of float32 where nothing else is asked for
GOALS = {"FastAPI tutorial": 5.0, "KServe": 5.0, "MLServer": 8.0, "LitServe": 8.0, "MLflow": 8.0}  # of single rows
GOAL_OF_ECHO, GOAL_OF_TAIL, GOAL_OF_TABLES, GOAL_OF_OCTETS = 0.6, 2.0, 4.0, 10.0
MOST_MEMORY, LONGEST_START = 90.0, 1.5


class Served(NamedTuple):
    """What came of one server, and of the echo that had the same bodies in turns with it."""

    one: Measured
    echo_of_one: Measured
    hundred: Measured
    many: Measured
    """Rows as JSON, on one connection."""
    cold_start: float
    memory: float
    """MB of the process that answers, what it shares counted in part."""
    all_memory: float
    """MB of all processes."""


def sections(rounds: int) -> list[Section]:
    """Measure netlet and all peers that can be installed; nothing where there is no wrk."""
    if not load.is_installed():
        say("wrk or taskset is not installed, or there is one processor: serving is left out")
        return []
    X = np.random.default_rng(0).standard_normal((MANY, COLUMNS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _learn(folder / "models", X)
        found = {NETLET: _measured(_netlet(folder), sys.executable, folder, X, rounds)}
        for peer, contestant in PEERS.items():
            python = interpreter(peer, contestant)
            if python is not None:
                learning = [str(python), "-W", "ignore", str(contestants.APPS / "network.py"), str(folder)]
                subprocess.run(learning, check=True)  # noqa: S603 - our own command
                try:
                    found[peer] = _measured(contestant, str(python), folder, X, rounds)
                except TimeoutError:
                    say(f"{peer} gives no answer: its measurements are left out")
        peers = {name: served.many for name, served in found.items() if name != NETLET}
        return [_requests(found), _tables(folder, X, rounds, peers)]


def _learn(store: Path, X: Matrix) -> None:
    """Train the network that is served: of the shape and the activation that the peers' has, else as it comes."""
    training = {"optimizer": "adam", "epochs": 20, "members": 1}
    request = {"name": "mid", "X": X[:ROWS].tolist(), "y": X[:ROWS, :5].sum(axis=1).tolist(), "training": training}
    with serving(store) as (url, _):
        answer = httpx.post(
            f"{url}/train",
            json=request | {"network": {"hidden": UNITS, "activation": "relu"}},
            timeout=600,
            trust_env=False,
        )
        answer.raise_for_status()


def _netlet(folder: Path) -> Contestant:
    def command(python: Path, _folder: Path, port: int) -> list[str]:
        settings = [f"NETLET_MODELS={folder / 'models'}", "NETLET_PREDICT_BYTES=100000000"]
        return ["env", *settings, str(python), "-m", "app.cli", "serve", "--port", str(port)]

    return Contestant((), command, "/predict", lambda rows: Body(json.dumps({"model": "mid", "X": rows}).encode()))


def _measured(contestant: Contestant, python: str, folder: Path, X: Matrix, rounds: int) -> Served:
    """Measure one server, and an echo of the same bodies beside it, each in turn."""
    one, hundred, many = (contestant.body(X[:rows].tolist()) for rows in (ONE, HUNDRED, MANY))
    with _both(contestant, python, folder, one) as (url, echo, process, cold_start):
        sleep(1)
        memory = [_memory([process]), _memory(_session_of(process))]
        ones, echoes, hundreds, manies = [], [], [], []
        for _ in range(rounds):
            ones.append(load.load(url, one, connections=CONNECTIONS))
            echoes.append(load.load(echo, one, connections=CONNECTIONS))
            hundreds.append(load.load(url, hundred, connections=CONNECTIONS))
            manies.append(load.load(url, many, connections=1))
    say(f"{contestant.path} of {Path(python).parent.parent.name}: {_median(ones).per_second:.0f} requests a second")
    return Served(_median(ones), _median(echoes), _median(hundreds), _median(manies), cold_start, *memory)


@contextmanager
def _both(contestant: Contestant, python: str, folder: Path, body: Body) -> Iterator[tuple[str, str, int, float]]:
    """Run a server and an echo; give their addresses, the server's process and the seconds to its first answer."""
    port, echo_port = free_port(), free_port()
    url, echo = f"http://127.0.0.1:{port}{contestant.path}", f"http://127.0.0.1:{echo_port}/"
    with (
        running(contestant.command(Path(python), folder, port), url, body) as (process, cold_start),
        running(ECHO.command(Path(sys.executable), folder, echo_port), echo, body),
    ):
        yield url, echo, process, cold_start


def _median(measured: list[Measured]) -> Measured:
    return Measured(*(median(values) for values in zip(*measured, strict=True)))


def _session_of(process: int) -> list[int]:
    """List a process and all that it started."""
    listed = subprocess.run(["ps", "-s", str(process), "-o", "pid="], capture_output=True, text=True, check=True)  # noqa: S603, S607 - our own command
    return [int(pid) for pid in listed.stdout.split()]


def _memory(processes: list[int]) -> float:
    """Tell how many MB processes take, what they share counted once."""
    total = 0
    for pid in processes:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            total += int(line.split()[1]) if line.startswith("Pss:") else 0
    return total / 1024


def _requests(found: dict[str, Served]) -> Section:
    own = found[NETLET]
    share, tail = (
        own.one.per_second / own.echo_of_one.per_second,
        own.one.p99_milliseconds / own.echo_of_one.p99_milliseconds,
    )
    notes = [
        f"A row: {share:.2f} of the echo's requests a second; {verdict(share, GOAL_OF_ECHO, at_least=True)}.",
        f"A row, p99: {tail:.2f} times the echo's; {verdict(tail, GOAL_OF_TAIL)}.",
        f"Memory of the idle server: {own.memory:.0f} MB; {verdict(own.memory, MOST_MEMORY)}.",
        f"With the processes that wait for trainings it is {own.all_memory:.0f} MB.",
        f"From the start to the first answer: {own.cold_start:.2f} s; {verdict(own.cold_start, LONGEST_START)}.",
    ]
    for peer, goal in GOALS.items():
        if peer in found:
            one, hundred = (
                _ratio(own.one.per_second, own.echo_of_one, found[peer].one.per_second, found[peer].echo_of_one),
                _ratio(
                    own.hundred.per_second, own.echo_of_one, found[peer].hundred.per_second, found[peer].echo_of_one
                ),
            )
            notes.append(
                f"{peer}: a row {one:.1f} times as often, {verdict(one, goal, at_least=True)}; {HUNDRED} rows "
                f"{hundred:.1f} times, {verdict(hundred, GOAL_OF_TABLES, at_least=True)}."
            )
    rows = [
        (
            name,
            f"{served.one.per_second:,.0f}",
            f"{served.one.p99_milliseconds:.1f}",
            f"{served.one.per_second / served.echo_of_one.per_second:.2f}",
            f"{served.hundred.per_second:,.0f}",
            f"{served.memory:.0f}",
            f"{served.all_memory:.0f}",
            f"{served.cold_start:.2f}",
        )
        for name, served in found.items()
    ]
    return Section(
        f"A network of {COLUMNS}-64-64-1 served, {CONNECTIONS} connections, one processor",
        (
            "",
            "a row: requests/s",
            "p99, ms",
            "of the echo's",
            f"{HUNDRED} rows: requests/s",
            "idle, MB",
            "all processes, MB",
            "cold start, s",
        ),
        rows,
        notes=tuple(notes),
        bars=(
            Bars(
                "Single rows a second",
                {name: served.one.per_second for name, served in found.items()},
                logarithmic=True,
            ),
        ),
    )


def _ratio(own: float, own_echo: Measured, peer: float, peer_echo: Measured) -> float:
    """Compare two servers that were measured at different moments by what the echo did in each."""
    return (own / own_echo.per_second) / (peer / peer_echo.per_second)


def _tables(folder: Path, X: Matrix, rounds: int, peers: dict[str, Measured]) -> Section:
    """Measure many rows in one request: as JSON, as octets of the Open Inference Protocol, and as Arrow."""
    contestant = _netlet(folder)
    table = pa.table({f"x{number}": pa.array(column) for number, column in enumerate(X.T, start=1)})
    ways = {
        "JSON": ("/predict", contestant.body(X.tolist())),
        "octets, float32": ("/v2/models/mid/infer", _octets(X, "FP32", "<f4")),
        "octets, float64": ("/v2/models/mid/infer", _octets(X, "FP64", "<f8")),
        "Arrow": ("/models/mid/predict", Body(b"".join(FORMATS["arrow_stream"].write([table], MANY)), ARROW)),
    }
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    found: dict[str, list[Measured]] = {way: [] for way in ways}
    with running(
        contestant.command(Path(sys.executable), folder, port), f"{url}/predict", contestant.body(X[:1].tolist())
    ):
        for _ in range(rounds):
            for way, (path, body) in ways.items():
                found[way].append(load.load(url + path, body, connections=1))
    rates = {way: _median(measured).per_second for way, measured in found.items()}
    ratios = {way: rate / rates["JSON"] for way, rate in rates.items()}
    say("many rows: " + ", ".join(f"{way} {rate:.1f}/s" for way, rate in rates.items()))
    best = max(rate for way, rate in rates.items() if way != "JSON")
    return Section(
        f"{MANY:,} rows in one request, one connection",
        ("", "requests/s", "times JSON"),
        [
            *((way, f"{rate:.1f}", f"{ratios[way]:.1f}") for way, rate in rates.items()),
            *((f"{peer}, JSON", f"{served.per_second:.1f}", "") for peer, served in peers.items()),
        ],
        notes=tuple(
            f"{peer}: netlet's fastest way is {best / served.per_second:.1f} times its JSON; "
            f"{verdict(best / served.per_second, GOAL_OF_OCTETS, at_least=True)}."
            for peer, served in peers.items()
        ),
    )


ARROW = FORMATS["arrow_stream"].media_types[0]


def _octets(X: Matrix, datatype: str, dtype: str) -> Body:
    octets = X.astype(dtype).tobytes()
    tensor = {
        "name": "X",
        "shape": list(X.shape),
        "datatype": datatype,
        "parameters": {"binary_data_size": len(octets)},
    }
    header = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return Body(header + octets, "application/octet-stream", len(header))
