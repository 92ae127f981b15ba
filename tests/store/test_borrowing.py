"""Where who has no store keeps his copies of datasets, and what is said where he cannot."""

import tempfile
from pathlib import Path

import pytest

from app.errors import StorageError
from app.store.borrowing import datasets_at
from app.store.remote import Address

BUCKET = Address("s3://netlet-tests/1", 2**20)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")


def own(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def test_copies_are_the_users_own_and_each_buckets(tmp_path: Path) -> None:
    """Two buckets may have datasets of one name; what a fetch that died has left goes."""
    folder = datasets_at(BUCKET).folder
    assert datasets_at(BUCKET._replace(url="s3://netlet-tests/2")).folder != folder
    assert own(tmp_path).stat().st_mode & 0o777 == 0o700
    (folder / ".incoming" / "half").touch()

    assert datasets_at(BUCKET).folder == folder
    assert [*(folder / ".incoming").iterdir()] == []


@pytest.mark.parametrize("what", ["open to others", "a link"])
def test_no_copy_is_kept_where_others_could_read_it(what: str, tmp_path: Path) -> None:
    """Whoever made that folder before."""
    datasets_at(BUCKET)
    folder = own(tmp_path)
    if what == "a link":
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.chmod(0o755)

    with pytest.raises(StorageError, match=f"{folder} is not this user's alone"):
        datasets_at(BUCKET)


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to set."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))

    with pytest.raises(StorageError, match="folder for copies of datasets cannot be used"):
        datasets_at(BUCKET)
