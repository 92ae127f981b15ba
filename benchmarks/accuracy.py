"""How well netlet's defaults answer rows they have not seen, and at what cost, beside the peers on the same splits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.measuring import cpu_seconds, limited_to
from benchmarks.peers import Contestant
from benchmarks.report import say
from benchmarks.tables import Matrix, Split, Table

SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True)
class Trial:
    """One table learnt once by one contestant.

    `error` is the root mean square error of numbers, or the share of wrong labels; `log_loss` is None for numbers;
    `seconds` are processor time.
    """

    table: str
    contestant: str
    error: float
    log_loss: float | None
    seconds: float


def compete(tables: Sequence[Table], contestants: dict[str, Contestant], splits: int) -> list[Trial]:
    """Let all learn the same rows, one after the other on one thread, on the first splits of each table."""
    trials = []
    with limited_to(1):
        for contestant in contestants.values():
            contestant.learn(tables[0].split(0).learnt, 0)  # imports and first calls are in nobody's seconds
        for table in tables:
            for number in range(min(splits, len(table.answered))):
                for name, contestant in contestants.items():
                    trials.append(attempt(table, number, name, contestant))
                    say(f"{table.name} {number} {name}: {trials[-1].error:.4g}, {trials[-1].seconds:.2f} s")
    return trials


def attempt(table: Table, number: int, name: str, contestant: Contestant) -> Trial:
    """Learn one split, the number of which is the seed, and judge the answers."""
    split = table.split(number)
    answer, seconds = cpu_seconds(lambda: contestant.learn(split.learnt, number))
    error, log_loss = judge(answer(split.X), split)
    return Trial(table.name, name, error, log_loss, seconds)


def judge(answers: Matrix, split: Split) -> tuple[float, float | None]:
    """Compare answers with the truth: root mean square error, or error rate and log loss."""
    if not isinstance(split.y, tuple):
        return float(np.sqrt(np.mean((answers - split.y) ** 2))), None
    place = {label: number for number, label in enumerate(split.labels)}
    truth = np.array([place[label] for label in split.y])
    likelihood = answers[np.arange(len(truth)), truth] / answers.sum(axis=1)
    log_loss = -np.log(np.clip(likelihood, SMALLEST_PROBABILITY, 1.0)).mean()
    return float(np.mean(answers.argmax(axis=1) != truth)), float(log_loss)
