"""The page's files as they were built, read when they are first asked for, and compressed for those who take that."""

import gzip
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BUILT = Path(__file__).parent / "built"
INDEX = "index.html"
DOCS = "docs.html"


@dataclass(frozen=True)
class BuiltFile:
    """One file, as it is and compressed."""

    media_type: str
    content: bytes
    compressed: bytes


@cache
def names() -> frozenset[str]:
    """List all files of the page by their paths below it; there are none where it was not built."""
    return frozenset(path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*") if path.is_file())


def built(name: str) -> BuiltFile | None:
    """Give a file of the page; None where there is none of this name."""
    return _read(name) if name in names() else None


@cache
def _read(name: str) -> BuiltFile:
    content = (BUILT / name).read_bytes()
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return BuiltFile(media_type, content, gzip.compress(content, mtime=0))
