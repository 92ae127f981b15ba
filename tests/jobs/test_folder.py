"""The folder of jobs."""

from pathlib import Path

import pytest

from app.jobs.folder import JobFolder


def test_files_that_cannot_be_removed_stay_and_harm_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is done once a job is over must not keep others from their turn; the next start removes them."""
    folder = JobFolder(tmp_path)
    folder.path.write_bytes(b"")

    folder.clear("one")

    assert "stay for now (Not a directory)" in caplog.text


def test_a_folder_that_is_gone_holds_nothing_to_remove(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody need be told."""
    JobFolder(tmp_path).clear("one")

    assert not caplog.text
