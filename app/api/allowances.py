"""Allowances: whether a key may have one more model or dataset."""

from collections.abc import Collection

from app.access.keyring import Caller
from app.api.parts import Parts
from app.errors import ModelForbidden, QuotaExceeded
from app.store import api_keys
from app.store.api_keys import STORED, ApiKey
from app.store.catalogue import Catalogue
from app.store.datasets import DatasetStore

BYTES = "bytes"


async def require_model_allowed(parts: Parts, caller: Caller, *names: str) -> None:
    """Raise ModelForbidden for the name of a new version that the key is not for, QuotaExceeded where it has enough."""
    key = caller.key
    if key is None:
        return
    if not all(map(caller.sees, names)):
        raise ModelForbidden(", ".join(key.grant.models))
    if key.grant.quotas.stored is not None or key.grant.quotas.bytes is not None:
        await parts.read(_require_room, parts.datasets, key, names)


async def require_upload_allowed(parts: Parts, caller: Caller) -> None:
    """Raise QuotaExceeded where the key has as many bytes as it may."""
    if caller.key is not None and caller.key.grant.quotas.bytes is not None:
        await parts.read(_require_bytes, parts.datasets, caller.key)


def _require_room(catalogue: Catalogue, datasets: DatasetStore, key: ApiKey, names: Collection[str]) -> None:
    most = key.grant.quotas.stored
    if most is not None and catalogue.read(api_keys.models_beside(key.grant, names))[0][0] + len(names) > most:
        raise QuotaExceeded(STORED, most)
    _require_bytes(catalogue, datasets, key)


def _require_bytes(catalogue: Catalogue, datasets: DatasetStore, key: ApiKey) -> None:
    most = key.grant.quotas.bytes
    if most is None:
        return
    kept = sum(datasets.size(dataset) for dataset in api_keys.datasets_of(catalogue, key.number))
    if api_keys.bytes_of(catalogue, key.grant) + kept >= most:
        raise QuotaExceeded(BYTES, most)
