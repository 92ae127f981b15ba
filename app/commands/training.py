"""A training as a person sees it: the table goes, a bar moves, the model is told."""

from collections.abc import Iterable
from shlex import quote
from typing import Any

from app.client import Client, Groups, Model, NotUsable, Unreachable
from app.client.asking import DEFAULT_URL
from app.client.sending import opened
from app.commands.figures import figures
from app.commands.given import settings_of
from app.commands.tables import Heading
from app.commands.talking import Interrupted, Talk

GROUPS: dict[str, Heading] = {
    "model": lambda row: row["model"],
    "version": lambda row: row["version"],
    "rows": lambda row: row["rows"],
    "validation": lambda row: next(iter((row["validation"] or {}).values()), None),
    "error": lambda row: row["error"],
}
THE_TABLE = {"self", "rows"}
"""What a client takes apart from settings."""


def train(talk: Talk, file: str, given: dict[str, Any], settings: Iterable[str]) -> None:
    """Send a table, show how it is learnt, and print what came of it."""
    with talk.client() as client:
        said: Any = settings_of(settings) | given
        if THE_TABLE & {*said}:
            message = "The table is FILE; --set is for all else."
            raise NotUsable(message)
        try:
            with opened(file) as table, talk.screen.sending(table) as shown:
                job = client.begin(shown, **said).job
        except KeyboardInterrupt:
            message = "Interrupted; the table may have arrived, or not."
            raise Interrupted(message) from None
        talk.screen.say(f"Training as job {job}. Ctrl-C leaves it to itself.")
        _watch(talk, client, job)


def follow(talk: Talk, job: str) -> None:
    """Show how a training goes on, and print what came of it."""
    with talk.client() as client:
        _watch(talk, client, job)


def _watch(talk: Talk, client: Client, job: str) -> None:
    """Show a training until it is over, and print its model, or models; raises TrainingFailed where there is none."""
    made = watched(talk, client, job)
    if isinstance(made, Groups):
        talk.rows(GROUPS, (model.raw for model in made.models), "model")
    else:
        talk.one(figures(made), made.raw, "reference")


def watched(talk: Talk, client: Client, job: str) -> Model | Groups:
    """Show a training until it is over, and give what it came to; raises TrainingFailed where that is nothing."""
    try:
        with talk.screen.bar() as bar:
            return client.outcome(job, bar.show)
    except Unreachable as error:
        message = f"{error}{_ways_back(client, job)}"
        raise Unreachable(message) from error
    except KeyboardInterrupt:
        message = f"Detached; the training goes on.{_ways_back(client, job)}"
        raise Interrupted(message) from None


def _ways_back(client: Client, job: str) -> str:
    """Say how to look at a training again."""
    at = "" if client.url == DEFAULT_URL else f" --url {quote(client.url)}"
    return f" To look at it again:\n  netlet jobs show {quote(job)}{at}\n  netlet jobs follow {quote(job)}{at}"
