"""Listing: models by name, by age, and by what they are tagged with, however they came into the catalogue."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from app.models.model import MOST_TAGS, Model
from app.store import adoption
from app.store.api_keys import Grant
from app.store.arriving import bring_in
from app.store.listing import Place, Wanted, places
from app.store.numbering import next_versions, place_all
from app.store.references import Reference
from app.store.saving import save_all_aside
from app.store.schema import tags, versions
from app.store.snapshot import encode
from app.store.store import ModelStore
from app.store.unit import Unit
from tests.conftest import StoreIn, names_in

ODD = {"": "", "a=b": "=", "nul\0": "\0", "back\\0": "\\0", "é": "☃" * 200, "t" * 100: "😀" * 200}


def tagged(store: ModelStore, *texts: str) -> list[str]:
    """Name the models that have all of some tags."""
    return [place.name for place in places(store.catalogue, Wanted(tags=texts), limit=9)]


def kept(store: ModelStore) -> int:
    """Count the tags that are written down."""
    ((count,),) = store.catalogue.read(select(func.count()).select_from(tags))
    return int(count)


def test_models_are_listed_by_name_a_page_at_a_time(store: ModelStore, model: Model) -> None:
    """Sorted; a prefix and a place to go on after choose."""
    for name in ("b", "a", "ab", "c"):
        store.publish(name, model)

    assert names_in(store) == ["a", "ab", "b", "c"]
    assert places(store.catalogue, after=Place("a"), limit=2) == [Place("ab"), Place("b")]
    assert places(store.catalogue, Wanted("a"), limit=10) == [Place("a"), Place("ab")]
    assert places(store.catalogue, Wanted("A"), limit=10) == []
    assert store.listed("a").versions == (1,)


def test_models_of_the_same_age_are_listed_by_name(store: ModelStore, model: Model) -> None:
    """So that no page leaves one out, or has one that was on the page before."""
    for name in ("b", "a", "c"):
        store.publish(name, model)
    store.catalogue.write(lambda unit: unit.execute(text("UPDATE versions SET created = 1.5"))).result()

    first = places(store.catalogue, Wanted(newest_first=True), limit=2)
    rest = places(store.catalogue, Wanted(newest_first=True), after=first[-1], limit=2)

    assert (first, rest) == ([Place("a", 1.5), Place("b", 1.5)], [Place("c", 1.5)])
    assert Wanted(newest_first=True).place(str(first[-1])) == first[-1]


@pytest.mark.parametrize("odd", ODD)
def test_any_text_can_be_a_tag(store: ModelStore, model: Model, odd: str) -> None:
    """Also what PostgreSQL keeps in no text; none is found where another is asked for."""
    store.publish("odd", replace(model, tags={odd: ODD[odd]}))
    store.publish("other", replace(model, tags={"nul\\0": "\\0", "back\\\\0": "\\\\0"}))

    assert tagged(store, f"{odd}={ODD[odd]}") == (["odd"] if "=" not in odd else [])  # a tag ends at the first =
    assert tagged(store, odd) == (["odd"] if "=" not in odd else [])


def test_a_tag_is_gone_with_its_version(store: ModelStore, model: Model) -> None:
    """Deleted alone, with its model, or by the rule of how many are kept."""
    for value in ("1", "2", "3", "4"):
        store.publish("exam", replace(model, tags={"try": value}))

    store.delete(Reference("exam", 4))
    assert tagged(store, "try=3") == ["exam"]
    store.keep("exam", 2)
    assert kept(store) == 2
    store.delete(Reference("exam", None))
    assert (tagged(store, "try"), kept(store)) == ([], 0)


def test_models_of_many_groups_are_tagged_at_once(store: ModelStore, model: Model) -> None:
    """As each would be alone."""
    names = ["g-1", "g-2"]
    saves = [saved for saved in save_all_aside(store.root, [replace(model, tags={"of": "g"})] * 2, "g") if saved]

    store.catalogue.write(lambda unit: place_all(unit, store.root, names, next_versions(unit, names), saves)).result()

    assert tagged(store, "of=g") == names


@pytest.fixture
def older(tmp_path: Path, store_in: StoreIn, model: Model) -> Path:
    """Make a store of two models as it was before migration 0006."""
    root = tmp_path / "older"
    with closing(store_in(root)) as store:
        store.open()
        for name in ("other", "exam"):
            store.publish(name, replace(model, tags={"of": name}))
        store.catalogue.write(_make_older).result()
    return root


def _make_older(unit: Unit) -> None:
    for statement in (
        "DROP TABLE tags",
        "ALTER TABLE versions DROP COLUMN tagged",
        "UPDATE alembic_version SET version_num = '0005'",
    ):
        unit.execute(text(statement))


def test_what_a_catalogue_did_not_tell_before_is_found_in_snapshots(
    older: Path, store_in: StoreIn, model: Model
) -> None:
    """When a store is opened by a netlet that lists by tags."""
    with closing(store_in(older)) as store:
        store.open()
        assert tagged(store, "of") == ["exam", "other"]
        store.publish("exam", model)
        assert tagged(store, "of") == ["other"]


@pytest.mark.only_on("sqlite")
def test_a_damaged_snapshot_has_no_tags_that_anybody_knows(older: Path, store_in: StoreIn) -> None:
    """The others have theirs, and it has its own again when its file is brought back."""
    file = older / "other" / "1.safetensors"
    whole = file.read_bytes()
    file.write_bytes(b"no snapshot")
    with closing(store_in(older)) as store:
        store.open()
        assert tagged(store, "of") == ["exam"]

    file.write_bytes(whole)

    with closing(store_in(older)) as store:
        store.open()
        assert tagged(store, "of") == ["exam", "other"]
        assert store.catalogue.read(select(versions).where(versions.c.tagged.is_(False))) == []


def test_many_versions_are_tagged_some_at_a_time(
    tmp_path: Path, store_in: StoreIn, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others that share the database have their turn to write meanwhile, and none is left out."""
    root, names = tmp_path / "older", ["a", "b", "c", "d", "e"]
    with closing(store_in(root)) as store:
        store.open()
        for name in names:
            store.publish(name, replace(model, tags={"of": name}))
        store.catalogue.write(_make_older).result()

    monkeypatch.setattr(adoption, "TAGGED_AT_ONCE", 2)
    with closing(store_in(root)) as store:
        store.open()
        assert tagged(store, "of") == names
        assert store.catalogue.commits == 3


