"""What commands have in common that talk to a service: a client, what is said where, and how it ends."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from http import HTTPStatus
from typing import Any

import typer

from app.client import Client, NotAllowed, NotUsable, Problem, TrainingFailed, Unreachable
from app.commands.screen import Screen
from app.commands.tables import Heading, show

HINT_OF_KEYS = "--key or NETLET_KEY says who asks."
HINTS = {
    "model-not-found": "netlet models ls lists models.",
    "version-not-found": "netlet models show MODEL tells which versions there are.",
    "alias-not-found": "netlet models aliases MODEL lists them.",
    "job-not-found": "netlet jobs ls lists them.",
}
"""What to try, by the kind of a problem."""


class Exit(IntEnum):
    """How a command ends."""

    DONE = 0
    FAILED = 1
    WRONG_USE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


class Interrupted(Exception):
    """Somebody wants no more of it; the text says what goes on."""


@dataclass(frozen=True)
class Talk:
    """Where the service is, who asks, and how answers are printed."""

    url: str | None
    key: str | None
    as_json: bool
    quiet: bool

    @cached_property
    def screen(self) -> Screen:
        """Standard error."""
        return Screen(quiet=self.quiet)

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Give a client; where something goes wrong, say what, and end with the code that stands for it."""
        try:
            with Client(self.url, api_key=self.key, say=self.screen.say) as client:
                yield client
        except NotUsable as error:
            self._end(Exit.WRONG_USE, str(error))
        except TrainingFailed as error:
            self._end(Exit.FAILED, str(error))
        except Problem as problem:
            hint = HINTS.get(problem.kind, HINT_OF_KEYS if isinstance(problem, NotAllowed) else "")
            self._end(_exit_of(problem.status), "\n".join([*problem.lines(), hint]).rstrip())
        except Unreachable as error:
            self._end(Exit.UNREACHABLE, str(error))
        except BrokenPipeError:  # whoever read what is printed has enough of it
            raise
        except OSError as error:
            self._end(Exit.FAILED, f"{error.filename or 'Not all could be read, or written'}: {error.strerror}.")
        except Interrupted as error:
            self._end(Exit.INTERRUPTED, str(error))
        except KeyboardInterrupt:
            self._end(Exit.INTERRUPTED, "Interrupted.")

    def rows(self, headings: dict[str, Heading], rows: Iterable[dict[str, Any]], name: str) -> None:
        """Print rows: a table, the objects as they are, or what they are called alone."""
        if self.as_json:
            for row in rows:
                typer.echo(json.dumps(row))
        elif self.quiet:
            for row in rows:
                typer.echo(row[name])
        elif told := [*rows]:
            show(headings, told)
        else:
            self.screen.say("There are none.")

    def one(self, lines: Iterable[str], told: dict[str, Any], name: str) -> None:
        """Print one thing: lines about it, the object as it is, or what it is called alone."""
        if self.as_json:
            typer.echo(json.dumps(told))
        else:
            typer.echo(told[name] if self.quiet else "\n".join(lines))

    def _end(self, code: Exit, text: str) -> None:
        self.screen.complain(text)
        raise typer.Exit(code) from None


def _exit_of(status: int) -> Exit:
    match status:
        case HTTPStatus.NOT_FOUND:
            return Exit.NOT_FOUND
        case HTTPStatus.BAD_GATEWAY | HTTPStatus.SERVICE_UNAVAILABLE | HTTPStatus.GATEWAY_TIMEOUT:
            return Exit.UNREACHABLE
    return Exit.REFUSED if status < HTTPStatus.INTERNAL_SERVER_ERROR else Exit.FAILED
