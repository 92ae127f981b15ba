"""A disk as harsh as POSIX allows: what a program did to it, and all that a power cut may leave of that.

Whatever was not synced may be lost, torn or zeros; entries of a folder that was not synced may be lost one by one. A
commit of SQLite is taken to be one durable step, which SQLite's own tests are about.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path
from random import Random
from threading import RLock
from types import FrameType
from typing import Any, NamedTuple

DATABASE = ".catalogue.sqlite"
MOST_STATES = 48  # of one moment; the rest is drawn from


class Link(NamedTuple):
    """A name in a folder stands for something now, or for nothing; `instead` is the name that it had until then."""

    folder: int
    name: str
    inode: int | None
    instead: str | None = None


class Data(NamedTuple):
    """Bytes were added to a file."""

    inode: int
    data: bytes


class Synced(NamedTuple):
    """A file's bytes, or a folder's entries, are on the disk from here on."""

    inode: int


class Committed(NamedTuple):
    """A transaction of the catalogue is on the disk."""


class Told(NamedTuple):
    """Somebody was told something, which must be true from here on."""

    fact: Any


Step = Link | Data | Synced | Committed | Told
Site = tuple[str, str, str]
"""A call of the system: what, of which functions, on what."""


class Recorder:
    """Notes what is done to the files in a folder. One site may be broken: done in truth, but not to this disk."""

    def __init__(self, base: Path, broken: tuple[str, Site] | None = None) -> None:
        self.base, self.broken = base, broken
        self.steps: list[Step] = []
        self.sites: list[Site] = []
        self.inodes: dict[tuple[int, int], int] = {}
        self.folders: set[int] = set()
        self.places: dict[int, str] = {}
        self.lock, self.is_recording = RLock(), False
        self.real = {
            name: getattr(os, name) for name in ("open", "write", "fsync", "rename", "unlink", "mkdir", "rmdir")
        }
        self.root = self._known(base.stat(), "base")
        self.folders.add(self.root)

    def tell(self, fact: object) -> None:
        """Note that somebody was told something."""
        with self.lock:
            self.steps.append(Told(fact))

    def commit(self) -> None:
        """Note that the catalogue commits."""
        with self.lock:
            if self.is_recording:
                self.steps.append(Committed())

    @contextmanager
    def recording(self) -> Iterator["Recorder"]:
        """Be told of every call for a while."""
        names = list(self.real)
        for name in names:
            setattr(os, name, getattr(self, name))
        self.is_recording = True
        try:
            yield self
        finally:
            self.is_recording = False
            for name in names:
                setattr(os, name, self.real[name])

    def _known(self, seen: os.stat_result, place: str = "", *, is_new: bool = False) -> int:
        key = seen.st_dev, seen.st_ino
        if is_new or key not in self.inodes:
            self.inodes[key] = len(self.places)
            self.places[self.inodes[key]] = place
        return self.inodes[key]

    def _folder_of(self, path: Any, within: int | None) -> int | None:
        """Find the folder that a path is in, if it is one of ours."""
        seen = os.fstat(within) if within is not None else Path(path).parent.stat()
        return self.inodes.get((seen.st_dev, seen.st_ino))

    def _ours(self, path: Any, within: int | None) -> int | None:
        return None if DATABASE in str(path) or isinstance(path, int) else self._folder_of(path, within)

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """Open, and note a new file."""
        with self.lock:
            is_new = bool(flags & os.O_CREAT) and not os.path.lexists(_absolute(path, dir_fd))
            descriptor: int = self.real["open"](path, flags, mode, dir_fd=dir_fd)
            folder = self._ours(path, dir_fd) if is_new else None
            if folder is not None:
                name = Path(path).name
                self.steps.append(Link(folder, name, self._known(os.fstat(descriptor), "file", is_new=True)))
            return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        """Write, and note what was written."""
        with self.lock:
            written: int = self.real["write"](descriptor, data)
            inode = self._inode(descriptor)
            if inode is not None:
                self.steps.append(Data(inode, bytes(memoryview(data)[:written])))
            return written

    def fsync(self, descriptor: int) -> None:
        """Sync, and note it."""
        with self.lock:
            self.real["fsync"](descriptor)
            inode = self._inode(descriptor)
            if inode is not None and not self._is_broken("fsync", self.places[inode]):
                self.steps.append(Synced(inode))

    def rename(self, old: Any, new: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        """Rename, and note it."""
        with self.lock:
            source, target = self._ours(old, src_dir_fd), self._ours(new, dst_dir_fd)
            seen = os.stat(old, dir_fd=src_dir_fd, follow_symlinks=False)
            self.real["rename"](old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            if source is None or target is None:
                return
            inode, names = self._known(seen), (Path(old).name, Path(new).name)
            way = self._is_broken("rename", self.places[target])
            if way == "in place":
                self.steps += self._copied(inode, target, names[1])
            elif not way and source == target:
                self.steps.append(Link(target, names[1], inode, instead=names[0]))
            elif not way:
                self.steps += [Link(target, names[1], inode), Link(source, names[0], None)]

    def _copied(self, inode: int, folder: int, name: str) -> list[Step]:
        """Write a file anew in its place, as those do who do not rename."""
        data = b"".join(step.data for step in self.steps if isinstance(step, Data) and step.inode == inode)
        copy = len(self.places)
        self.places[copy] = "file"
        return [Link(folder, name, copy), Data(copy, data)]

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        """Unlink, and note it."""
        with self.lock:
            self.real["unlink"](path, dir_fd=dir_fd)
            folder = self._ours(path, dir_fd)
            if folder is not None and not self._is_broken("unlink", self.places[folder]):
                self.steps.append(Link(folder, Path(path).name, None))

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        """Make a folder, and note it."""
        with self.lock:
            self.real["mkdir"](path, mode, dir_fd=dir_fd)
            folder = self._ours(path, dir_fd)
            if folder is not None:
                name = Path(path).name
                made = self._known(os.stat(path, dir_fd=dir_fd), name, is_new=True)
                self.folders.add(made)
                self.steps.append(Link(folder, name, made))

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        """Remove a folder, and note it."""
        with self.lock:
            self.real["rmdir"](path, dir_fd=dir_fd)
            folder = self._ours(path, dir_fd)
            if folder is not None:
                self.steps.append(Link(folder, Path(path).name, None))

    def _inode(self, descriptor: int) -> int | None:
        seen = os.fstat(descriptor)
        return self.inodes.get((seen.st_dev, seen.st_ino))

    def _is_broken(self, call: str, place: str) -> str:
        """Note a site, and tell in which way it is to be broken, if it is."""
        site = call, " < ".join(islice(_callers(), 2)), place
        self.sites.append(site)
        return self.broken[0] if self.broken is not None and self.broken[1] == site else ""


def _absolute(path: Any, within: int | None) -> Path:
    return Path(path) if within is None else Path(f"/proc/self/fd/{within}") / path


def _callers() -> Iterator[str]:
    """Name the functions that led here, from the inside out, but not those of the files' own words."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - Python's public name for it
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("app.") and module != "app.store.files":
            yield f"{module.removeprefix('app.')}.{frame.f_code.co_name}"
        frame = frame.f_back


