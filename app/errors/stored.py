"""Errors of what is kept: it is not there, it is damaged, it is in use, or the disk refuses."""

import re
from collections.abc import Iterable

from app.errors.base import NetletError

NAMEABLE = re.compile(r"[A-Za-z0-9._@/-]{1,40}")
"""What may have been meant as a model's name, and is repeated."""


class NotFound(NetletError):
    """Nothing of that name is here."""


class ModelNotFound(NotFound):
    """No model has this name."""

    def __init__(self, name: str) -> None:
        called = name if NAMEABLE.fullmatch(name) else "of that name"
        super().__init__(f"There is no model {called}. GET /models lists those there are; POST /train makes one.")
        self.name = name


class VersionNotFound(NotFound):
    """The model is there, this version of it is not."""

    def __init__(self, name: str, version: int | str) -> None:
        super().__init__(f"Model {name} has no version {str(version)[:20]}. GET /models/{name} lists those it has.")
        self.name, self.version = name, version


class AliasNotFound(NotFound):
    """The model is there, but has no such alias."""

    def __init__(self, name: str, alias: str) -> None:
        remedy = f"GET /models/{name}/aliases lists those it has; PUT makes one."
        super().__init__(f"Model {name} has no alias {alias[:20]}. {remedy}")
        self.name, self.alias = name, alias


class KeyNotFound(NotFound):
    """No API key has this number, or it is revoked already."""

    def __init__(self, number: int) -> None:
        super().__init__(f"There is no key {number} that could be changed. `netlet keys list` tells which there are.")
        self.number = number


class JobNotFound(NotFound):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__("There is no job of that id. GET /jobs lists the newest.")
        self.job_id = job_id


class DatasetNotFound(NotFound):
    """No dataset has this id."""

    usual = "There is no dataset of that id. GET /datasets lists those there are; POST /datasets makes one."


class PictureNotFound(NotFound):
    """No picture is called this, or drawn in this form."""

    def __init__(self, known: Iterable[str]) -> None:
        remedy = f"As .svg, .png or .json there are: {', '.join(known)}."
        super().__init__(f"There is no picture of that name and form. {remedy}")


class NoPicture(NotFound):
    """The model has nothing that this picture would show."""


class SnapshotError(NetletError):
    """A file of the store cannot be served."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(reason)
        self.name, self.version, self.reason = name, version, reason


class SnapshotDamaged(SnapshotError):
    """The file is not what was once written."""

    def __init__(self, name: str, version: int, reason: str, *, previous: int | None = None) -> None:
        remedy = f"Ask for the version before it, {name}/{previous}." if previous else "Train it again."
        super().__init__(name, version, f"Snapshot {name}/{version} is damaged and is not served: {reason}. {remedy}")
        self.damage = reason


class SnapshotFormatNewer(SnapshotError):
    """The file was written by a newer netlet than this one."""

    def __init__(self, name: str, version: int, found: int, known: int) -> None:
        message = f"Snapshot {name}/{version} has format {found}; this netlet reads up to {known}. Use a newer netlet."
        super().__init__(name, version, message)


class ExportRefused(NetletError):
    """An export does not answer what this server answers, and is not given away."""

    def __init__(self, reason: str) -> None:
        remedy = "GET its /snapshot, which another netlet answers with to the last bit."
        super().__init__(f"The model cannot be exported in this form: {reason}. {remedy}")
        self.reason = reason


class ExportTooLarge(NetletError):
    """A text of so many numbers would be too long."""

    def __init__(self, numbers: int, limit: int) -> None:
        remedy = "Ask for format=onnx, or GET its /snapshot."
        super().__init__(f"The text would hold {numbers} numbers; this service sends {limit} at most. {remedy}")
        self.numbers, self.limit = numbers, limit


class OnnxUnavailable(NetletError):
    """This service was installed without what reads and writes ONNX."""

    usual = "This service is installed without ONNX. Install it with: pip install 'netlet[onnx]', and start it again."


class DatasetDamaged(NetletError):
    """The files of a dataset are not what was once written."""

    def __init__(self, dataset: str, reason: str) -> None:
        super().__init__(f"Dataset {dataset} is damaged and is not used: {reason}. Send it again.")
        self.dataset, self.damage = dataset, reason


class DatasetFormatNewer(DatasetDamaged):
    """A dataset was written by a newer netlet than this one."""

    def __init__(self, dataset: str, found: int, known: int) -> None:
        super().__init__(dataset, f"it has format {found}")
        self.args = (f"Dataset {dataset} has format {found}; this netlet reads up to {known}. Use a newer netlet.",)


class DatasetInUse(NetletError):
    """A training that waits or runs needs the dataset."""

    def __init__(self, dataset: str, job: str) -> None:
        super().__init__(f"Job {job} is learning from dataset {dataset}. Delete it when GET /jobs/{job} says it ended.")
        self.dataset, self.job = dataset, job


class VersionInUse(NetletError):
    """An alias points to the version that is to be deleted."""

    def __init__(self, name: str, version: int, alias: str) -> None:
        path = f"/models/{name}/aliases/{alias}"
        super().__init__(f"Alias {alias} points to {name}/{version}. First PUT {path} elsewhere, or DELETE {path}.")
        self.name, self.version, self.alias = name, version, alias


class AliasMoved(NetletError):
    """An alias is at another revision than the request's If-Match or If-None-Match lets it be."""

    def __init__(self, name: str, alias: str, revision: int | None) -> None:
        found = "is not there" if revision is None else f"is at revision {revision}"
        remedy = "which If-Match or If-None-Match rules out. GET it, and decide anew."
        super().__init__(f"Alias {alias} of {name} {found}, {remedy}")
        self.name, self.alias, self.revision = name, alias, revision


