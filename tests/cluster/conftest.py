"""A cluster for all tests of this folder, and what they learn on it."""

from collections.abc import Iterator
from concurrent.futures import Executor

import pytest

from app.jobs.cluster.bridge import Cluster
from app.jobs.cluster.executor import RayExecutor
from tests import ray_cluster
from tests.ray_cluster import PROVES, Ray, free_port


@pytest.fixture(scope="session")
def ray() -> Iterator[Ray]:
    """Run a cluster with room for two trainings."""
    with ray_cluster.running(cpus=2) as ray:
        yield ray


@pytest.fixture(autouse=True)
def _let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PROVES.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def unused() -> str:
    """Give an address at which there is nothing."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def executor(ray: Ray) -> Iterator[RayExecutor]:
    """Train on it."""
    executor = RayExecutor(Cluster(ray.address, 1, 2**30))
    yield executor
    executor.shutdown()


class Lent(Executor):
    """An executor that is somebody else's to shut down."""

    def __init__(self, executor: Executor) -> None:
        self.submit = executor.submit  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def whole(ray: Ray) -> Iterator[RayExecutor]:
    """Train on it, for all tests of a module: it takes a while to begin."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in PROVES.items():
            patched.setenv(name, value)
        executor = RayExecutor(Cluster(ray.address, 1, 2**30))
        executor.first_trouble()
    yield executor
    executor.shutdown()


@pytest.fixture
def lent(whole: RayExecutor) -> Lent:
    """Train on it, for one test."""
    return Lent(whole)
