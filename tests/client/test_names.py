"""Names as parts of an address, and a real service: what would lead elsewhere is not asked for."""

from collections.abc import Iterator

import pandas as pd
import pytest

from app.client import Client, NotUsable
from tests.conftest import ROWS


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.mark.parametrize("word", [".", "..", "\udcff"])
def test_no_name_leads_to_another_path(client: Client, word: str) -> None:
    """An alias that is called `..` is none, and deleting it deletes no model."""
    version = client.train(ROWS, "score", name="stays", preset="tutorial").version

    for deed in (
        lambda: client.delete_alias("stays", word),
        lambda: client.delete(f"stays/{word}"),
        lambda: client.delete(word),
        lambda: client.cancel(word),
        lambda: client.delete_dataset(word),
        lambda: next(iter(client.follow(word))),
    ):
        with pytest.raises(NotUsable, match="no name"):
            deed()

    assert version in (client.model("stays").versions or ())


def test_what_cannot_stand_in_an_address_is_said(client: Client) -> None:
    """Too long for one, or no text at all."""
    with pytest.raises(NotUsable, match="address"):
        client.model("a" * 100_000)
    with pytest.raises(NotUsable, match="address"):
        client.train(pd.DataFrame(ROWS), "score", name="\udcff")
