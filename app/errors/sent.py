"""Errors of whoever sends something: what it is cannot be used, or its answer cannot be given."""

from collections.abc import Iterable, Sequence

from app.errors.base import NetletError
from app.faults import Fault


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


class MalformedSnapshot(InputError):
    """The body is not a snapshot as some netlet wrote it."""

    def __init__(self, reason: str) -> None:
        remedy = "Nothing was changed. GET it again from where it is, /models/<name>/snapshot."
        super().__init__(f"The snapshot is not taken in: {reason}. {remedy}")
        self.reason = reason


class NewerSnapshot(InputError):
    """The body is a snapshot that a newer netlet wrote."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(f"The snapshot has format {found}; this netlet reads up to {known}. Use a newer netlet.")
        self.found, self.known = found, known


class MalformedOnnx(InputError):
    """The body is no ONNX model, or one that contradicts itself."""


class UnsupportedOnnx(InputError):
    """The ONNX model computes what no model here does."""


class BodyTooLarge(InputError):
    """The body is longer than the service reads, or comes in too many pieces."""

    def __init__(self, limit: int, *, of: str = "bytes", remedy: str = "Send less at once.") -> None:
        super().__init__(f"The body is longer than {limit} {of}, the most this service reads. {remedy}")
        self.limit = limit


class InvalidRequest(InputError):
    """The body is JSON, but not what the route takes."""


class TooManyKeys(InvalidRequest):
    """An object of the body has more keys than any that the route takes."""

    def __init__(self, count: int, most: int, field: str) -> None:
        fault = Fault(f"at most {most} keys", got=str(count), field=field)
        super().__init__("An object of the body has too many keys. Rows are a list, not an object of them.", [fault])


class MalformedKey(InputError):
    """The Idempotency-Key is not 1 to 255 visible characters, or there are several."""

    def __init__(self) -> None:
        fault = Fault("1 to 255 visible characters of ASCII, once", field="Idempotency-Key")
        super().__init__("The Idempotency-Key is none. Send any word of your own, a UUID for instance.", [fault])


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


class Unreachable(InputError):
    """No row within what the model was trained on is answered as is wanted."""


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


class ForeignSite(NetletError):
    """A browser sends this for a page of another site, which must not be able to change anything here."""

    usual = "Pages of other sites may not change anything here. Use the service's own address."
