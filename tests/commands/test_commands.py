"""All commands of the command line: listed at once, imported when chosen."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import __version__, cli, commands

HEAVY = {"fastapi", "httpx", "numpy", "pyarrow", "rich", "sqlalchemy", "uvicorn", "app.main", "app.settings"}


def run(program: str, **variables: str) -> list[str]:
    """Run a program in an interpreter of its own and give the lines that it prints."""
    environment = os.environ | {"COLUMNS": "80"} | variables
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def program(*arguments: str) -> str:
    """Write a program that runs a command line, and prints what it imported then that takes long."""
    return (
        f"import sys\nfrom app.cli import cli\ntry:\n    cli({[*arguments]})\n"
        f"except SystemExit:\n"
        f"    print(sorted(name for name in sys.modules if name in {HEAVY} or name.startswith('app.commands.')))"
    )


def test_help_lists_every_command_on_a_line_of_its_own_and_imports_none() -> None:
    """What a command does is said whole on 80 columns."""
    told = run(program("--help"))

    listed = [line.split(maxsplit=1) for line in told[told.index("Commands:") + 1 : -1]]
    assert listed == [[name, line] for name, line in cli.COMMANDS.items()]
    assert told[-1] == "[]"


def test_the_version_is_told_and_no_command_imported() -> None:
    """As the service tells it in its document."""
    assert run(program("--version")) == [f"netlet {__version__}", "[]"]


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_of_a_command_imports_that_command_alone(command: str) -> None:
    """Neither the service, nor what asks one, is needed for it."""
    told = run(program(command, "--help"))

    module = f"app.commands.{'import_' if command == 'import' else command}"
    assert told[0].startswith("Usage: ")
    assert {*ast.literal_eval(told[-1])} <= {module, "app.commands.options"}


def test_every_module_that_is_a_command_is_listed() -> None:
    """None is forgotten."""
    modules = Path(commands.__path__[0]).glob("*.py")

    made = {path.stem.rstrip("_") for path in modules if "\ncli = command(" in path.read_text(encoding="utf-8")}

    assert made == {*cli.COMMANDS}


def test_a_command_that_is_not_there_is_asked_about() -> None:
    """The one that is spelled nearly so is named, with exit code 2."""
    line = [sys.executable, "-m", "app.cli", "serv"]
    told = subprocess.run(line, capture_output=True, text=True, check=False)

    assert told.returncode == 2
    assert "No such command 'serv'. Did you mean 'serve'?" in told.stderr


def test_a_shell_completes_commands_and_their_options() -> None:
    """As bash asks for it."""
    complete = {"_NETLET_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    ask = "from app.cli import cli\ntry:\n    cli(prog_name='netlet')\nexcept SystemExit:\n    pass"

    assert run(ask, **complete, COMP_WORDS="netlet se") == ["serve"]
    assert "--target" in run(ask, **complete | {"COMP_CWORD": "2"}, COMP_WORDS="netlet train --")
