"""`netlet predict`."""

from typing import Annotated

import typer

from app.commands import command
from app.commands.options import AsJson, Key, Model, Quiet, Url

cli = command()


@cli.command(context_settings={"ignore_unknown_options": True})  # a number may be negative
def predict(  # noqa: PLR0913 - each is an option
    model: Model,
    asked: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|VALUES",
            help="A table to answer, - for a CSV from standard input; or the values of one row, in the order of the "
            "model's columns or as hours=4.",
        ),
    ],
    *,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FILE", help="Where the answers to a table go: .csv, .parquet, …"),
    ] = None,
    interval: Annotated[
        float | None, typer.Option(help="Also tell what truth lies within, or among, as often as 0.9, say.")
    ] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Also tell the probability of each class.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Also tell what each value adds to an answer.")] = False,
    abstain: Annotated[bool, typer.Option("--abstain", help="Answer nothing for rows of none of the classes.")] = False,
    ignore_extra: Annotated[
        bool, typer.Option("--ignore-extra", help="Leave columns out that the model does not know.")
    ] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Ask a model of a running service, about one row or a table of them.

    netlet predict exam 4 8

    netlet predict exam hours_studied=4 hours_slept=8

    netlet predict exam new.csv > answers.csv
    """
    from app.commands import predicting
    from app.commands.talking import Talk

    wanted = {
        "interval": interval,
        "proba": proba,
        "explain": explain,
        "abstain": abstain,
        "ignore_extra": ignore_extra,
    }
    given = {name: value for name, value in wanted.items() if value}
    predicting.predict(Talk(url, key, as_json, quiet), model, asked, given, out)
