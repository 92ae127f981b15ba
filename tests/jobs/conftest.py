"""What tests of jobs share."""

from collections.abc import Iterator

import pytest

from app.jobs.executors import ProcessExecutor


@pytest.fixture
def processes() -> Iterator[ProcessExecutor]:
    """Start processes that train."""
    executor = ProcessExecutor(2, memory=2**30)
    yield executor
    executor.shutdown()
