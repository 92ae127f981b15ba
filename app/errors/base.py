"""What all errors have in common."""

from typing import ClassVar


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
