"""A study: what is tried next, and which trials are given up, as Optuna chooses from a seed and what came before.

Tree-structured Parzen estimators (Bergstra et al. 2011) choose settings; successive halving (Li et al. 2018) lets the
best third go on after a ninth of their epochs, and of these after a third.
"""

import logging
from typing import TYPE_CHECKING

from app.models.search import Dimension, Search, better, value_of
from app.models.trials import Trial, TrialState, Value

if TYPE_CHECKING:
    import optuna

PARTS, RUNGS = 9, (1, 3)
"""Trials are compared after so many of the parts that their epochs are in."""
BEST_OF = 3
"""Of as many, the best goes on."""
AT_RANDOM = 8  # trials before there is enough to choose by
LARGEST_SEED = 2**32 - 1


class Study:
    """The trials of one search, one after the other; the same seed and results give the same trials."""

    def __init__(self, search: Search, seed: int) -> None:
        import optuna  # noqa: PLC0415 - only who searches needs it

        logging.getLogger("optuna").setLevel(logging.ERROR)  # it tells every trial
        self.search, self.states = search, optuna.trial.TrialState
        self.study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(
                n_startup_trials=AT_RANDOM, multivariate=False, seed=seed % LARGEST_SEED
            ),
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=RUNGS[0], reduction_factor=BEST_OF),
        )
        self.trial = self.study.ask()

    def begin(self, number: int) -> dict[str, Value]:
        """Begin a trial, and give what it sets; the first, number 0, sets nothing."""
        if number == 0:
            return {}
        self.trial, ways = self.study.ask(), self.search.ways
        place = int(self.trial.suggest_categorical("way", range(len(ways)))) if len(ways) > 1 else 0
        return {each.setting: _suggested(self.trial, f"{place}.{each.setting}", each) for each in ways[place]}

    def judge(self, rung: int, loss: float) -> bool:
        """Compare the trial, by its loss on rows held out, with others; tell whether it is to be given up."""
        self.trial.report(loss, RUNGS[rung])
        return self.trial.should_prune() and self.trial.number > 0

    def end(self, trial: Trial) -> None:
        """Tell how the trial ended."""
        if trial.state is TrialState.COMPLETE and trial.value is not None:
            self.study.tell(self.trial, better(self.search.metric, trial.value))
        elif trial.state is TrialState.PRUNED:
            self.study.tell(self.trial, state=self.states.PRUNED)
        else:
            self.study.tell(self.trial, state=self.states.FAIL)


def _suggested(trial: "optuna.Trial", name: str, dimension: Dimension) -> Value:
    low, high, log = dimension.low, dimension.high, dimension.log
    if low is None or high is None:
        return value_of(str(trial.suggest_categorical(name, dimension.choices)))
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, log=log)
    return trial.suggest_float(name, low, high, log=log)
