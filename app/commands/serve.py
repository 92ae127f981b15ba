"""`netlet serve`."""

import gc
from typing import Annotated

import typer

from app.commands import command

cli = command()


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (default 127.0.0.1).")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on (default 8000); 0 takes any free one.", min=0, max=65535)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that share the port and the store (default 1).", min=1, max=64)
    ] = None,
    *,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Let other machines in without a key, to do anything.")
    ] = None,
) -> None:
    """Serve models until stopped."""
    from app.commands.configured import settings_or_end
    from app.worker import end_with_supervisor, is_worker

    given = {"host": host, "port": port, "workers": workers, "insecure": insecure}
    settings = settings_or_end().model_copy(update={name: value for name, value in given.items() if value is not None})
    if settings.workers > 1 and not is_worker():
        from app.workers import supervise

        supervise(settings)
    end_with_supervisor()  # from here on: what is imported next may take seconds, in which the port would be kept
    gc.disable()  # what is made up to the start stays; looking for what does not is a seventh of the time it takes
    from app import server

    server.serve(settings)
