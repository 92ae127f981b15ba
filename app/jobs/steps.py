"""Steps: what a training is doing for how long, written down by its process, for whoever tells the spans of its job."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time_ns
from typing import NamedTuple

log = logging.getLogger(__name__)


class Step(NamedTuple):
    """One that is over. Times are nanoseconds since 1970."""

    name: str
    began: int
    ended: int
    error: str | None
    """The kind of error that it ended with."""


class StepWriter:
    """Writes down steps, each as it ends: of a process that is killed there is what it had done."""

    def __init__(self, path: Path | None) -> None:
        """Write to a file; to none where nobody tells them."""
        self.path = path

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Write down what is done meanwhile."""
        began, error = time_ns(), None
        try:
            yield
        except BaseException as problem:
            error = type(problem).__name__
            raise
        finally:
            if self.path is not None:
                self._write(self.path, Step(name, began, time_ns(), error))

    def _write(self, path: Path, step: Step) -> None:
        try:
            with path.open("ab", buffering=0) as file:
                file.write(json.dumps(step).encode() + b"\n")
        except OSError as problem:  # a training must not fail for what is only told of it
            log.warning("a step cannot be told (%s)", problem.strerror)


def steps_in(path: Path) -> list[Step]:
    """Read the steps that were written down; what was being written when its process was killed is none."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except OSError:
        return []
    return [Step(*json.loads(line)) for line in lines]
