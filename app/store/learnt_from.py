"""Which models were trained on a dataset: their references, a line each, in a file beside it."""

import logging
import os
from contextlib import suppress
from pathlib import Path

from app.errors import ModelNotFound
from app.store.files import READ, locked, opened, require_regular, storage_errors, write_all
from app.store.store import NO_FILE, ModelStore

DATASETS = ".datasets"  # no model can be called this
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MOST_REFERENCES = 1000
LONGEST_LINE = 74  # a name, a slash, a version and the line end

log = logging.getLogger(__name__)


def note_model(store: Path, dataset: str, reference: str) -> None:
    """Add a model, if the dataset is still there; a model that cannot be noted is no worse for it."""
    try:
        with opened(store / DATASETS) as folder, locked(folder):
            os.stat(f"{dataset}.json", dir_fd=folder)
            with opened(f"{dataset}.models", APPEND, within=folder) as file:
                require_regular(file)
                write_all(file, f"{reference}\n".encode())
                os.fsync(file)
            os.fsync(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("%s cannot be noted beside dataset %s (%s)", reference, dataset, error.strerror)


def models_of(store: ModelStore, dataset: str) -> list[str]:
    """List the models that were trained on a dataset and are still there, oldest first, the newest 1,000 at most."""
    names: dict[str, list[int]] = {}
    found = []
    for line in _lines(store.root, dataset):
        with suppress(ModelNotFound, ValueError):
            name, version = line.split("/")
            if name not in names:
                names[name] = store.versions(name)
            if int(version) in names[name]:
                found.append(str(line))
    return found


def _lines(store: Path, dataset: str) -> list[str]:
    with storage_errors():
        try:
            with opened(store / DATASETS) as folder, opened(f"{dataset}.models", READ, within=folder) as file:
                require_regular(file)
                most = MOST_REFERENCES * LONGEST_LINE
                end = os.pread(file, most, max(0, os.fstat(file).st_size - most))
        except FileNotFoundError:
            return []
        except OSError as error:
            if error.errno not in NO_FILE:
                raise
            log.warning("the models of dataset %s cannot be read (%s)", dataset, error.strerror)
            return []
    return end.decode("ascii", "replace").splitlines()[-MOST_REFERENCES:]
