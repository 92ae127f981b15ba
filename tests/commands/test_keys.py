"""`netlet keys`: what it takes, and what it refuses."""

from pathlib import Path

import pytest

from app.store import api_keys, deeds
from app.store.api_keys import Grant
from app.store.deeds import Deed
from tests.backup.running import netlet
from tests.conftest import Write


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--requests", "inf"),
        ("--requests", "nan"),
        ("--rows", "1e300"),
        ("--trainings", "99999999999"),
        ("--stored", "99999999999"),
        ("--bytes", "99999999T"),
        ("--bytes", "9" * 400),
        ("--expires", "10000000d"),
        ("--expires", "9" * 400 + "w"),
    ],
)
def test_what_is_beyond_all_use_is_refused(option: str, value: str, environment: dict[str, str]) -> None:
    """With the option or the word that is wrong, and no key is made."""
    code, _, said = netlet(environment, "keys", "create", option, value)

    assert code == 2
    assert option in said or value[:40] in said
    assert netlet(environment, "keys", "list", "--json")[:2] == (3, "")  # nor a store


def test_the_most_that_a_key_may_have_is_listed_and_saved(environment: dict[str, str], tmp_path: Path) -> None:
    """Of everything at once."""
    most = {"--requests": "1e9", "--rows": "1e9", "--trainings": "1000000000", "--stored": "1000000000"}
    more = {"--bytes": "1000000T", "--expires": "36500d"}
    options = [word for pair in (most | more).items() for word in pair]

    assert netlet(environment, "keys", "create", *options)[0] == 0

    assert netlet(environment, "keys", "list")[0] == 0
    assert netlet(environment, "backup", tmp_path / "backup.tar")[0] == 0


def test_a_key_that_lasts_longer_than_a_calendar_is_listed_too(environment: dict[str, str], write: Write) -> None:
    """One that somebody has made otherwise keeps no others from being listed."""
    write(lambda unit: api_keys.create(unit, "", Grant(frozenset({"predict"})), 1e300))

    assert '"expires": "9999-12-31T00:00:00Z"' in netlet(environment, "keys", "list", "--json")[1]


@pytest.mark.parametrize("number", ["0", "1000000001", "9" * 30])
@pytest.mark.parametrize("deed", ["rotate", "revoke", "delete"])
def test_a_number_that_no_key_can_have_is_refused(deed: str, number: str, environment: dict[str, str]) -> None:
    """Before the catalogue is asked, which has no number as long."""
    code, _, said = netlet(environment, "keys", deed, number)

    assert (code, "NUMBER" in said, "Traceback" in said) == (2, True, False)


@pytest.mark.parametrize("name", ["[/x] [red]app[/red] :smile:", "größe", ""])
def test_what_a_key_is_for_is_listed_as_it_is(name: str, environment: dict[str, str]) -> None:
    """Whatever a terminal could take it for."""
    assert netlet(environment, "keys", "create", name)[0] == 0

    code, listed, _ = netlet(environment, "keys", "list")

    assert (code, [word for word in name.split() if word not in listed]) == (0, [])


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "n" * 201, "\udcff"])
def test_what_cannot_be_told_in_a_line_is_no_name_of_a_key(name: str, environment: dict[str, str]) -> None:
    """It stands in lists, in the log and in answers."""
    code, _, said = netlet(environment, "keys", "create", name)

    assert (code, "Traceback" in said) == (2, False)


@pytest.mark.parametrize(
    "command", [("keys", "list"), ("keys", "rotate", "1"), ("keys", "revoke", "1"), ("keys", "delete", "1"), ("audit",)]
)
def test_where_there_is_no_store_none_is_made(
    command: tuple[str, ...], environment: dict[str, str], tmp_path: Path
) -> None:
    """Who asks in the wrong folder is told so, with the exit code of what is not there; only a first key makes one."""
    environment["NETLET_MODELS"] = str(tmp_path / "elsewhere")

    code, printed, said = netlet(environment, *command)

    assert (code, printed) == (3, "")
    assert said == f"There is no store at {tmp_path / 'elsewhere'}. NETLET_MODELS names it.\n"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("command", [("keys", "list"), ("audit",)])
def test_a_list_of_nothing_says_so(command: tuple[str, ...], environment: dict[str, str]) -> None:
    """Beside what is printed, which is nothing."""
    assert netlet(environment, "keys", "create", "--json")[0] == 0
    assert netlet(environment, "keys", "delete", "1")[0] == 0

    assert netlet(environment, *command) == (0, "", "There are none.\n")


def test_lists_that_go_elsewhere_are_not_cut(environment: dict[str, str], write: Write) -> None:
    """Where no terminal is, whatever the width of one would be: who looks for a name in it finds it."""
    name = "for the app of all those customers who have one of their own, " * 3
    assert netlet(environment, "keys", "create", name)[0] == 0
    write(
        lambda unit: deeds.note(
            unit, Deed(0.0, name, "127.0.0.1", "POST", "/train", 201, "/models/exam/versions/1", "")
        )
    )

    for command in (("keys", "list"), ("audit",)):
        code, printed, _ = netlet(environment, *command)

        assert code == 0
        assert any(name.strip() in line for line in printed.splitlines())
    assert "/models/exam/versions/1" in printed