def test_a_snapshot_that_was_brought_in_may_have_tags_as_no_training_takes_them(
    store: ModelStore, model: Model
) -> None:
    """It is found by those that can be asked for, and by a tag of a value that is too long, whatever that is."""
    long = {"t" * 101: "x", "long": "v" * 201, "wide": "😀" * 3000, "fit": "v" * 200}
    bring_in(store, "long", encode(replace(model, tags=long)))
    bring_in(store, "many", encode(replace(model, tags={str(number): "" for number in range(3000)})))

    assert tagged(store, "long") == tagged(store, "wide") == tagged(store, f"fit={long['fit']}") == ["long"]
    assert tagged(store, f"long={long['long']}") == tagged(store, "long=\\") == tagged(store, "t" * 101) == []
    assert kept(store) == 3 + MOST_TAGS


@pytest.mark.parametrize("created", [-1.5, -1e-05, 1e-05, 0.00012345678901234567, 2.0**63, -(2.0**62)])
def test_pages_go_on_whatever_time_a_clock_or_a_file_says(store: ModelStore, model: Model, created: float) -> None:
    """Before 1970, or long after it."""
    for name in ("a", "b"):
        store.publish(name, model)
    store.catalogue.write(lambda unit: unit.execute(update(versions).values(created=created))).result()
    wanted = Wanted(newest_first=True)

    (first,) = places(store.catalogue, wanted, limit=1)

    assert places(store.catalogue, wanted, after=wanted.place(str(first)), limit=2) == [Place("b", created)]


def test_a_list_of_one_key_is_asked_for_once(store: ModelStore, model: Model) -> None:
    """The database leaves out what the key is not for: page after page would be read for nothing."""
    for name in ("a-1", "b-1", "b_1", "bx1", "c-1", "d"):
        store.publish(name, replace(model, tags={"of": "x"}))

    for wanted in (Wanted(), Wanted(newest_first=True), Wanted(tags=("of",))):
        for patterns in (("b?1", "c-*"), ("b_1",), ("*-1",), ("no",)):
            grant = Grant(frozenset({"predict"}), patterns)
            own = [place.name for place in places(store.catalogue, wanted, limit=9) if grant.sees(place.name)]
            assert [place.name for place in places(store.catalogue, wanted, grant, limit=9)] == own
            after = places(store.catalogue, wanted, grant, limit=1)
            rest = places(store.catalogue, wanted, grant, after=after[0], limit=9) if after else []
            assert [place.name for place in after + rest] == own


@pytest.mark.only_on("sqlite")
def test_a_catalogue_that_was_lost_tells_of_tags_again(tmp_path: Path, store_in: StoreIn, model: Model) -> None:
    """It is made anew of the snapshots."""
    root = tmp_path / "models"
    with closing(store_in(root)) as store:
        store.open()
        store.publish("exam", replace(model, tags={"of": "exam"}))
    for file in root.glob(".catalogue.sqlite*"):
        file.unlink()

    with closing(store_in(root)) as store:
        store.open()
        assert tagged(store, "of=exam") == ["exam"]
