"""Settings of a command line."""

import pytest

from app.client import NotUsable
from app.commands.given import settings_of


@pytest.mark.parametrize("setting", ["preset", "=3", ".epochs=3", "training.=3", ""])
def test_a_setting_that_is_none_is_refused_before_anything_is_sent(setting: str) -> None:
    """It is repeated, with an example of one."""
    with pytest.raises(NotUsable, match=r"training\.epochs=100") as caught:
        settings_of([setting])

    assert str(caught.value).endswith(setting)


@pytest.mark.parametrize("settings", [["training=auto", "training.epochs=3"], ["training.epochs=3", "training=auto"]])
def test_a_group_is_not_set_whole_and_in_part(settings: list[str]) -> None:
    """The second of them is refused."""
    with pytest.raises(NotUsable, match=settings[1]):
        settings_of(settings)


def test_settings_of_a_group_are_one_object() -> None:
    """Numbers, lists and truths are what they are in JSON; the rest is text; what stands alone is left as it is."""
    settings = settings_of(
        ["preset=tutorial", "training.epochs=3", "training.loss=mae", "network.hidden=[8, 4]", "name=7", "columns=a"]
    )

    assert settings == {
        "preset": "tutorial",
        "name": "7",
        "columns": "a",
        "training": {"epochs": 3, "loss": "mae"},
        "network": {"hidden": [8, 4]},
    }


def test_what_stands_alone_several_times_is_a_list() -> None:
    """In the order in which it was given."""
    assert settings_of(["columns=b", "columns=a"]) == {"columns": ["b", "a"]}
