import httpx
import pytest

from tests.faults.refusing import Service


@pytest.fixture
async def service(client: httpx.AsyncClient) -> Service:
    """A service with a model."""
    return await Service(client).begin()
