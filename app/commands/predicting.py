"""Questions as a person asks them: a row of values, or a file."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Any

import typer

from app.client import Client, NotUsable, Predictions
from app.client.sending import ENDINGS, STANDARD_INPUT, Table, opened
from app.commands.figures import lines
from app.commands.talking import Talk

OPTION = re.compile(r"-[^\d.]|--")
"""How what is no negative number begins."""


def predict(talk: Talk, model: str, asked: Sequence[str], wanted: dict[str, Any], out: str | None) -> None:
    """Answer a row, or the rows of a file."""
    with talk.client() as client:
        is_file = len(asked) == 1 and (asked[0] == STANDARD_INPUT or Path(asked[0]).suffix.lower() in ENDINGS)
        if is_file:
            with opened(asked[0]) as table, talk.screen.sending(table) as shown:
                _answer_table(client, shown, wanted | {"model": model}, out, ".ndjson" if talk.as_json else ".csv")
        elif out is not None:
            message = "-o is for the answers to a table; that to one row is printed."
            raise NotUsable(message)
        else:
            _answer_row(talk, client, model, _row_of(asked), wanted)


def _answer_row(
    talk: Talk, client: Client, model: str, row: dict[str, str] | list[str], wanted: dict[str, Any]
) -> None:
    rows: Any = [row]
    answers = client.predict(model, rows, applicability=True, **wanted)
    if talk.as_json:
        typer.echo(json.dumps(answers.raw))
        return
    typer.echo(_told(answers.predictions[0]))
    if not talk.quiet:
        if told := [*_beside(answers)]:
            typer.echo("\n".join(lines(told)))
        for warning in _warnings(answers):
            talk.screen.say(warning)


def _answer_table(client: Client, table: Table, wanted: dict[str, Any], out: str | None, ending: str) -> None:
    """Answer a table into a file, or to standard output once all is there."""
    if "explain" in wanted:
        message = "--explain is for one row."
        raise NotUsable(message)
    if out is not None:
        client.predict_file(file=table, into=out, **wanted)
        return
    with TemporaryFile() as answers:
        client.predict_file(file=table, into=answers, ending=ending, **wanted)
        answers.seek(0)
        copyfileobj(answers, sys.stdout.buffer)


def _row_of(asked: Sequence[str]) -> dict[str, str] | list[str]:
    """Read the values of a row: by name if all have one, else in order."""
    for value in asked:
        if OPTION.match(value):
            message = f"There is no option {value.partition('=')[0]}; netlet predict --help tells which there are."
            raise NotUsable(message)
    named = [value.partition("=") for value in asked]
    if all(equals for _, equals, _ in named):
        row = {name: value for name, _, value in named}
        if len(row) == len(asked):
            return row
        message = "A column is there twice."
        raise NotUsable(message)
    if any(equals for _, equals, _ in named):
        message = "Name all values, as in hours=4, or none of them."
        raise NotUsable(message)
    return [*asked]


def _beside(answers: Predictions) -> Iterator[tuple[str, str]]:
    """Tell what else was asked for about the only row."""
    if answers.intervals is not None and answers.intervals[0] is not None:
        yield "interval", _interval(answers.intervals[0])
    if answers.label_sets is not None and answers.label_sets[0] is not None:
        yield "among", ", ".join(map(_told, answers.label_sets[0]))
    if answers.interval_reason is not None:
        yield "interval", f"none: {answers.interval_reason}"
    if answers.probabilities is not None:
        yield "probability", _shares(answers.probabilities[0])
    if answers.none_because is not None and answers.none_because[0] is not None:
        yield "none because", f"of {answers.none_because[0]}"
    if answers.explanations is not None:
        told = answers.explanations[0]
        yield "baseline", _added(told["baseline"], signed=False)
        for column, added in told["contributions"].items():
            yield column, _added(added, signed=True)


def _interval(interval: Any) -> str:  # noqa: ANN401 - of one target, or a list of them
    if isinstance(interval[0], list):
        return "; ".join(map(_interval, interval))
    return f"{interval[0]:.6g} to {interval[1]:.6g}"


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{label} {share:.4g}" for label, share in shares.items())


def _added(added: Any, *, signed: bool) -> str:  # noqa: ANN401 - a number, or one for each label
    sign = "+" if signed else ""
    if isinstance(added, dict):
        return ", ".join(f"{label} {value:{sign}.4g}" for label, value in added.items())
    return f"{added:{sign}.6g}"


def _warnings(answers: Predictions) -> Iterator[str]:
    """Say what the model has seen nothing like."""
    for outside in (answers.applicability or [{"outside": []}])[0]["outside"]:
        reference = f"{answers.model}/{answers.version}"
        if outside.get("lowest") is None:
            yield f"{outside['column']}: {reference} has not learnt from a row with this."
        else:
            ends = f"{outside['lowest']:g} to {outside['highest']:g}"
            yield f"{outside['column']} {outside['value']:g}: {reference} has learnt from {ends} only."


def _told(answer: object) -> str:
    """Write an answer as JSON has it, but texts without quotes."""
    if isinstance(answer, list):
        return " ".join(map(_told, answer))
    return answer if isinstance(answer, str) else json.dumps(answer)
