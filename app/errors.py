"""What can go wrong, in the words of the domain; knows no HTTP.

NetletError
├── InputError                what was sent cannot be used as it is
│   ├── MalformedBody           not JSON at all, or not compressed as it says
│   │   └── DuplicateKey          JSON, but with a key twice in an object
│   ├── MalformedTable          not the CSV, Parquet or Arrow it says it is
│   ├── UnsupportedEncoding     compressed in a way that the service does not know
│   ├── BodyTooLarge            more bytes, or more pieces, than the service reads
│   ├── InvalidRequest          JSON, but not what the route takes
│   ├── BadTable                cells, rows or columns that do not fit
│   │   └── NonFiniteNumber       NaN, Infinity, or beyond a float64
│   ├── UnsuitableTarget        a target that the network cannot learn as set
│   ├── TableTooLarge           more rows and columns than the service takes
│   ├── TooManyAnswers          one prediction would be longer than the service sends
│   ├── BudgetExceeded          more work or memory than one training may take
│   └── Diverged                the loss became non-finite while training
├── DeadlineExceeded          an answer took longer than the client said it may
├── NotAcceptable             no form of the answer is one that the client takes
├── NotFound
│   ├── ModelNotFound
│   ├── VersionNotFound
│   ├── AliasNotFound
│   ├── JobNotFound
│   └── DatasetNotFound
├── SnapshotError             a file of the store cannot be served
│   ├── SnapshotDamaged
│   └── SnapshotFormatNewer
├── DatasetDamaged            a dataset is not what was once written
├── DatasetInUse              a training needs the dataset that is to be deleted
├── VersionInUse              an alias points to the version that is to be deleted
├── AliasMoved                an alias is not where who would move it believes
├── NothingToRestore          an alias was nowhere before, or where nothing is any more
├── StorageError              the disk refuses
│   ├── StorageFull
│   ├── StoreInUse              another process has it open
│   ├── CatalogueDamaged        it is no database, or none of ours
│   ├── CatalogueNewer
│   └── CatalogueForeign        it is that of another store
├── ForeignSite               a page of another site asks for a change
├── Busy                      the queue of trainings is full
├── KeyReused                 an Idempotency-Key stands for another request
├── JobOver                   a job that has ended cannot be paused or stepped
├── NotPaused                 only a job that is paused can be stepped or resumed
├── Cancelled                 a training was ended because somebody asked for it
├── LeaseLost                 a job is another process's by now
├── OrderDamaged              what a training was to learn is not what was once written
├── OutOfMemory               a training needed more memory than there is
├── TrainingTooLong           a training was stopped at its time limit
├── WorkerLost                the process of a training died
├── ShuttingDown              the service is about to end
└── Unforeseen                a fault of netlet itself
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from app.faults import Fault


class NetletError(Exception):
    """Base of every error netlet raises on purpose; its text, `usual` where none is given, says what to try."""

    usual: ClassVar[str] = ""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(self.usual if message is None else message)

    def __reduce__(self) -> tuple[object, ...]:
        """Travel from a training process with all data, whatever making one takes."""
        return rebuild, (type(self), self.args, self.__dict__)


def rebuild(kind: type[NetletError], args: tuple[object, ...], data: dict[str, object]) -> NetletError:
    """Make an error from its parts, whatever making one takes."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(data)
    return error


class InputError(NetletError):
    """What was sent cannot be used as it is. `faults` are the first ones found of `total`."""

    def __init__(self, message: str, faults: Sequence[Fault] = (), total: int | None = None) -> None:
        super().__init__(message)
        self.faults = tuple(faults)
        self.total = len(self.faults) if total is None else total


class MalformedBody(InputError):
    """The body is not JSON, or not compressed as its Content-Encoding says."""


class DuplicateKey(MalformedBody):
    """An object of the body has a key twice."""


class UnsupportedEncoding(InputError):
    """The body is compressed in a way that the service does not know, or more than once."""

    def __init__(self, known: Iterable[str]) -> None:
        remedy = f"Send the body as it is, or compressed once, as one of: {', '.join(known)}."
        super().__init__(f"The Content-Encoding is none that this service reads. {remedy}")


class MalformedTable(InputError):
    """The body is not the CSV, Parquet or Arrow it says it is."""


class BodyTooLarge(InputError):
    """The body is longer than the service reads, or comes in too many pieces."""

    def __init__(self, limit: int, *, of: str = "bytes", remedy: str = "Send less at once.") -> None:
        super().__init__(f"The body is longer than {limit} {of}, the most this service reads. {remedy}")
        self.limit = limit


class InvalidRequest(InputError):
    """The body is JSON, but not what the route takes."""


class BadTable(InputError):
    """Rows, columns or cells do not form a table of numbers with a target."""


class NonFiniteNumber(BadTable):
    """A cell is NaN, infinite or beyond what a float64 holds."""


class TableTooLarge(InputError):
    """The table has more cells than the service takes at once."""

    def __init__(self, rows: int, columns: int, limit: int, *, of: str = "cells") -> None:
        super().__init__(
            f"The table has {rows} rows of {columns} columns, more than the {limit} {of} this service takes at once. "
            "Send fewer rows."
        )


