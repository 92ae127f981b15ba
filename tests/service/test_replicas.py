"""Servers behind one address: nginx, as the guide configures it, asks the same server about a model each time."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import nginx
from tests.conftest import TUTORIAL, StartServer

GUIDE = Path(__file__).parent.parent.parent / "docs" / "scale.md"
LOCATION = """
location / {
  proxy_pass http://netlet;
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header Connection "";
  add_header x-server $upstream_addr always;
}
"""


@pytest.fixture
def behind_nginx(start_server: StartServer, tmp_path: Path) -> Iterator[httpx.Client]:
    """Give a client of two servers on one store, and of what stands before them."""
    guide = re.findall(r"```nginx\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[0]
    for number in (1, 2):
        guide = guide.replace(f"10.0.0.{number}:8000", start_server().url.removeprefix("http://"))
    with (
        nginx.running(tmp_path, LOCATION, guide) as url,
        httpx.Client(base_url=url, timeout=60, trust_env=False) as client,
    ):
        yield client


def test_each_model_is_asked_of_one_server_and_all_servers_are_asked(behind_nginx: httpx.Client) -> None:
    """By either protocol that has the name in the address; what is about no model goes to any."""
    servers = set()
    for number in range(16):
        name = f"exam-{number}"
        behind_nginx.post("/train", json=TUTORIAL | {"name": name}).raise_for_status()
        asked = [behind_nginx.post(f"/models/{name}/predict", json={"X": [4, 8]}) for _ in range(3)]
        asked += [behind_nginx.get(f"/v2/models/{name}"), behind_nginx.get(f"/models/{name}/versions/1")]
        assert {answer.status_code for answer in asked} == {200}
        (server,) = {answer.headers["x-server"] for answer in asked}
        servers.add(server)

    assert len(servers) == 2
    assert {behind_nginx.get("/models").headers["x-server"] for _ in range(40)} == servers
