"""`netlet backup` and `netlet restore`, run to their ends, and backups that somebody has changed."""

import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from typer.testing import CliRunner

from app import cli

MANIFEST, SUMS = ".backup/manifest.json", ".backup/SHA256SUMS"


def netlet(environment: Mapping[str, str], *arguments: object) -> tuple[int, str, str]:
    """Run a command line with a store in this process: give its exit code, and what it says."""
    variables = {name: environment.get(name) for name in ("NETLET_MODELS", "NETLET_DATABASE_URL")}
    result = CliRunner().invoke(cli.cli, [*map(str, arguments)], env=variables, prog_name="netlet")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def process(environment: Mapping[str, str], *arguments: object, under: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Run it in a process of its own."""
    command = [*under, sys.executable, "-m", "app.cli", *map(str, arguments)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)
    return run.returncode, run.stdout, run.stderr


def members(backup: Path) -> dict[str, bytes]:
    """Give what is in a backup, by the names of its members, in their order."""
    with tarfile.open(backup) as archive:
        return {member.name: read(archive, member) for member in archive if member.name != SUMS}


def read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None
    return file.read()


def head(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Describe a member as netlet does."""
    described = tarfile.TarInfo(name)
    described.size, described.mode, described.type, described.linkname = size, 0o600, kind, link
    return described


def packed(*parts: tuple[tarfile.TarInfo, bytes], end: bytes = bytes(1024)) -> bytes:
    """Write a tar."""
    return b"".join(one.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512) for one, data in parts) + end


def backup_of(files: Mapping[str, bytes], *more: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Write a backup with these members, and some that are not in the list of their sums."""
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()).encode()
    whole = [(head(name, len(data)), data) for name, data in files.items()]
    return packed(*whole, *more, (head(SUMS, len(sums)), sums))


def file_of(data: bytes) -> io.BytesIO:
    return io.BytesIO(data)
