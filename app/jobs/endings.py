"""Endings: what an attempt at a training came to, in the words of our errors."""

import asyncio
import logging
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from app.errors import Cancelled, NetletError, OutOfMemory, TrainingTooLong, Unforeseen, WorkerLost

T = TypeVar("T")

log = logging.getLogger(__name__)


def ending_of(job_id: str, future: "asyncio.Future[T]", *, is_late: bool) -> T | NetletError:
    """Say what an attempt ended with, and log it where that is nobody's input."""
    if future.cancelled():
        return TrainingTooLong() if is_late else Cancelled()
    error = future.exception()
    return future.result() if error is None else _in_our_words(error, job_id, is_late=is_late)


def _in_our_words(error: BaseException, job_id: str, *, is_late: bool) -> NetletError:
    match error:
        case MemoryError():
            return OutOfMemory()
        case Cancelled() if is_late:
            return TrainingTooLong()
        case NetletError():
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        case BrokenProcessPool():
            log.warning("job %s: its process ended (%s)", job_id, error)
            return WorkerLost()
    log.error("job %s failed unexpectedly", job_id, exc_info=error)
    return Unforeseen()
