"""The record of a search: its trials, written down as they end, to be gone on with and to be watched."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from app.engine.control import Checkpoint
from app.jobs.checkpoints import Checkpoints
from app.jobs.leaderboard import plain, trials_of
from app.jobs.progress import NoteWriter
from app.models.search import Search
from app.models.trials import Trial

log = logging.getLogger(__name__)


class Record:
    """Writes down what a search has come to."""

    def __init__(self, search: Search, checkpoints: Checkpoints, path: Path, writer: NoteWriter) -> None:
        self.search, self.checkpoints, self.path, self.writer = search, checkpoints, path, writer
        left = checkpoints.load()
        self.before = 0.0 if left is None else float(left.facts["seconds"])
        self.known = () if left is None else trials_of(left.facts["trials"])
        """Trials of earlier attempts at the job."""

    def seconds(self) -> float:
        """Tell how long the search has been at work, in all attempts, as far as they were written down."""
        return self.before + monotonic() - self.writer.began

    def __call__(self, trials: Sequence[Trial]) -> None:
        """Take all trials that are over; of those that were told by an earlier attempt, there is nothing to tell."""
        if len(trials) < len(self.known):
            return
        told = plain(trials)
        if len(trials) > len(self.known):
            self.checkpoints.save(Checkpoint(len(trials), {}, {"seconds": self.seconds(), "trials": told}))
        search, aside = self.search, self.path.with_suffix(".trials-new")
        board = {"metric": search.metric, "most": search.trials, "seconds": search.seconds, "trials": told}
        try:
            aside.write_text(json.dumps(board))
            aside.replace(self.path)
        except OSError as error:  # a training must not fail for what is only told of it
            log.warning("trials cannot be told (%s)", error.strerror)
