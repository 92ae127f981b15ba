"""`netlet keys`."""

from typing import Annotated

import typer

from app.commands import command

cli = command()
MOST = 10**9
NumberOf = Annotated[
    int, typer.Argument(metavar="NUMBER", min=1, max=MOST, help="The key's number, as `netlet keys list` tells it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, an object a line.")]


@cli.callback()
def keys() -> None:
    """Keys of the service: once there is one, every request needs one."""


@cli.command()
def create(  # noqa: PLR0913 - each is an option
    name: Annotated[str, typer.Argument(help="What it is for; told in the list, and of what is done with it.")] = "",
    *,
    scopes: Annotated[
        str,
        typer.Option(
            help="predict asks models; train trains, looks inside and has datasets and jobs; metrics reads /metrics; "
            "admin deletes, moves aliases, brings models in, and may do all of the others."
        ),
    ] = "predict,train",
    models: Annotated[str, typer.Option(help="Names it is for, with * and ?, and commas between.")] = "*",
    expires: Annotated[str, typer.Option(help="For how long it is valid: 12h, 90d, 52w, or never.")] = "never",
    requests: Annotated[float | None, typer.Option(help="The most requests a second.", min=0.001, max=MOST)] = None,
    rows: Annotated[
        float | None,
        typer.Option(help="The most rows a second that are answered.", min=0.001, max=MOST),
    ] = None,
    trainings: Annotated[int | None, typer.Option(help="The most trainings that run or wait.", min=0, max=MOST)] = None,
    size: Annotated[
        str | None, typer.Option("--bytes", help="The most bytes of models and datasets: 500MB, 2GB.")
    ] = None,
    stored: Annotated[int | None, typer.Option(help="The most models.", min=0, max=MOST)] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key, and print it: it is not kept, and cannot be shown again."""
    from time import time

    from app import keys as work
    from app.commands.configured import settings_or_end
    from app.store.api_keys import Quotas

    quotas = Quotas(requests, rows, trainings, None if size is None else work.bytes_of(size), stored)
    grant = work.grant_of(scopes, models, quotas)
    until = None if expires == "never" else time() + work.seconds_of(expires)
    work.create(settings_or_end(), work.name_of(name), grant, until, as_json=as_json)


@cli.command(name="list")
def list_keys(*, as_json: AsJson = False) -> None:
    """List all keys: what each is for, may do and is; no secret is kept that could be shown."""
    from app import keys as work
    from app.commands.configured import settings_or_end

    work.show(settings_or_end(), as_json=as_json)


@cli.command()
def rotate(
    number: NumberOf,
    *,
    overlap: Annotated[str, typer.Option(help="For how long what it was stays valid: 1h, 7d.")] = "0s",
    as_json: AsJson = False,
) -> None:
    """Give a key another secret, and print it."""
    from app import keys as work
    from app.commands.configured import settings_or_end

    work.rotate(settings_or_end(), number, work.seconds_of(overlap), as_json=as_json)


@cli.command()
def revoke(number: NumberOf) -> None:
    """End a key at once, and for good; it stays in the list."""
    from app import keys as work
    from app.commands.configured import settings_or_end

    work.revoke(settings_or_end(), number)


@cli.command()
def delete(number: NumberOf) -> None:
    """Take a key out of the list; once none is left, no key is needed on this machine."""
    from app import keys as work
    from app.commands.configured import settings_or_end

    work.delete(settings_or_end(), number)
