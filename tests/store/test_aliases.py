"""Aliases: where they point, what became of them, and that nobody's move is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise

import pytest

from app.errors import (
    AliasMoved,
    AliasNotFound,
    InvalidRequest,
    ModelNotFound,
    NothingToRestore,
    VersionInUse,
    VersionNotFound,
)
from app.models.model import Model
from app.store import aliases
from app.store.aliases import Alias, Change, Move
from app.store.references import Pointer, Reference
from app.store.store import ModelStore
from tests.conftest import StoreIn

LIVE = Pointer("exam", "live")
ME = Change("me", "because")


@pytest.fixture
def exam(store: ModelStore, model: Model) -> ModelStore:
    """Give a store with three versions of one model."""
    for _ in range(3):
        store.publish("exam", model)
    return store


def point_soon(store: ModelStore, pointer: Pointer) -> None:
    store.catalogue.write(lambda unit: aliases.point(unit, pointer, 1, ME))


def point(store: ModelStore, version: int, pointer: Pointer = LIVE, change: Change = ME) -> Alias:
    return store.catalogue.write(lambda unit: aliases.point(unit, pointer, version, change)).result()[0]


def remove(store: ModelStore, pointer: Pointer = LIVE, change: Change = ME) -> None:
    store.catalogue.write(lambda unit: aliases.remove(unit, pointer, change)).result()


def roll_back(store: ModelStore, to: int | None = None, change: Change = ME) -> Alias:
    return store.catalogue.write(lambda unit: aliases.roll_back(unit, LIVE, change, to)).result()[0]


def moves(store: ModelStore, pointer: Pointer = LIVE) -> list[Move]:
    return aliases.history(store.catalogue, pointer, limit=100)


def meant(store: ModelStore, reference: str) -> int:
    return store.resolve(Reference.parse(reference))[1]


def at(*revisions: int | None) -> Callable[[int | None], bool]:
    return lambda revision: revision in revisions


def test_a_bare_name_means_live_where_it_is_set(exam: ModelStore) -> None:
    """Else the newest version; another alias changes nothing about it, and is asked for by its word."""
    assert meant(exam, "exam") == 3

    point(exam, 1)
    point(exam, 2, Pointer("exam", "champion"))

    assert (meant(exam, "exam"), meant(exam, "exam@live"), meant(exam, "exam@champion")) == (1, 1, 2)
    assert meant(exam, "exam/3") == 3
    remove(exam)
    assert meant(exam, "exam") == 3


def test_what_no_alias_points_to_is_not_found(exam: ModelStore, model: Model) -> None:
    """The model, the alias or the version, whichever is missing; another model's alias is none of this one."""
    exam.publish("other", model)
    point(exam, 1, Pointer("other", "champion"))

    for reference in ("exam@champion", "exam@live"):
        with pytest.raises(AliasNotFound, match="GET /models/exam/aliases"):
            meant(exam, reference)
    with pytest.raises(AliasNotFound):
        remove(exam)
    with pytest.raises(AliasNotFound):
        aliases.find(exam.catalogue, LIVE)
    with pytest.raises(AliasNotFound):
        roll_back(exam)
    with pytest.raises(AliasNotFound):
        moves(exam)
    with pytest.raises(VersionNotFound):
        point(exam, 4)
    with pytest.raises(ModelNotFound):
        meant(exam, "no@live")
    with pytest.raises(ModelNotFound):
        point(exam, 1, Pointer("no", "live"))


@pytest.mark.parametrize("word", ["", "7", "1234", "LIVE", "a/b", "a@b", "../x", "é", "a\x00", "x" * 64, "\u0661"])
def test_words_that_are_no_alias_never_reach_the_catalogue(word: str) -> None:
    """Not found by a reference, nor by a path."""
    with pytest.raises((AliasNotFound, VersionNotFound, ModelNotFound)):
        Pointer.parse("exam", word)
    if word:
        with pytest.raises((AliasNotFound, VersionNotFound, ModelNotFound)):
            Reference.parse(f"exam@{word}")