class UnsuitableTarget(InputError):
    """The target cannot be learnt with these settings."""


class TooManyAnswers(InputError):
    """One prediction would answer with more numbers than the service sends."""

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(f"The answer would have {count} numbers; this service sends {limit} at most. Send fewer rows.")


class BudgetExceeded(InputError):
    """One training would take more work or memory than the service allows."""


class Diverged(InputError):
    """The loss became non-finite: training cannot go on."""

    def __init__(self, *, epoch: int, layer: int, learning_rate: float, last_loss: float | None) -> None:
        last = "no epoch had a finite loss" if last_loss is None else f"the last finite loss was {last_loss:.6g}"
        super().__init__(
            f"Training diverged in epoch {epoch}: layer {layer} overflowed first, at learning rate "
            f"{learning_rate:.6g}; {last}. Try a learning rate ten times smaller, or clip_norm 1."
        )
        self.epoch, self.layer, self.learning_rate, self.last_loss = epoch, layer, learning_rate, last_loss


class DeadlineExceeded(NetletError):
    """An answer would have come later than the client said it may."""


class NotAcceptable(NetletError):
    """The client takes no form that this answer can have."""

    def __init__(self, forms: Sequence[str]) -> None:
        super().__init__(f"This answer can be one of: {', '.join(forms)}. Ask for one of them, or leave Accept out.")


class NotFound(NetletError):
    """Nothing of that name is here."""


class ModelNotFound(NotFound):
    """No model has this name."""

    def __init__(self, name: str) -> None:
        super().__init__("There is no model of that name. GET /models lists those there are; POST /train makes one.")
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


class JobNotFound(NotFound):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__("There is no job of that id. GET /jobs lists the newest.")
        self.job_id = job_id


class DatasetNotFound(NotFound):
    """No dataset has this id."""

    usual = "There is no dataset of that id. GET /datasets lists those there are; POST /datasets makes one."


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


class DatasetDamaged(NetletError):
    """The files of a dataset are not what was once written."""

    def __init__(self, dataset: str, reason: str) -> None:
        super().__init__(f"Dataset {dataset} is damaged and is not used: {reason}. Send it again.")
        self.dataset, self.damage = dataset, reason


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


class StoreInUse(StorageError):
    """What only one process may do to a store is to be done beside others."""

    usual = "Another process uses the store. Stop it, and try again: nothing was changed."


class CatalogueDamaged(StorageError):
    """What should be the catalogue is no database, or not one of ours."""


class CatalogueNewer(StorageError):
    """The catalogue was written by a newer netlet than this one."""

    usual = "The catalogue was made by a newer netlet. Use that one, or another store."


class CatalogueForeign(StorageError):
    """The catalogue is that of another store than the one in this folder."""

    usual = "The catalogue is another store's. Name that one with NETLET_MODELS, or a new one with NETLET_DATABASE_URL."


class ForeignSite(NetletError):
    """A browser sends this for a page of another site, which must not be able to change anything here."""

    usual = "Pages of other sites may not change anything here. Use the service's own address."


class Busy(NetletError):
    """As many trainings run and wait as the service lets."""

    def __init__(self, unfinished: int) -> None:
        super().__init__(f"{unfinished} trainings are running or waiting already. Try again in a few seconds.")
        self.unfinished = unfinished


class KeyReused(NetletError):
    """The Idempotency-Key stands for another request."""

    usual = "This Idempotency-Key was sent with another request before. Use a new key for each new request."


class Cancelled(NetletError):
    """Somebody asked for the training to end."""

    usual = "The training was cancelled before it was done, and nothing of it was saved. Send it again to have it done."


class JobOver(NetletError):
    """A job that has ended cannot be paused, resumed or stepped."""

    def __init__(self, state: str) -> None:
        super().__init__(f"The job is over ({state}): there is nothing to pause or to go on with. Train again.")
        self.state = state


class NotPaused(NetletError):
    """Only a job that is paused can be resumed or stepped."""

    usual = "The job is not paused. POST its /pause first, or train with ?paused=true."


class LeaseLost(NetletError):
    """A job was taken over by another process, because this one had not been heard of for too long."""

    usual = "The job is run by another process by now. GET it to see how it goes on."


class TrainingTooLong(NetletError):
    """A training ran into the service's time limit."""

    usual = "The training took longer than this service allows. Use fewer epochs or a smaller network."


class OrderDamaged(NetletError):
    """What a training was asked for is not there any more as it was once written."""

    usual = "What was to be learnt is damaged on the disk, and is not learnt. Send it again."


class OutOfMemory(NetletError):
    """A training needed more memory than its process could have."""

    usual = "The training ran out of memory. Use a smaller network, smaller batches or fewer rows."


class WorkerLost(NetletError):
    """The process that ran a training died before it ended."""

    usual = "The process that ran this training ended before it was done. Nothing was saved; try again."


class ShuttingDown(NetletError):
    """The service is about to end and takes or finishes no more trainings."""

    usual = "The service is shutting down, and nothing was changed. Try again in a while."


class Unforeseen(NetletError):
    """Something went wrong that netlet does not know of: a fault of its own."""

    usual = "This is a fault of the service; its log has the details."
