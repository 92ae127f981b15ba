"""The page's files as they were built, read once, and compressed for those who take that."""

import gzip
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BUILT = Path(__file__).parent / "built"
INDEX = "index.html"


@dataclass(frozen=True)
class BuiltFile:
    """One file, as it is and compressed."""

    media_type: str
    content: bytes
    compressed: bytes


@cache
def built() -> dict[str, BuiltFile]:
    """Read all files of the page by their paths below it; there are none where it was not built."""
    return {path.relative_to(BUILT).as_posix(): _read(path) for path in BUILT.rglob("*") if path.is_file()}


def _read(path: Path) -> BuiltFile:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return BuiltFile(media_type, content, gzip.compress(content, mtime=0))
