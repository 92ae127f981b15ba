"""Options that several commands have."""

from typing import Annotated, TypeAlias

import typer

Url: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Where the service is; http://127.0.0.1:8000 if nobody says.", envvar="NETLET_URL"),
]
Key: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Your key, where the service asks for one.", envvar="NETLET_KEY", show_envvar=True),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print names alone, and no progress.")]
Model: TypeAlias = Annotated[str, typer.Argument(metavar="MODEL", help="exam, exam/3 or exam@live.")]
