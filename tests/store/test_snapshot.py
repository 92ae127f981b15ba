"""Snapshots: nothing that is not one comes in, and what is wrong with it is named."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import ModelNotFound, SnapshotDamaged, SnapshotFormatNewer
from app.models.learning import learn
from app.models.model import Model
from app.store import snapshot
from app.store.document import Damage
from app.store.store import ModelStore
from tests.conftest import QUICK
from tests.models.tables import EXAM, ensemble, mixed
from tests.store.forging import redocumented
from tests.tutorial import X


def test_any_changed_bit_is_found(exam: bytes) -> None:
    """Flip bits all over a file: none is served."""
    for position in np.linspace(0, len(exam) - 1, 200).astype(int):
        broken = bytearray(exam)
        broken[position] ^= 0x10

        with pytest.raises((Damage, snapshot.NewerFormat)):
            snapshot.decode(bytes(broken))


@given(data=st.data())
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_bytes_come_the_worst_is_damage(exam: bytes, data: st.DataObject) -> None:
    """A piece replaced by any other, of any length, anywhere."""
    start = data.draw(st.integers(0, len(exam)))
    end = data.draw(st.integers(start, len(exam)))
    broken = exam[:start] + data.draw(st.binary(max_size=20)) + exam[end:]

    for read in (snapshot.decode, snapshot.read_document, snapshot.size):
        try:
            read(broken)
        except (Damage, snapshot.NewerFormat):
            continue
        assert read is not snapshot.decode or broken == exam


@pytest.mark.parametrize("end", ["Infinity", "1e999", str(2**62), "9" * 4000])
def test_a_header_may_say_any_length_of_its_file(end: str, store: ModelStore) -> None:
    """No more is read than there is, and the file is damaged; one that is read in pieces, too."""
    model = learn(EXAM, replace(QUICK, network=replace(QUICK.network, hidden=(200, 200))))
    store.publish("exam", model)
    path = store.root / "exam" / "1.safetensors"
    data = path.read_bytes()
    assert len(data) > 2**18
    header = json.loads(data[8 : snapshot.header_end(data)])
    header["layers.1.W"]["data_offsets"] = [0, 12345]
    text = json.dumps(header).replace("12345", end).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[snapshot.header_end(data) :])

    with pytest.raises(SnapshotDamaged):
        store.load("exam", 1)


@pytest.mark.parametrize("length", [0, 7, 8, 9, 500, -1])
def test_a_file_cut_short_is_found(length: int, store: ModelStore, model: Model) -> None:
    """At any length; the error names it, and the model before it is offered."""
    store.publish("exam", model)
    store.publish("exam", model)
    path = store.root / "exam" / "2.safetensors"
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(SnapshotDamaged, match=r"exam/2 .* Ask for the version before it, exam/1"):
        store.load("exam", 2)
    assert store.load("exam", 1).version == 1


def test_a_huge_file_that_is_no_snapshot_is_not_read(store: ModelStore, model: Model) -> None:
    """The header tells; a file longer than it says is damaged."""
    for _ in range(2):
        store.publish("exam", model)
    with (store.root / "exam" / "2.safetensors").open("wb") as file:
        file.truncate(2**40)
    with (store.root / "exam" / "1.safetensors").open("ab") as file:
        file.truncate(2**40)

    for version in (1, 2):
        with pytest.raises(SnapshotDamaged):
            store.load("exam", version)


def test_weights_that_are_not_finite_are_refused(store: ModelStore, model: Model) -> None:
    """Neither written nor read."""
    broken = replace(model, parameters=model.parameters * np.nan)

    with pytest.raises(Damage, match=r"layers\.1\.W"):
        store.publish("exam", broken)
    with pytest.raises(ModelNotFound):
        store.versions("exam")


def test_long_levels_can_be_kept(store: ModelStore) -> None:
    """Names of categories are part of the header, however many megabytes they are."""
    model = learn(mixed(), ensemble())
    nine = model.columns[3]
    columns = (*model.columns[:3], replace(nine, levels=tuple(str(level) * 2**20 for level in nine.levels)))
    model = replace(model, columns=columns, encoder=replace(model.encoder, columns=columns))

    assert store.load("long", store.publish("long", model)).model.columns == columns


def test_a_format_of_before_the_first_release_is_said_so(store: ModelStore, model: Model, exam: bytes) -> None:
    """In the error, and in the list."""
    store.publish("exam", model)
    (store.root / "exam" / "1.safetensors").write_bytes(redocumented(exam, format=1))

    with pytest.raises(SnapshotDamaged, match="format 1, which no release of netlet has ever written"):
        store.load("exam", 1)
    assert "format 1" in str(store.listed("exam").damage)


def test_a_newer_format_is_refused_untouched(store: ModelStore, model: Model, exam: bytes) -> None:
    """The error says which netlet is needed; the list shows the model as unreadable."""
    store.publish("exam", model)
    (store.root / "exam" / "1.safetensors").write_bytes(redocumented(exam, format=4))

    with pytest.raises(SnapshotFormatNewer, match="Use a newer netlet"):
        store.load("exam", 1)
    assert store.listed("exam").damage == "format 4"


def test_bytes_of_a_model_do_not_change_what_is_answered(exam: bytes) -> None:
    """A model that was read answers as one that was not, row by row and all at once."""
    model, _ = snapshot.decode(exam)

    alone = np.concatenate([model.scores(X[[row]]) for row in range(len(X))])

    assert alone.tobytes() == learn(EXAM, QUICK).scores(X).tobytes()