class NothingToRestore(NetletError):
    """An alias cannot go back: it was nowhere before, or where nothing is any more."""

    def __init__(self, name: str, alias: str, reason: str) -> None:
        path = f"/models/{name}/aliases/{alias}"
        super().__init__(f"{reason} GET {path}/history lists where {alias} was; PUT {path} points it anywhere.")
        self.name, self.alias = name, alias


class StorageError(NetletError):
    """The disk refuses to read or write."""


class StorageFull(StorageError):
    """No space is left for what is to be stored, or for a body that is too long for memory."""


class BucketAway(StorageError):
    """The storage that holds a store's files does not answer, or refuses to; it may be back any time."""

    usual = "The bucket cannot be used; the log of the service has the reason."


class Contended(StorageError):
    """Others wrote about the same in a database: nothing was done, and the same may succeed when it is tried again."""

    usual = "The catalogue cannot be used; the log of the service has the reason."


class StoreInUse(StorageError):
    """What only one process may do to a store is to be done beside others."""

    usual = "Another process uses the store. Stop it, and try again: nothing was changed."


class CatalogueDamaged(StorageError):
    """What should be the catalogue is no database, or not one of ours."""


class CatalogueNewer(StorageError):
    """The catalogue was written by a newer netlet than this one."""

    usual = "The catalogue was made by a newer netlet. Use that one, or another store."


class StoreNotEmpty(StorageError):
    """A backup is to be restored where something is already."""

    def __init__(self, place: str) -> None:
        remedy = "A backup is restored into a folder that is empty or not there, and a database without a catalogue."
        super().__init__(f"{place} is in use already. {remedy} Name others with NETLET_MODELS and NETLET_DATABASE_URL.")
        self.place = place


class StoreUnfinished(StorageError):
    """A restore into this folder was broken off, or is under way."""

    usual = "A restore into this folder is not finished. Let it end; or, if it was broken off, run it once more."


class CatalogueForeign(StorageError):
    """The catalogue is that of another store than the one in this folder."""

    usual = "The catalogue is another store's. Name that one with NETLET_MODELS, or a new one with NETLET_DATABASE_URL."


class BackupDamaged(NetletError):
    """A backup is not what was once written, or none at all."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This is no backup, or a damaged one: {reason}. Nothing of it was restored: take another.")
        self.damage = reason


class BackupNewer(NetletError):
    """A backup was written by a newer netlet than this one, in a way that this one does not know."""

    usual = "The backup was made by a newer netlet. Restore it with that one: nothing was changed."
