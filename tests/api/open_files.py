"""Which files this process has open."""

from pathlib import Path


def temporary_files() -> int:
    """How many files without a name this process has open."""
    names = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            names.append(str(link.readlink()))
        except OSError:
            continue
    return sum(name.endswith(" (deleted)") for name in names)
