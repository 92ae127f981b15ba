"""Searching: the trainings of a search, one after the other, as one job that goes on where it was left."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from app.engine.control import CANCELLED, Progress
from app.errors import Cancelled, Diverged, InputError, UnsuitableTarget
from app.jobs.study import PARTS, RUNGS, Study
from app.models.defaults import labels_of, problem_of
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.search import MOST_TRIALS, Search, best_of, better, judging, measured, with_settings
from app.models.table import TrainingRows
from app.models.trials import Searched, Trial, TrialState, Value

NOTHING_TOLD = (
    "Rows held out do not tell what the search is for, most often as their targets are all alike. "
    "Choose another metric, such as loss, or send rows of which the targets differ."
)
UNFINISHED = (
    "The search was cancelled: this is its best trial, which has learnt only from the rows that a search sees. "
    "Its metrics are of rows by which it was chosen, and look a little better than it is."
)


class Pruned(Exception):
    """A trial is given up."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A trial that is to be trained."""

    recipe: Recipe
    rows: TrainingRows
    before: int
    """Epochs of the trials before it."""
    others: int
    """How many trainings are to follow, as far as is known."""
    watch: Callable[[Progress], None]
    """Told each epoch; what it raises ends the trial."""

    def epochs(self, own: int) -> int:
        """Tell how many epochs the search has, if all that follow have as many as this."""
        return self.before + own * (1 + self.others)


@dataclass(kw_only=True)
class Searching:
    """A search on its way."""

    search: Search
    recipe: Recipe
    rows: TrainingRows
    """Those that it sees."""
    learn: Callable[[Attempt], Model]
    keeps: Callable[[], bool]
    """Whether who cancels wants the best so far."""
    clock: Callable[[], float]
    """Tells how many seconds it has been at work, in all attempts."""
    note: Callable[[Sequence[Trial]], None]
    """Takes the trials that are over, after each."""
    trials: list[Trial] = field(default_factory=list)
    kept: "_Kept | None" = None
    chosen: int | None = None
    """The trial whose settings the model has; None where that is one that was not over."""
    fault: InputError | None = None
    """Of the first that failed in this process."""

    def run(self, known: Sequence[Trial]) -> Model | None:
        """Try until the budget is spent, beginning with trials that are `known`, if they are of this search.

        Gives a model only where somebody cancels and wants the best so far. Raises Cancelled, and where no trial is
        complete, what the first came to.
        """
        study = Study(self.search, self.recipe.training.seed)
        while len(self.trials) < len(known) or not self._is_spent:
            number = len(self.trials)
            settings = study.begin(number)
            if known[number : number + 1] and known[number].settings == settings:
                trial = known[number]
                for rung, (_, loss) in enumerate(trial.judged):
                    study.judge(rung, loss)
            else:
                known = known[:number]
                tried = self._same(number, settings) or self._tried(number, settings, study)
                if isinstance(tried, Model):
                    return tried
                trial = tried
            study.end(trial)
            self.trials.append(trial)
            self.note(self.trials)
        best = best_of(self.trials, self.search.metric)
        if best is None:
            raise self.fault or UnsuitableTarget(self.trials[0].fault or NOTHING_TOLD)
        self.chosen = best.number
        return None

    @property
    def recipe_of_the_best(self) -> Recipe:
        """Give what the model is to be trained with, once the budget is spent."""
        best = best_of(self.trials, self.search.metric)
        return self.recipe if best is None else with_settings(self.recipe, best.settings)

    @property
    def epochs(self) -> int:
        """Count the epochs of the trials that are over."""
        return sum(trial.epochs for trial in self.trials)

    def told(self, model: Model) -> Model:
        """Let a model tell of the search that it comes from."""
        searched = Searched(
            metric=self.search.metric, rows=len(self.rows.X), best=self.chosen, trials=tuple(self.trials)
        )
        return replace(model, report=replace(model.report, search=searched))

    @property
    def _is_spent(self) -> bool:
        done = len(self.trials)
        if self.search.trials is not None:
            return done >= self.search.trials
        return done >= MOST_TRIALS or (done > 0 and self._is_late)

    @property
    def _is_late(self) -> bool:
        return self.search.seconds is not None and self.clock() >= self.search.seconds

    def _same(self, number: int, settings: dict[str, Value]) -> Trial | None:
        """Give the result of an earlier trial with these settings: it would be the same again."""
        before = next((trial for trial in self.trials[1:] if trial.settings == settings), None)
        if before is None:
            return None
        same = before.number if before.same_as is None else before.same_as
        return replace(before, number=number, epochs=0, judged=(), same_as=same)

    def _tried(self, number: int, settings: dict[str, Value], study: Study) -> Trial | Model:
        """Train once; give the best model so far where somebody cancels and wants that."""
        seen = _Seen(study, lambda: number > 0 and self._is_late)
        state, value, fault = TrialState.PRUNED, None, None
        try:
            problem = problem_of(self.rows, labels_of(self.rows), self.recipe.scaling.one_hot)
            recipe = judging(with_settings(self.recipe, settings), problem)
            others = (self.search.trials or number + 1) - number
            attempt = Attempt(recipe=recipe, rows=self.rows, before=self.epochs, others=others, watch=seen)
            model = self.learn(attempt)
        except Pruned:
            pass
        except (Diverged, UnsuitableTarget) as error:
            state, fault, self.fault = TrialState.FAILED, str(error), self.fault or error
        except Cancelled:
            if self.kept is None or not self.keeps():
                raise
            return self._unfinished(self.kept)
        else:
            if model.report.stopped == CANCELLED:
                return self._unfinished(self.kept or _Kept(None, model, 0.0))
            value = measured(model, self.search.metric)
            state, fault = (TrialState.COMPLETE, None) if value is not None else (TrialState.FAILED, NOTHING_TOLD)
            self._keep(number, model, value)
        return Trial(
            number=number,
            settings=settings,
            state=state,
            value=value,
            epochs=seen.epochs,
            judged=tuple(seen.judged),
            fault=fault,
        )

    def _keep(self, number: int, model: Model, value: float | None) -> None:
        if value is None:
            return
        score = better(self.search.metric, value)
        if self.kept is None or score < self.kept.score:
            self.kept = _Kept(number, model, score)

    def _unfinished(self, kept: "_Kept") -> Model:
        self.chosen, report = kept.number, kept.model.report
        warnings = (UNFINISHED, *report.warnings)
        return replace(kept.model, report=replace(report, stopped=CANCELLED, warnings=warnings))


class _Kept(NamedTuple):
    """The best that this process has trained, and by how little it can be beaten."""

    number: int | None
    model: Model
    score: float


class _Seen:
    """What is seen of a trial on its way, and whether it is given up for it."""

    def __init__(self, study: Study, is_late: Callable[[], bool]) -> None:
        self.study, self.is_late = study, is_late
        self.epochs = 0
        self.judged: list[tuple[int, float]] = []

    def __call__(self, progress: Progress) -> None:
        """Take an epoch; raise Pruned."""
        self.epochs, loss = progress.epoch, progress.validation_loss
        while loss is not None and self._is_due(progress):
            self.judged.append((progress.epoch, loss))
            if self.study.judge(len(self.judged) - 1, loss):
                raise Pruned
        if self.is_late():
            raise Pruned

    def _is_due(self, progress: Progress) -> bool:
        rung, epoch, epochs = len(self.judged), progress.epoch, progress.epochs
        return rung < len(RUNGS) and epoch < epochs and PARTS * epoch >= RUNGS[rung] * epochs
