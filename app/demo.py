"""The demonstration behind `make run`: the tutorial's network, trained and asked over plain HTTP."""

import json
import logging
from collections.abc import Callable
from threading import Thread
from time import sleep
from typing import Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from app.api.predict_schemas import PREDICT_EXAMPLE
from app.api.schemas import TRAIN_EXAMPLE, TUTORIAL_ROWS
from app.listening import open_at, url_of
from app.server import run, server_of
from app.settings import Settings
from app.telemetry import log_json_lines

SECONDS_BETWEEN_LOOKS = 0.05


def demonstrate(settings: Settings) -> None:
    """Serve, on another port if that one is taken, and show what the service does."""
    log_json_lines(logging.WARNING)
    server = server_of(settings)
    try:
        listener = open_at(settings.host, settings.port)
    except OSError:
        listener = open_at(settings.host, 0)
    show = Demo(url_of(settings.host, listener), stop=lambda: setattr(server, "should_exit", True))
    show.start()
    run(server, listener)
    raise typer.Exit(show.exit_code)


class DemoFailed(Exception):
    """The service could not do what the demonstration shows."""


class Demo(Thread):
    """A client in a thread of its own; `stop` ends the server if the demonstration fails."""

    def __init__(self, url: str, stop: Callable[[], None]) -> None:
        super().__init__(name="demo", daemon=True)
        self.url, self.stop, self.exit_code = url, stop, 0
        self.console = Console(highlight=False)

    def run(self) -> None:
        """Train, ask, and say how to go on."""
        try:
            with httpx.Client(base_url=self.url, timeout=60, trust_env=False) as client:
                self.train(client)
                self.ask(client)
        except (httpx.HTTPError, DemoFailed) as error:
            self.console.print(f"The demonstration failed: {error}")
            self.exit_code = 1
            self.stop()
            return
        self.say_how_to_go_on()

    def train(self, client: httpx.Client) -> None:
        """Post the table and follow the job."""
        self.console.print(f"netlet serves at {self.url}\n")
        self.console.print("Training [bold]exam[/] on three rows: hours studied, hours slept, score.")
        columns = TextColumn("{task.completed:,}/{task.total:,} epochs"), TextColumn("loss {task.fields[loss]}")
        with Progress(BarColumn(), *columns, console=self.console) as progress:
            bar = progress.add_task("training", total=1000, loss="")
            job = _answer(client.post("/train", params={"wait": 0}, json=TRAIN_EXAMPLE))
            while True:
                epochs, loss = job["epochs"] or 1000, job["loss"]
                progress.update(
                    bar, total=epochs, completed=job["epoch"] or 0, loss="" if loss is None else f"{loss:.6f}"
                )
                if job["status"] not in {"queued", "running"}:
                    break
                sleep(SECONDS_BETWEEN_LOOKS)
                job = _answer(client.get(f"/jobs/{job['job']}"))

        if job["status"] != "succeeded":
            raise DemoFailed(job["error"])

    def ask(self, client: httpx.Client) -> None:
        """Ask about the rows it learnt from, and about the one it never saw."""
        known = _answer(client.post("/predict", json={"model": "exam", "X": [[2, 9], [1, 5], [3, 6]]}))
        for row, answer in zip(TUTORIAL_ROWS, known["predictions"], strict=True):
            asked = f"({row['hours_studied']}, {row['hours_slept']})"
            self.console.print(f"  {asked} was {row['score']}, the network says {answer:.2f}")
        answer = _answer(client.post("/predict", json=PREDICT_EXAMPLE))
        self.console.print(f"\nWhat would (4, 8) score?  [bold]{answer['predictions'][0]:.2f}[/]")
        if not answer["in_range"][0]:
            self.console.print("  (outside what it was trained on: nobody studied 4 hours)")

    def say_how_to_go_on(self) -> None:
        """Show the same question as a command, and where the documentation is."""
        self.console.print("\nAsk it yourself:", style="bold")
        self.console.print(f"  curl {self.url}/predict -d '{json.dumps(PREDICT_EXAMPLE)}'", soft_wrap=True)
        self.console.print(f"\nDocumentation: {self.url}/docs   (Ctrl-C stops)")


def _answer(response: httpx.Response) -> dict[str, Any]:
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer
