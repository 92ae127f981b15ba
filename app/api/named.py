"""What a path names: a model, loaded, which the routes that look inside depend on, or an alias."""

from app.access.keyring import Caller
from app.api.openapi import AliasInPath, BareNameInPath, NameInPath, VersionInPath
from app.api.parts import PartsOf
from app.store.references import Pointer, require_alias
from app.store.store import ModelStore, Stored


async def meant(parts: PartsOf, name: NameInPath) -> Stored:
    """Find what a name, alone or with an alias, means; raises as LoadedModels.find does."""
    return await parts.loaded.find(name)


async def one_version(parts: PartsOf, name: BareNameInPath, version: VersionInPath) -> Stored:
    """Find one version; raises as LoadedModels.find does."""
    return await parts.loaded.find(f"{name}/{version}")


async def one_alias(name: BareNameInPath, alias: AliasInPath) -> Pointer:
    """Give the alias that a path names; raises ModelNotFound or AliasNotFound for what can be none."""
    return Pointer.parse(name, alias)


async def new_alias(name: BareNameInPath, alias: AliasInPath) -> Pointer:
    """Give the alias that a path names, which may be new; raises InvalidRequest for what none can be called."""
    require_alias(alias)
    return Pointer.parse(name, alias)


def own_names(store: ModelStore, caller: Caller, *, prefix: str = "", after: str = "", limit: int) -> list[str]:
    """List the models that a caller's key is for, as ModelStore.names does."""
    found: list[str] = []
    while len(found) < limit:
        names = store.names(prefix=prefix, after=after, limit=limit)
        found += [name for name in names if caller.sees(name)]
        if len(names) < limit:
            break
        after = names[-1]
    return found[:limit]
