"""Expiry: old versions go by a rule, from the catalogue and then from the disk; none that is needed does."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from app.errors import ModelNotFound
from app.models.model import Model
from app.store import aliases
from app.store.aliases import Change
from app.store.references import Pointer, Reference
from app.store.store import ModelStore
from tests.conftest import StoreIn


def files(store: ModelStore) -> list[str]:
    return sorted(path.name for path in (store.root / "exam").iterdir())


def point(store: ModelStore, alias: str, version: int) -> None:
    pointer, change = Pointer("exam", alias), Change("")
    store.catalogue.write(lambda unit: aliases.point(unit, pointer, version, change)).result()


def test_only_the_newest_versions_are_kept(store: ModelStore, model: Model) -> None:
    """At once when the rule is set, and after each new version; without a rule nothing goes."""
    for _ in range(4):
        store.publish("exam", model)
    assert store.versions("exam") == [1, 2, 3, 4]

    assert store.keep("exam", 2).versions == [1, 2]
    assert files(store) == ["3.safetensors", "4.safetensors"]
    store.publish("exam", model)
    assert store.versions("exam") == [4, 5]
    assert files(store) == ["4.safetensors", "5.safetensors"]
    assert store.keep("exam", None).versions == []
    store.publish("exam", model)
    assert store.versions("exam") == [4, 5, 6]


def test_a_version_that_an_alias_points_to_does_not_expire(store: ModelStore, model: Model) -> None:
    """It is kept beside the newest ones, until nothing points to it."""
    store.publish("exam", model)
    point(store, "champion", 1)
    store.keep("exam", 1)
    for _ in range(2):
        store.publish("exam", model)
    assert store.versions("exam") == [1, 3]

    point(store, "champion", 3)
    store.publish("exam", model)

    assert store.versions("exam") == [3, 4]
    assert files(store) == ["3.safetensors", "4.safetensors"]


def test_a_rule_is_that_of_one_model(store: ModelStore, model: Model) -> None:
    """Others keep what they have; a model that is not there has none."""
    for name in ("exam", "exam", "other", "other"):
        store.publish(name, model)

    store.keep("exam", 1)

    assert (store.versions("exam"), store.versions("other")) == ([2], [1, 2])
    for name in ("nothing", "a\x00"):
        with pytest.raises(ModelNotFound):
            store.keep(name, 1)


def test_a_rule_ends_with_the_last_version(store: ModelStore, model: Model) -> None:
    """Also where versions were deleted one by one: what comes back under the name keeps all."""
    store.publish("exam", model)
    store.keep("exam", 1)
    store.delete(Reference.parse("exam/1"))

    for _ in range(2):
        store.publish("exam", model)

    assert store.versions("exam") == [2, 3]
    assert store.overview("exam").keep_last is None


def test_a_disk_that_refuses_to_remove_files_harms_nobody(
    store: ModelStore, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    """What expired is gone for every reader; that its space is still taken is told the log."""
    for _ in range(2):
        store.publish("exam", model)
    shutil.move(store.root / "exam", store.root.parent / "exam")
    (store.root / "exam").write_text("no folder")

    assert store.keep("exam", 1).versions == [1]

    assert store.versions("exam") == [2]
    assert "expired versions of exam still take space" in caplog.text


def test_those_who_publish_at_once_leave_the_newest(store: ModelStore, model: Model, store_in: StoreIn) -> None:
    """Twenty, from two stores on one folder: the last three are listed, with a file each and none beside."""
    store.publish("exam", model)
    store.keep("exam", 3)
    with closing(store_in(store.root)) as other, ThreadPoolExecutor(8) as pool:
        other.open()
        list(pool.map(lambda number: (store, other)[number % 2].publish("exam", model), range(20)))

    assert store.versions("exam") == [19, 20, 21]
    assert files(store) == ["19.safetensors", "20.safetensors", "21.safetensors"]
