"""Command lines, run to their ends in this process."""

import json
from typing import Any, NamedTuple

from typer.testing import CliRunner

from app import cli


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[Any]:
        """What was printed, a JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def netlet(url: str, *arguments: str, given: str | None = None, **variables: str) -> Ran:
    """Run a command line with a service."""
    environment = {"NETLET_URL": url, "NETLET_KEY": "", "COLUMNS": "80"} | variables
    result = CliRunner().invoke(cli.cli, arguments, input=given, env=environment, prog_name="netlet")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)
