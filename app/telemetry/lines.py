"""Log lines: one JSON object a line, never with rows."""

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from math import inf
from time import monotonic

from app.telemetry.current import told

EXTRAS = (
    *("request_id", "trace_id", "span_id", "method", "route", "status", "milliseconds", "who", "address", "made"),
    *("job", "model", "version", "state", "attempt", "rows", "epochs", "seconds", "error"),
)
"""What a line may tell beside its message."""
OF_SPANS = ("opentelemetry", "urllib3", "requests")
SECONDS_BETWEEN = 60.0


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger and message, and what else is known."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        line |= told()
        line |= {name: getattr(record, name) for name in EXTRAS if getattr(record, name, None) is not None}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = "".join(_lines_of(record.exc_info[1]))
        return json.dumps(line)


def _message(record: logging.LogRecord) -> str:
    """Give what is said; asyncio has what a task was at below it, with the words of its error."""
    message = record.getMessage()
    return message.partition("\n")[0] if record.name == "asyncio" else message


def _lines_of(error: BaseException) -> Iterator[str]:
    """Tell where an error comes from, and what it is; its words, which may repeat a cell, only where they do not."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _lines_of(before)
        yield "\nThen:\n\n"
    yield from traceback.format_tb(error.__traceback__)
    said = f": {error}" if isinstance(error, OSError) else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{said}\n"
    yield from getattr(error, "__notes__", ())


class Sparingly(logging.Filter):
    """Lets a line of what libraries say about spans through once in a while: a collector that is away is no news."""

    def __init__(self) -> None:
        super().__init__()
        self.silent_until = -inf

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether nothing was said of them for long: one outage has many words."""
        if not record.name.startswith(OF_SPANS):
            return True
        now = monotonic()
        is_news = now >= self.silent_until
        if is_news:
            self.silent_until = now + SECONDS_BETWEEN
        return is_news


def log_json_lines(level: int = logging.INFO) -> None:
    """Send all log records of the process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    handler.addFilter(Sparingly())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
