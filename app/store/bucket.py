"""A bucket: S3 storage that holds a store's files, under the names that they have in a folder.

Keys and the address of the storage are `AWS_*` variables, as for every client of S3.
"""

import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from threading import Lock
from time import time
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from app.errors import BucketAway, StorageError
from app.store.files import CREATE, make, named_aside, opened, storage_errors, write_all
from app.store.layout import DATASETS, INCOMING
from app.store.references import is_name
from app.store.remote import Address, Kept, Remote, Taken

AT_ONCE = 16  # files that are on their way together
LONGEST = timedelta(hours=1)
PATIENCE = timedelta(seconds=10)  # for storage that does not answer, or answers that it cannot
FRESH_SECONDS = 60  # in which a copy is not removed: it may be about to be brought to the bucket, or to be read
COPY = re.compile(r"[1-9][0-9]{0,8}\.(memory\.)?safetensors|[0-9a-f]{32}\.(parquet|json)", re.ASCII)
TRIED = f"{INCOMING}/tried"  # what is written to find out whether anything can be
NO_BUCKET = "NoSuchBucket"  # as S3 says why a file is not there, where all are missing
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
HOST = re.compile(r"[A-Za-z0-9._:-]+", re.ASCII)
SHARE = 8  # of the bytes that copies may take, after which it is looked again how much they are

log = logging.getLogger(__name__)


