"""Sweeping: the trainings of a sweep, one after the other, as one job."""

from collections.abc import Callable
from dataclasses import replace

from app.engine.control import CANCELLED
from app.errors import Cancelled, Diverged
from app.models.model import Model
from app.models.recipe import Recipe
from app.models.sweep import Sweep, Swept, SweptRun, best, run_of

NOT_TRIED = "It was not tried: the training was cancelled before."


def swept(
    sweep: Sweep, recipe: Recipe, learn: Callable[[Recipe, int], Model], keeps: Callable[[], bool]
) -> tuple[Model, int]:
    """Train with each value; give the best model, which tells of all, and which it is of those that have learnt.

    `learn` is told how many epochs there were before, `keeps` tells whether who cancels wants the best so far. What
    diverges is told so; raises Diverged where all do, and Cancelled.
    """
    models: dict[int, Model] = {}
    faults: dict[int, Diverged] = {}
    for place, variant in enumerate(sweep.recipes(recipe)):
        try:
            models[place] = learn(variant, sum(model.report.epochs for model in models.values()))
        except Diverged as fault:
            faults[place] = fault
        except Cancelled:
            if not (models and keeps()):
                raise
            break
        else:
            if models[place].report.stopped == CANCELLED:
                break
    if not models:
        raise next(iter(faults.values()))
    tried = list(models.values())
    number = best([model.history for model in tried], [model.report.loss for model in tried])
    chosen = list(models)[number]
    runs = [
        run_of(value, models[place].history, is_kept=place == chosen)
        if place in models
        else SweptRun(value, (), (), None, kept=False, fault=str(faults.get(place, NOT_TRIED)))
        for place, value in enumerate(sweep.values)
    ]
    report = replace(tried[number].report, sweep=Swept(sweep.setting, tuple(runs)))
    return replace(tried[number], report=report), number
