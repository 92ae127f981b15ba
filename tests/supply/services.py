"""Services that know of vulnerabilities, as PyPI's packages and npm's are looked up: they know what a test says."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

CLOSED = "http://127.0.0.1:9"
"""Where nobody listens."""


@contextmanager
def serving(answer: Callable[[bytes], Any]) -> Iterator[str]:
    """Answer each request with what its body comes to, or with 404 where that is nothing."""

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = answer(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(told).encode()
            self.send_response(404 if told is None else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
