"""A large CSV, uploaded to a real server and trained from: seconds, and the most memory that its processes had."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

import httpx
import numpy as np

from benchmarks.report import Section, say
from benchmarks.running import serving

COLUMNS = 10
BLOCK_ROWS = 50_000
SECONDS_BETWEEN_LOOKS = 0.02
TRAINING = {"optimizer": "adam", "epochs": 2, "members": 1, "batch_size": 4096}
MEGABYTE = 2**20


def write_csv(path: Path, size: int) -> int:
    """Write so many bytes of numbers and a few categories, and count the rows."""
    rng = np.random.default_rng(0)
    rows = 0
    with path.open("w", encoding="ascii") as file:
        file.write(",".join([*(f"x{number}" for number in range(COLUMNS)), "course", "y"]) + "\n")
        while file.tell() < size:
            X = rng.standard_normal((BLOCK_ROWS, COLUMNS))
            y = X[:, 0] * X[:, 1] + X[:, 2]
            courses = rng.choice(["art", "law", "sea"], BLOCK_ROWS)
            lines = zip(X.tolist(), courses.tolist(), y.tolist(), strict=True)
            file.writelines(
                f"{','.join(f'{x:.6g}' for x in row)},{course},{label:.6g}\n" for row, course, label in lines
            )
            rows += BLOCK_ROWS
    return rows


@dataclass
class Memory:
    """The most memory of its own (RssAnon) that each process of a server has been seen with, and its VmHWM."""

    server: int
    anonymous: dict[int, int] = field(default_factory=dict)
    peak: dict[int, int] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look again and again until told to end."""
        while not self.ended.wait(SECONDS_BETWEEN_LOOKS):
            for process in [self.server, *descendants(self.server)]:
                with suppress(OSError, KeyError):
                    status = dict(
                        line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines()
                    )
                    self.anonymous[process] = max(self.anonymous.get(process, 0), _bytes(status["RssAnon"]))
                    self.peak[process] = _bytes(status["VmHWM"])

    def told(self) -> tuple[str, str]:
        """Say what the server had, and the largest of its training processes."""
        others = [process for process in self.anonymous if process != self.server]
        training = max(others, key=lambda process: self.peak[process])
        return self._of(self.server), self._of(training)

    def _of(self, process: int) -> str:
        return f"{self.anonymous[process] / MEGABYTE:,.0f} / {self.peak[process] / MEGABYTE:,.0f} MB"


def descendants(process: int) -> list[int]:
    """List all processes that descend from one."""
    children = [
        int(child)
        for task in Path(f"/proc/{process}/task").glob("*/children")
        for child in task.read_text(encoding="ascii").split()
    ]
    return children + [below for child in children for below in descendants(child)]


@contextmanager
def watched(process: int) -> Iterator[Memory]:
    """Watch the memory of a server from here on."""
    Path(f"/proc/{process}/clear_refs").write_text("5", encoding="ascii")  # VmHWM begins anew
    memory = Memory(process)
    thread = threading.Thread(target=memory.watch)
    thread.start()
    try:
        yield memory
    finally:
        memory.ended.set()
        thread.join()


def section(megabytes: int) -> Section:
    """Upload a CSV of so many megabytes and train from it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        rows = write_csv(path, megabytes * MEGABYTE)
        with serving(Path(folder) / "models") as (url, process):
            sleep(2)  # its training processes start
            with httpx.Client(base_url=url, timeout=3600, trust_env=False) as client:
                lines = [_uploaded(client, path, process), _trained(client, process)]
    return Section(
        title=f"A CSV of {megabytes:,} MB, {rows:,} rows of {COLUMNS + 2} columns",
        header=("", "seconds", "server, most RssAnon / VmHWM", "training process, the same"),
        rows=[line[:-1] for line in lines],
        notes=tuple(line[-1] for line in lines if line[-1]),
    )


def _uploaded(client: httpx.Client, path: Path, process: int) -> tuple[str, ...]:
    began = perf_counter()
    with watched(process) as memory, path.open("rb") as file:
        answer = _answer(client.post("/datasets", content=file, headers={"content-type": "text/csv"}))
    say(f"uploaded: {answer['rows']:,} rows, {answer['bytes'] / MEGABYTE:,.0f} MB of Parquet")
    return "upload", f"{perf_counter() - began:.1f}", memory.told()[0], "", ""


def _trained(client: httpx.Client, process: int) -> tuple[str, ...]:
    dataset = client.get("/datasets").json()["datasets"][0]["dataset"]
    request = {"dataset": dataset, "target": "y", "network": {"hidden": [32]}, "training": TRAINING}
    began = perf_counter()
    with watched(process) as memory:
        answer = _answer(client.post("/train", json=request, params={"wait": 3600}))
    report = answer["report"]
    seconds = f"{perf_counter() - began:.1f}"
    return f"train on {report['rows']:,} rows, 2 epochs", seconds, *memory.told(), " ".join(report["warnings"])


def _answer(response: httpx.Response) -> Any:  # noqa: ANN401 - parsed JSON
    if response.is_error:
        raise RuntimeError(response.text)
    return response.json()


def _bytes(kilobytes: str) -> int:
    return 1024 * int(kilobytes.split(maxsplit=1)[0])