class Bucket(Remote):
    """The files of a store in S3, and copies of them in a folder, which take so many bytes at most, about.

    Safe to use from many threads; a process that it is sent to connects anew.
    """

    is_there = True

    def __init__(self, url: str, root: Path, most_bytes: int, reserve: int = 0) -> None:
        """Take `s3://bucket/prefix`, and how many bytes of the folder's disk copies leave free, where they can.

        Raises StorageError where it names no bucket.
        """
        self.url, self.root, self.most_bytes, self.reserve = url, root, most_bytes, reserve
        self.address = Address(url, most_bytes)
        self.added, self.lock = most_bytes, Lock()
        self.is_suspect = False
        """Whether it has refused to be written to, and not let itself be since."""
        self.store = _connected(url)

    def __reduce__(self) -> tuple[Callable[..., "Bucket"], tuple[object, ...]]:
        return Bucket, (self.url, self.root, self.most_bytes, self.reserve)

    def create(self, files: Mapping[Path, Path]) -> None:
        """Bring new files there, to their places; raise Taken where another is in one of these, StorageError.

        One that is there already with the same bytes is the very file, which a lost answer did not tell of.
        """

        def create_one(origin: Path) -> None:
            path = files[origin]
            with storage_errors(), self._writing():
                try:
                    obstore.put(self.store, self.key(path), origin, mode="create")
                except AlreadyExistsError:
                    if bytes(obstore.get(self.store, self.key(path)).bytes()) != origin.read_bytes():
                        raise Taken(path) from None

        if len(files) == 1:
            create_one(*files)
        else:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(create_one, files))
        self._add(sum(origin.stat().st_size for origin in files))

    def offer(self, path: Path, data: bytes) -> bool:
        """Bring these bytes there as a new file, unless it is there; tell whether it was not; raise StorageError."""
        try:
            with self._writing():
                obstore.put(self.store, self.key(path), data, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def write(self, file: Path, data: bytes | None = None) -> None:
        """Bring a file there, in parts where it is long; raise StorageError."""
        with storage_errors(), self._writing():
            obstore.put(self.store, self.key(file), file if data is None else data)

    def fetch(self, path: Path) -> bool:
        """Copy a file into the folder, which nobody sees half; raise StorageError."""
        incoming = path.parent / INCOMING if path.parent.name == DATASETS else self.root / INCOMING
        with storage_errors(), bucket_errors():
            try:
                found = obstore.get(self.store, self.key(path))
            except FileNotFoundError as error:
                if NO_BUCKET in str(error):
                    raise
                return False
            if not path.parent.is_dir():
                make(path.parent)
            self._require_room(found.meta["size"])
            with opened(incoming) as aside, opened(path.parent) as folder, named_aside(aside) as name:
                with opened(name, CREATE, within=aside) as file:
                    for piece in found.stream():
                        write_all(file, memoryview(piece))
                    os.utime(file, (time(), found.meta["last_modified"].timestamp()))
                try:
                    os.rename(name, path.name, src_dir_fd=aside, dst_dir_fd=folder)
                except IsADirectoryError:  # which is nobody's copy, and stays beside it
                    os.rename(path.name, f"{path.name}.orphan-{name}", src_dir_fd=folder, dst_dir_fd=folder)
                    os.rename(name, path.name, src_dir_fd=aside, dst_dir_fd=folder)
        self._add(found.meta["size"])
        return True

    def read(self, path: Path, most: int) -> bytes:
        """Read the first bytes of a file; raise FileNotFoundError, StorageError."""
        with bucket_errors():
            try:
                return bytes(obstore.get_range(self.store, self.key(path), start=0, length=most))
            except BaseError:
                if obstore.head(self.store, self.key(path))["size"]:
                    raise
                return b""  # of which S3 gives no range

    def remove(self, files: Iterable[Path]) -> None:
        """Remove files there, if they are there; raise StorageError."""
        if keys := [self.key(file) for file in files]:
            with self._writing():
                obstore.delete(self.store, keys)

    def files(self, folder: Path) -> Iterator[Kept]:
        """List the files that are in a folder there, and in those within it; raise StorageError."""
        with bucket_errors():
            for some in obstore.list(self.store, None if folder == self.root else self.key(folder), chunk_size=1000):
                for one in some:
                    yield Kept(self.root / one["path"], one["size"], one["last_modified"].timestamp())

    def has(self, path: Path) -> bool:
        """Tell whether a file is there; raise StorageError."""
        with bucket_errors():
            try:
                obstore.head(self.store, self.key(path))
            except FileNotFoundError:
                return False
        return True

    def require_usable(self) -> None:
        """Raise StorageError unless it answers; where it has refused to be written to, unless it lets itself be now."""
        with bucket_errors():
            obstore.list_with_delimiter(self.store, "nothing")
        if self.is_suspect:
            self.write(self.root / TRIED, b"Is this written?")
            with suppress(StorageError):  # it was written all the same
                self.remove([self.root / TRIED])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Do as `bucket_errors`, and note whether it lets itself be written to."""
        try:
            with bucket_errors():
                yield
        except BucketAway:
            self.is_suspect = True
            raise
        self.is_suspect = False

    def key(self, path: Path) -> str:
        """Name a file of the folder in the bucket."""
        return path.relative_to(self.root).as_posix()

    def _add(self, many: int) -> None:
        """Count bytes that were copied; remove the copies that were not used for longest, if they are too many."""
        with self.lock:
            self.added += many
            if self.added < self.most_bytes / SHARE:
                return
            self.added = 0
        try:
            self._make_room()
        except OSError as error:  # the file that was copied is there all the same
            log.warning("copies take more space than they may for now (%s)", error)

    def _require_room(self, size: int) -> None:
        """Make room for a copy, where the disk has little: whatever it is that takes the rest."""
        disk = os.statvfs(self.root)
        lacking = size + self.reserve - disk.f_bavail * disk.f_frsize
        if lacking > 0:
            self._make_room(lacking)

    def _make_room(self, lacking: int = 0) -> None:
        """Remove the copies that were not used for longest, if they are too many, or until so many bytes are free."""
        copies = sorted(copies_in(self.root))
        excess = max(lacking, sum(size for _, size, _ in copies) - self.most_bytes)
        for used, size, path in copies:
            if excess <= 0:
                return
            if abs(time() - used) > FRESH_SECONDS:  # also of a time to come, as a clock that was set back leaves it
                Path(path).unlink(missing_ok=True)
                excess -= size


def copies_in(root: Path) -> Iterator[tuple[float, int, str]]:
    """Tell of each copy when it was used last, its bytes, and where it is."""
    with os.scandir(root) as folders:
        inner = [entry.path for entry in folders if entry.is_dir(follow_symlinks=False) and _has_copies(entry.name)]
    for folder in inner:
        with os.scandir(folder) as entries:
            for entry in entries:
                if COPY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):  # of one that another process has just removed
                        seen = entry.stat(follow_symlinks=False)
                        yield seen.st_atime, seen.st_size, entry.path


def _has_copies(folder: str) -> bool:
    """Tell whether a folder's files are copies: whatever else somebody keeps beside them, stays."""
    return folder == DATASETS or is_name(folder)


def _connected(url: str) -> S3Store:
    is_http_allowed = os.environ.get("AWS_ALLOW_HTTP", "").lower() in {"1", "true"}
    _require_endpoint(is_http_allowed=is_http_allowed)
    with bucket_errors():
        return S3Store.from_url(
            url,
            client_options={
                "allow_http": is_http_allowed,
                "connect_timeout": PATIENCE / 2,
                "read_timeout": PATIENCE,
                "timeout": LONGEST,  # for all of a file, however long it is
            },
            retry_config={"max_retries": 8, "retry_timeout": PATIENCE},
        )


def _require_endpoint(*, is_http_allowed: bool) -> None:
    """Raise StorageError for an address of the storage that is none: with some, the library would panic."""
    for name in ENDPOINTS:
        if (address := os.environ.get(name)) is None:
            continue
        try:
            parts = urlsplit(address)
            is_address = parts.scheme in {"http", "https"} and HOST.fullmatch(parts.hostname or "") and parts.port != 0
        except ValueError:  # of a port, too
            is_address = False
        if not is_address:
            message = f"{name} is not an address as https://s3.example.org."
            raise StorageError(message)
        if address.startswith("http:") and not is_http_allowed:
            message = f"{name} is an address without TLS: set AWS_ALLOW_HTTP=true, too, if that is meant."
            raise StorageError(message)


@contextmanager
def bucket_errors() -> Iterator[None]:
    """Turn what the storage refuses, but not what is there already or is missing, into BucketAway."""
    try:
        yield
    except AlreadyExistsError:
        raise
    except FileNotFoundError as error:
        if NO_BUCKET not in str(error):
            raise
        log.warning("there is no such bucket as NETLET_STORE names (%s)", str(error).splitlines()[0])
        raise BucketAway from error
    except BaseError as error:
        log.warning("the bucket cannot be used (%s)", str(error).splitlines()[0])
        raise BucketAway from error
