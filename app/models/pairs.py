"""Pairs: answers beside the truth, a sample of those that a model's metrics rest on, for who wants to see them."""

from dataclasses import dataclass

import numpy as np

from app.engine.arrays import Scores, Targets

MOST_PAIRS, MOST_NUMBERS = 512, 2**16  # rows, and numbers in their answers, that are kept


@dataclass(frozen=True)
class Pairs:
    """Answers, shape (pairs, answers), and what is true: numbers, 0 or 1 of each target, or a label's position."""

    answers: Scores
    truth: Targets

    @classmethod
    def none(cls, answers: int, targets: int) -> "Pairs":
        """Know of no rows."""
        return cls(np.empty((0, answers)), np.empty((0, targets)))

    @classmethod
    def sample(cls, answers: Scores, truth: Targets) -> "Pairs":
        """Keep some rows of all, in their order."""
        most = min(MOST_PAIRS, max(1, MOST_NUMBERS // answers.shape[1]))
        rows = np.arange(len(answers))
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(0).permutation(rows)[:most])
        return cls(answers[rows], truth[rows])

    def __len__(self) -> int:
        return len(self.answers)