def test_the_history_tells_every_move(exam: ModelStore) -> None:
    """Newest first: from where, to where, by whom and why; also the deletion, and what came after it."""
    point(exam, 1)
    point(exam, 3, change=Change("you", "better"))
    remove(exam)
    point(exam, 2)

    told = [(move.revision, move.origin, move.version, move.who, move.why) for move in moves(exam)]
    times = [move.at for move in moves(exam)]

    assert told == [
        (4, None, 2, "me", "because"),
        (3, 3, None, "me", "because"),
        (2, 1, 3, "you", "better"),
        (1, None, 1, "me", "because"),
    ]
    assert times == sorted(times, reverse=True)
    page = aliases.history(exam.catalogue, LIVE, limit=2, before=4)
    assert [move.revision for move in page] == [3, 2]


def test_pointing_where_it_points_already_is_no_move(exam: ModelStore) -> None:
    """The revision stays, and so does the history."""
    first = point(exam, 1)

    assert point(exam, 1, change=Change("you")) == first
    assert len(moves(exam)) == 1


def test_a_rollback_undoes_the_last_move_that_was_not_undone_yet(exam: ModelStore) -> None:
    """Three moves, two rollbacks: back at the first; a new move is undone first, then the way goes on back."""
    for version in (1, 2, 3):
        point(exam, version)

    assert [roll_back(exam).version for _ in range(2)] == [2, 1]
    with pytest.raises(NothingToRestore, match="nowhere before"):
        roll_back(exam)
    point(exam, 3)
    assert roll_back(exam).version == 1
    assert [(move.revision, move.origin, move.version, move.restores) for move in moves(exam)][:4] == [
        (7, 3, 1, 1),
        (6, 1, 3, None),
        (5, 2, 1, 1),
        (4, 3, 2, 2),
    ]
    with pytest.raises(NothingToRestore):
        roll_back(exam)
    assert meant(exam, "exam") == 1


def test_a_rollback_may_name_a_revision(exam: ModelStore) -> None:
    """It goes there from anywhere; the next one goes back from there; where it is already, it stays."""
    for version in (1, 2, 3):
        point(exam, version)

    assert roll_back(exam, to=2) == Alias("live", 2, 4)
    assert roll_back(exam, to=2) == Alias("live", 2, 4)
    assert roll_back(exam).version == 1
    assert roll_back(exam, to=4).version == 2
    assert roll_back(exam).version == 1
    with pytest.raises(NothingToRestore, match="revision 99"):
        roll_back(exam, to=99)


def test_a_deletion_can_be_undone(exam: ModelStore) -> None:
    """As any other move; but nothing leads back past it, except by the revision's number."""
    point(exam, 1)
    point(exam, 2)
    remove(exam)

    assert roll_back(exam).version == 2
    assert roll_back(exam).version == 1
    remove(exam)
    point(exam, 3)
    with pytest.raises(NothingToRestore, match="nowhere before"):
        roll_back(exam)
    with pytest.raises(NothingToRestore, match="nowhere at revision 3"):
        roll_back(exam, to=3)
    assert roll_back(exam, to=2).version == 2


def test_nothing_leads_back_to_a_version_that_is_deleted(exam: ModelStore) -> None:
    """It says which; the alias stays."""
    point(exam, 1)
    point(exam, 2)
    exam.delete(Reference.parse("exam/1"))

    with pytest.raises(NothingToRestore, match="Version 1 of exam is deleted"):
        roll_back(exam)
    assert meant(exam, "exam") == 2


def test_a_version_that_an_alias_points_to_is_not_deleted(exam: ModelStore) -> None:
    """The alias is named, with the way out; any other version goes, and this one once nothing points to it."""
    point(exam, 2)

    for reference in ("exam/2", "exam@live"):
        with pytest.raises(VersionInUse, match=r"live.*DELETE /models/exam/aliases/live"):
            exam.delete(Reference.parse(reference))
    exam.delete(Reference.parse("exam/1"))
    point(exam, 3)
    exam.delete(Reference.parse("exam/2"))
    assert exam.versions("exam") == [3]


def test_a_model_goes_with_its_aliases_and_their_history_tells_so(exam: ModelStore, model: Model) -> None:
    """A model that comes back under the name has none, keeps all versions, and the revisions go on."""
    point(exam, 2)
    point(exam, 3, Pointer("exam", "champion"))
    exam.keep("exam", 3)
    exam.delete(Reference.parse("exam"), "somebody")
    gone = [(move.revision, move.origin, move.version, move.who, move.why) for move in moves(exam)]

    assert gone[0] == (2, 2, None, "somebody", "The model was deleted.")
    assert exam.publish("exam", model) == 4
    assert aliases.listed(exam.catalogue, "exam") == []
    assert (meant(exam, "exam"), exam.overview("exam").keep_last) == (4, None)
    with pytest.raises(NothingToRestore, match="deleted"):
        roll_back(exam)
    assert point(exam, 4).revision == 3


