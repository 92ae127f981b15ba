"""`netlet train`: sends a table, shows how it is learnt, and prints what came of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus
from shlex import quote
from typing import Any

import typer

from app.client.sending import NotUsable, Pairs, Said, opened
from app.client.service import Problem, Service, Unreachable
from app.commands.figures import figures
from app.commands.screen import Screen

DEFAULT_URL = "http://127.0.0.1:8000"


class Exit(IntEnum):
    """How the command ends."""

    DONE = 0
    FAILED = 1
    WRONG_USE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


class Failed(Exception):
    """The training ended without the model that was asked for."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line says: a file to learn from, or a job to follow."""

    url: str
    file: str
    follow: str
    settings: tuple[str, ...]
    how: dict[str, object]
    """What is said of the job, where it is not None."""
    as_json: bool
    quiet: bool


def run(asked: Asked) -> Exit:
    """Do what is asked for; where that fails, say why."""
    screen = Screen(quiet=asked.quiet)
    try:
        with Service(asked.url, screen.say) as service:
            return _Session(asked, screen, service, asked.follow).run()
    except NotUsable as error:
        screen.complain(str(error))
        return Exit.WRONG_USE


@dataclass
class _Session:
    asked: Asked
    screen: Screen
    service: Service
    job: str
    """Once there is one."""

    def run(self) -> Exit:
        say = self.screen.complain
        try:
            self._print(self._model())
        except Failed as error:
            say(str(error))
            return Exit.FAILED
        except Problem as problem:
            say("\n".join(_told(problem)))
            return _exit_of(problem.status)
        except Unreachable as error:
            say(f"{error}{self._ways_back()}")
            return Exit.UNREACHABLE
        except KeyboardInterrupt:
            detached = f"Detached; the training goes on.{self._ways_back()}"
            say(detached if self.job else "Interrupted; the table may have arrived, or not.")
            return Exit.INTERRUPTED
        return Exit.DONE

    def _model(self) -> dict[str, Any]:
        if self.job:
            return self._trained()
        said = Said.of(self.asked.settings)
        how: Pairs = [(name, str(value)) for name, value in self.asked.how.items() if value is not None]
        with opened(self.asked.file) as table, self.screen.sending(table) as shown:
            answer = self.service.train(shown, said, how)
        if "job" not in answer:
            return answer
        self.job = answer["job"]
        self.screen.say(f"Training as job {self.job}. Ctrl-C leaves it to itself.")
        return self._trained()

    def _trained(self) -> dict[str, Any]:
        """Show the job until it is over, and give its model; raise Failed where there is none."""
        ended: dict[str, Any] = {}
        with self.screen.bar() as bar:
            for event, ended in self.service.follow(self.job):
                bar.show(event, ended)
        if ended["status"] != "succeeded":
            raise Failed("\n".join(_end(ended)))
        return self.service.model(ended["model"], ended["version"])

    def _print(self, model: dict[str, Any]) -> None:
        if self.asked.as_json:
            typer.echo(json.dumps(model))
        elif self.asked.quiet:
            typer.echo(model["reference"])
        else:
            typer.echo("\n".join(figures(model)))

    def _ways_back(self) -> str:
        """Say how to look at the training again, if there is one."""
        if not self.job:
            return ""
        url = self.service.url
        at = "" if url == DEFAULT_URL else f" --url {quote(url)}"
        look, job = quote(f"{url}/jobs/{self.job}"), quote(self.job)
        return f" To look at it again:\n  curl {look}\n  netlet train --follow {job}{at}"


def _end(job: dict[str, Any]) -> Iterator[str]:
    yield f"The training failed: {job['error']}" if job["status"] == "failed" else "The training was cancelled."
    if job["partial"]:
        yield f"{job['model']}/{job['version']} is what there was of it by then."


def _told(problem: Problem) -> Iterator[str]:
    """Say what a service does not do, and why, fault by fault."""
    yield str(problem)
    faults = problem.told.get("errors", [])
    for fault in faults:
        places = [f"{place} {fault[place]}" for place in ("row", "column", "field") if place in fault]
        got = f", got {fault['got']}" if "got" in fault else ""
        yield f"  {', '.join(places)}: expected {fault['expected']}{got}"
    if (more := problem.told.get("total_errors", 0) - len(faults)) > 0:
        yield f"  and {more} more"
    if any("row" in fault for fault in faults):
        yield "  (rows count from 0)"


def _exit_of(status: int) -> Exit:
    match status:
        case HTTPStatus.NOT_FOUND:
            return Exit.NOT_FOUND
        case HTTPStatus.BAD_GATEWAY | HTTPStatus.SERVICE_UNAVAILABLE | HTTPStatus.GATEWAY_TIMEOUT:
            return Exit.UNREACHABLE
    return Exit.REFUSED if status < HTTPStatus.INTERNAL_SERVER_ERROR else Exit.FAILED
