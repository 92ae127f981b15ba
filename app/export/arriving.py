"""Snapshots that arrive are tried on their own probe rows before they become versions."""

from app.engine.control import GoOn
from app.errors import MalformedSnapshot, NetletError
from app.export.probes import probes_of
from app.store.arriving import Arrived, bring_in, read
from app.store.store import ModelStore


def take_in(go_on: GoOn, store: ModelStore, name: str, data: bytes) -> Arrived:
    """Make a snapshot the next version of a name.

    Raises as `read` and `bring_in` do, and MalformedSnapshot if it cannot answer.
    """
    model = read(data)
    go_on()
    try:
        probes_of(model)
    except NetletError as error:
        reason = "it cannot answer rows that are made of what it says of its columns"
        raise MalformedSnapshot(reason) from error
    go_on()
    return bring_in(store, name, data)
