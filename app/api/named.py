"""The model that a path names, loaded: what the routes that look inside depend on."""

from app.api.openapi import NameInPath, VersionInPath
from app.api.parts import PartsOf
from app.store.references import Reference
from app.store.store import Stored


async def newest(parts: PartsOf, name: NameInPath) -> Stored:
    """Find what a bare name means; raises as LoadedModels.find does."""
    return await parts.loaded.find(Reference.parse(name))


async def one_version(parts: PartsOf, name: NameInPath, version: VersionInPath) -> Stored:
    """Find one version; raises as LoadedModels.find does."""
    return await parts.loaded.find(Reference.parse(f"{name}/{version}"))
