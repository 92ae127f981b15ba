"""A real nginx for tests: one process in a folder, before the servers that a test has started."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import wait_until

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxied;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {before}
  server {{
    listen 127.0.0.1:{port};
    {server}
  }}
}}
"""


@contextmanager
def running(folder: Path, server: str, before: str = "", path: str = "/") -> Iterator[str]:
    """Start it with what its `server` has, and what comes before that; give its address once netlet answers there."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        pytest.skip("needs Debian's package nginx-light")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    written = folder / "nginx.conf"
    written.write_text(CONFIGURATION.format(folder=folder, port=port, server=server, before=before), encoding="utf-8")
    with subprocess.Popen([nginx, "-c", str(written), "-e", str(folder / "errors")]) as process:
        url = f"http://127.0.0.1:{port}{path}"
        try:
            wait_until(lambda: _answers(url))
            yield url
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}livez", trust_env=False).is_success
    except httpx.TransportError:
        return False
