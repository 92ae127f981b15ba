"""Which files a process has open."""

from pathlib import Path


def temporary_files(process: int | str = "self") -> int:
    """How many files without a name a process has open."""
    names = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        try:
            names.append(str(link.readlink()))
        except OSError:
            continue
    return sum(name.endswith(" (deleted)") for name in names)