Tree = tuple[tuple[str, bytes | None], ...]
"""All paths of a state in order, folders before what is in them, with the bytes of files and None for folders."""


@dataclass
class Disk:
    """What is on the disk for certain after some steps, and what is only on its way there."""

    root: int
    folders: set[int]
    entries: dict[int, dict[str, int]] = field(default_factory=dict)
    moving: dict[int, list[Link]] = field(default_factory=dict)
    data: dict[int, bytes] = field(default_factory=dict)
    writing: dict[int, bytes] = field(default_factory=dict)

    def take(self, step: Step) -> None:
        """Go on by one step."""
        match step:
            case Link(folder=folder):
                self.moving.setdefault(folder, []).append(step)
            case Data(inode=inode, data=data):
                self.writing[inode] = self.writing.get(inode, b"") + data
            case Synced(inode=inode) if inode in self.folders:
                self.entries[inode] = self._listed(inode, self.moving.pop(inode, []))
            case Synced(inode=inode):
                self.data[inode] = self.data.get(inode, b"") + self.writing.pop(inode, b"")

    def _listed(self, folder: int, links: Sequence[Link]) -> dict[str, int]:
        listed = dict(self.entries.get(folder, {}))
        for link in links:
            if link.instead is not None:
                listed.pop(link.instead, None)
            if link.inode is None:
                listed.pop(link.name, None)
            else:
                listed[link.name] = link.inode
        return listed

    def states(self, rng: Random) -> Iterator[Tree]:
        """Give all that a power cut now may leave; where that is too much, the extremes and a sample."""
        choices: list[list[Callable[[dict[int, Any]], None]]] = []
        for folder, links in self.moving.items():
            choices.append([_setting(folder, self._listed(folder, kept)) for kept in _subsets(links, rng)])
        for inode, data in self.writing.items():
            there = self.data.get(inode, b"")
            half = len(data) // 2
            lost = (data, b"", data[:half], bytes(len(data)), data[:half] + bytes(len(data) - half))
            choices.append([_setting(inode, there + each) for each in lost])
        every = product(*choices) if _count(choices) <= MOST_STATES else _drawn(choices, rng)
        for chosen in every:
            now: dict[int, Any] = {**self.entries, **self.data}
            for choose in chosen:
                choose(now)
            yield tuple(self._tree(now, self.root, ""))

    def _tree(self, now: dict[int, Any], folder: int, path: str) -> Iterator[tuple[str, bytes | None]]:
        for name, inode in sorted(now.get(folder, {}).items()):
            if inode in self.folders:
                yield path + name, None
                yield from self._tree(now, inode, f"{path}{name}/")
            else:
                yield path + name, now.get(inode, b"")


def _setting(inode: int, value: object) -> Callable[[dict[int, Any]], None]:
    return lambda now: now.__setitem__(inode, value)


def _count(choices: list[list[Callable[[dict[int, Any]], None]]]) -> int:
    count = 1
    for each in choices:
        count *= len(each)
    return count


def _subsets(links: list[Link], rng: Random) -> Iterator[list[Link]]:
    """Give what may be left of a folder's changes: all, none, all but one, the first of them, others by chance."""
    size = len(links)
    if size <= 4:
        chosen = set(range(2**size))
    else:
        whole = 2**size - 1
        chosen = {whole, 0} | {whole ^ (1 << n) for n in range(size)} | {(1 << n) - 1 for n in range(size)}
        chosen |= {rng.getrandbits(size) for _ in range(MOST_STATES)}
    for bits in sorted(chosen, reverse=True):
        yield [link for number, link in enumerate(links) if bits >> number & 1]


def _drawn(
    choices: list[list[Callable[[dict[int, Any]], None]]], rng: Random
) -> Iterator[list[Callable[[dict[int, Any]], None]]]:
    yield [each[0] for each in choices]
    yield [each[-1] for each in choices]
    for _ in range(MOST_STATES):
        yield [rng.choice(each) for each in choices]