def test_a_move_is_made_only_from_where_it_may_be(exam: ModelStore) -> None:
    """Whatever the move; after a deletion the old revision is not there any more."""
    guarded = Change("me", allows=at(1))
    with pytest.raises(AliasMoved, match="is not there"):
        point(exam, 1, change=guarded)
    point(exam, 1, change=Change("me", allows=at(None)))
    point(exam, 2, change=guarded)

    for move in (
        lambda: point(exam, 3, change=guarded),
        lambda: point(exam, 2, change=guarded),
        lambda: remove(exam, change=guarded),
        lambda: roll_back(exam, change=guarded),
    ):
        with pytest.raises(AliasMoved, match="at revision 2"):
            move()
    remove(exam, change=Change("me", allows=at(2)))
    with pytest.raises(AliasMoved):
        roll_back(exam, change=Change("me", allows=at(3)))
    assert roll_back(exam, change=Change("me", allows=at(None))).revision == 4


def test_of_those_who_move_an_alias_from_one_revision_one_does(exam: ModelStore, store_in: StoreIn) -> None:
    """Twenty at once, from two stores on one folder: nineteen are told, and the history has no gap."""
    point(exam, 1)

    def move(number: int) -> bool:
        try:
            point((exam, other)[number % 2], 2 + number % 2, change=Change(str(number), allows=at(1)))
        except AliasMoved:
            return False
        return True

    with closing(store_in(exam.root)) as other, ThreadPoolExecutor(8) as pool:
        other.open()
        assert sum(pool.map(move, range(20))) == 1
        list(pool.map(lambda number: point((exam, other)[number % 2], 1 + number % 3), range(20)))

    told = moves(exam)
    assert [move.revision for move in told] == list(range(len(told), 0, -1))
    assert all(later.origin == earlier.version for later, earlier in pairwise(told))
    assert meant(exam, "exam") == told[0].version


def test_an_alias_never_points_to_what_is_not_there(exam: ModelStore, store_in: StoreIn) -> None:
    """Whoever deletes a version and whoever points at it meanwhile: one of them is refused."""
    point(exam, 3)

    def attempt(do: Callable[[], object]) -> bool:
        try:
            do()
        except (VersionInUse, VersionNotFound):
            return False
        return True

    with closing(store_in(exam.root)) as other, ThreadPoolExecutor(2) as pool:
        other.open()
        deleting = pool.submit(attempt, lambda: other.delete(Reference.parse("exam/1")))
        pointing = pool.submit(attempt, lambda: point(exam, 1))

    assert deleting.result() is not pointing.result()
    assert meant(exam, "exam") in exam.versions("exam")


def test_a_model_has_a_bounded_number_of_aliases(exam: ModelStore) -> None:
    """A thousand; one more is refused, made new or restored, until another goes."""
    remove_me = Pointer("exam", "a-0")
    point(exam, 1)
    remove(exam)
    for number in range(aliases.MOST_ALIASES):
        point_soon(exam, Pointer("exam", f"a-{number}"))

    with pytest.raises(InvalidRequest, match="as many aliases"):
        point(exam, 1)
    with pytest.raises(InvalidRequest, match="as many aliases"):
        roll_back(exam)
    point(exam, 2, remove_me)
    remove(exam, remove_me)
    assert roll_back(exam).version == 1


@pytest.mark.only_on("sqlite")
def test_a_catalogue_made_anew_has_the_models_alone(exam: ModelStore, store_in: StoreIn) -> None:
    """As README says: aliases, their history and the rule are lost with it, and a name means its newest version."""
    point(exam, 1)
    exam.keep("exam", 3)
    exam.close()
    for path in exam.root.glob(".catalogue.sqlite*"):
        path.unlink()

    with closing(store_in(exam.root)) as again:
        again.open()
        assert meant(again, "exam") == 3
        assert again.overview("exam").aliases == []
        assert again.overview("exam").keep_last is None
        with pytest.raises(AliasNotFound):
            moves(again)
