"""Disks of their own for tests, which root alone may have: small ones, and ones whose power can be cut."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

SHUT_DOWN = 0x8004587D  # FS_IOC_SHUTDOWN
WITHOUT_LOG = 2  # what is not on the disk yet, the journal's last part too, is lost
IMAGE_BYTES = 2**25

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts disks")


def tool(name: str, *arguments: object) -> str:
    """Run a tool of the system, and give what it says."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not installed"
        raise FileNotFoundError(message)
    command = [found, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a disk in memory that is soon full."""
    folder.mkdir()
    tool("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield folder
    finally:
        tool("umount", folder)


def fill_up(filler: Path) -> None:
    """Leave no byte of a disk."""
    with filler.open("ab", buffering=0) as file:
        for size in (2**16, 2**12, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))


class Disk:
    """An ext4 of its own in a file, whose power can be cut."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place, self.device = folder / "image", folder / "disk", ""
        self.place.mkdir()
        with self.image.open("wb") as image:
            image.truncate(IMAGE_BYTES)
        tool("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", self.image)

    def mount(self) -> None:
        """Mount it, which recovers what its journal has."""
        self.device = self.device or tool("losetup", "--find", "--show", self.image)
        tool("mount", "-t", "ext4", self.device, self.place)

    def cut(self) -> None:
        """Cut the power: nothing more comes to the disk, nor can be read from it."""
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUT_DOWN, WITHOUT_LOG.to_bytes(4, "little"))
        finally:
            os.close(descriptor)

    def unmount(self) -> None:
        """Unmount it, once nobody uses it."""
        tool("umount", self.place)

    def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self.place.is_mount():
            self.unmount()
        if self.device:
            tool("losetup", "--detach", self.device)
            self.device = ""


@contextmanager
def disk_with_power(folder: Path) -> Iterator[Disk]:
    """Make a disk, and mount it."""
    disk = Disk(folder)
    try:
        disk.mount()
        yield disk
    finally:
        disk.close()
