"""A service that answers what a test says."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple


class Answer(NamedTuple):
    """What a fake service answers: a body that is cut off after its end, where it is said to be longer."""

    status: int
    body: str = ""
    content_type: str = "application/json"
    retry_after: str = ""
    missing: int = 0
    headers: tuple[tuple[str, str], ...] = ()


class Received(NamedTuple):
    """A request that a fake service got."""

    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def serving(answers: list[Answer]) -> Iterator[tuple[str, list[Received]]]:
    """Serve these answers, one a request."""
    received: list[Received] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            received.append(Received(self.path, headers, self.rfile.read(length)))
            answer = answers[len(received) - 1]
            self.send_response(answer.status)
            self.send_header("content-type", answer.content_type)
            self.send_header("content-length", str(len(answer.body) + answer.missing))
            if answer.retry_after:
                self.send_header("retry-after", answer.retry_after)
            for header in answer.headers:
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(answer.body.encode())

        do_GET = do_POST  # noqa: N815 - the name that http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
