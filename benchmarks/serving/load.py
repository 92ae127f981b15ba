"""Load: wrk, pinned to one processor while the server has another, and what it measured."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

SCRIPT = """
local file = io.open(os.getenv("BODY"), "rb")
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
wrk.headers["Content-Type"] = os.getenv("TYPE")
local length = os.getenv("HEADER")
if length ~= "" then wrk.headers["Inference-Header-Content-Length"] = length end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format("took %d requests in %d us, p99 %d us, %d errors\\n", summary.requests, summary.duration,
    latency:percentile(99), errors.status + errors.read + errors.write + errors.connect + errors.timeout))
end
"""
TOLD = re.compile(r"took (\d+) requests in (\d+) us, p99 (\d+) us, (\d+) errors")
LOAD_PROCESSOR, SERVER_PROCESSOR = "1", "0"


class Body(NamedTuple):
    """What is sent, and what its headers say."""

    content: bytes
    media_type: str = "application/json"
    header_length: int | None = None
    """Of the JSON before octets."""


class Measured(NamedTuple):
    """What came of a load."""

    per_second: float
    p99_milliseconds: float


def is_installed() -> bool:
    """Tell whether wrk is there, and the means to pin it."""
    return shutil.which("wrk") is not None and shutil.which("taskset") is not None and (os.cpu_count() or 1) > 1


def load(url: str, body: Body, *, connections: int, seconds: int = 3) -> Measured:
    """Send a body over and over; raise RuntimeError where an answer is none of 200."""
    with tempfile.TemporaryDirectory() as folder:
        script, content = Path(folder) / "post.lua", Path(folder) / "body"
        script.write_text(SCRIPT, encoding="utf-8")
        content.write_bytes(body.content)
        length = "" if body.header_length is None else str(body.header_length)
        told = {"BODY": str(content), "TYPE": body.media_type, "HEADER": length}
        options = ["-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "60", "-s", str(script), url]
        done = subprocess.run(  # noqa: S603 - our own command
            [*pinned(LOAD_PROCESSOR), "wrk", *options],
            env=os.environ | told,
            capture_output=True,
            text=True,
            check=True,
        )
    found = TOLD.search(done.stdout)
    if found is None or int(found[4]):
        raise RuntimeError(done.stdout)
    requests, microseconds, p99 = (int(found[group]) for group in (1, 2, 3))
    return Measured(requests / microseconds * 1e6, p99 / 1000)


def pinned(processor: str) -> list[str]:
    """Begin a command that is to run on one processor."""
    return ["taskset", "--cpu-list", processor]
