"""What tests of backups share: other stores, with catalogues of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SettingsOf

Elsewhere = Callable[[str], dict[str, str]]


@pytest.fixture
def elsewhere(environment: dict[str, str], settings_of: SettingsOf, tmp_path: Path) -> Elsewhere:
    """Give the variables of a process that uses another store, which is not there yet."""

    def variables(name: str) -> dict[str, str]:
        url = settings_of(tmp_path / name).database_url
        named = {} if url is None else {"NETLET_DATABASE_URL": url.get_secret_value()}
        return environment | {"NETLET_MODELS": str(tmp_path / name)} | named

    return variables
