"""The leaderboard of a search that goes on, as plain data that one process writes and others read."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.models.search import best_of
from app.models.trials import Trial, TrialState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leaderboard:
    """Trials that are over, and how many there will be, or how many seconds they may take together."""

    metric: str
    most: int | None
    seconds: float | None
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """Give the best that is complete."""
        return best_of(self.trials, self.metric)


def plain(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Write trials as what JSON keeps."""
    return [asdict(trial) for trial in trials]


def trials_of(written: Sequence[dict[str, Any]]) -> tuple[Trial, ...]:
    """Read what `plain` wrote."""
    return tuple(_trial(**each) for each in written)


def _trial(settings: dict[str, Any], state: str, judged: list[list[Any]], **others: Any) -> Trial:  # noqa: ANN401 - JSON
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    points = tuple((epoch, loss) for epoch, loss in judged)
    return Trial(settings=values, state=TrialState(state), judged=points, **others)


def read(path: Path) -> Leaderboard | None:
    """Give the trials that are over; None where there is no search, or it has not begun."""
    try:
        board = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("trials cannot be read (%s)", error)
        return None
    return Leaderboard(board["metric"], board["most"], board["seconds"], trials_of(board["trials"]))
