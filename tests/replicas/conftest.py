"""A cluster for all tests of this folder: two nodes with a folder of their own, which share a database and a bucket."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.opening import store_of
from app.settings import Settings
from app.store import api_keys
from app.store.api_keys import NO_QUOTAS, Grant
from tests import ray_cluster
from tests.postgresql import PostgreSQL
from tests.ray_cluster import PROVES, Node, Ray
from tests.seaweedfs import SeaweedFS

ANY_NODE = {"RAY_SERVE_PROXY_PREFER_LOCAL_NODE_ROUTING": "0"}
"""How Serve's proxy asks replicas of other nodes as often as those of its own."""


@pytest.fixture(scope="session")
def shared(server_of_databases: PostgreSQL | None, server_of_files: SeaweedFS | None) -> Iterator[dict[str, str]]:
    """Give the settings that all replicas have, and whoever else is to serve what they do."""
    assert server_of_databases is not None
    assert server_of_files is not None
    database = server_of_databases.create()
    yield {"NETLET_DATABASE_URL": database, "NETLET_STORE": server_of_files.bucket()} | server_of_files.environment
    server_of_databases.drop(database)


@pytest.fixture(scope="session")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ray]:
    """Run the head, which has room for one replica."""
    environment = {"NETLET_MODELS": str(tmp_path_factory.mktemp("head"))} | ANY_NODE
    with pytest.MonkeyPatch.context() as patch, ray_cluster.running(cpus=1, **environment) as ray:
        for name, value in PROVES.items():
            patch.setenv(name, value)
        yield ray


@pytest.fixture(scope="session")
def nodes(ray: Ray, tmp_path_factory: pytest.TempPathFactory) -> list[Node]:
    """Let another node join."""
    return [ray.head, ray.joined(cpus=1, NETLET_MODELS=str(tmp_path_factory.mktemp("node")))]


@pytest.fixture(scope="session")
def key(shared: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Make a key, as the headers that show it."""
    models, url = Path(tmp_path_factory.mktemp("keys")), SecretStr(shared["NETLET_DATABASE_URL"])
    with closing(store_of(Settings(models=models, database_url=url, store=shared["NETLET_STORE"]))) as store:
        store.open()
        grant = Grant(frozenset({"admin"}), ("*",), NO_QUOTAS)
        text = store.catalogue.write(lambda unit: api_keys.create(unit, "replicas", grant, None)).result()
    return {"authorization": f"Bearer {text}"}
