"""How long the tutorial's rows take until the error is as good as zero: its own loop against netlet's defaults."""

from functools import partial
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from app.engine.config import TrainingConfig
from app.models.learning import learn
from app.models.recipe import Recipe
from benchmarks.first_light import ROWS, timed
from benchmarks.measuring import limited_to
from benchmarks.report import Bars, Section, say, verdict
from tests.tutorial import TutorialNetwork, X, Y, trained

ERROR_GOAL = 1e-10  # mean square error of scores divided by 100
SPEED_GOAL = 500.0
SEED = 0
REPEATS = 21  # of a training that takes a millisecond, which is as long as an interruption
LOOP, NETLET = "the tutorial's loop", "netlet, defaults"


def section(rounds: int) -> Section:
    """Measure both in turns, so that a busy machine slows both alike; netlet from another seed in each round."""
    with limited_to(1):
        epochs = epochs_to_goal()
        loop, own, errors = [], [], []
        for seed in range(rounds):
            recipe = Recipe(training=TrainingConfig(seed=seed))
            loop.append(timed(partial(trained, SEED, epochs)))
            own.append(median(timed(partial(learn, ROWS, recipe)) for _ in range(REPEATS)))
            errors.append(mean_square_error(learn(ROWS, recipe).scores(X)))
            say(f"tutorial {seed}: loop {loop[-1]:.3f} s, netlet {own[-1]:.5f} s, error {errors[-1]:.1e}")
    faster, surely = median(loop) / median(own), median(loop) / max(own)
    return Section(
        f"The tutorial's rows to a mean square error of {ERROR_GOAL:g}",
        ("", "median, s", "slowest, s", "worst error"),
        [
            (f"{LOOP}, {epochs:,} epochs", f"{median(loop):.3f}", f"{max(loop):.3f}", f"{ERROR_GOAL:.1e}"),
            (NETLET, f"{median(own):.5f}", f"{max(own):.5f}", f"{max(errors):.1e}"),
        ],
        notes=(
            f"netlet is {faster:,.0f} times as fast; {verdict(faster, SPEED_GOAL, at_least=True)}.",
            f"In the slowest of {rounds} rounds it is {surely:,.0f} times as fast.",
            f"netlet's worst error over {rounds} seeds; {verdict(max(errors), ERROR_GOAL)}.",
        ),
        bars=(
            Bars("The tutorial's rows until learnt, s", {LOOP: median(loop), NETLET: median(own)}, logarithmic=True),
        ),
    )


def epochs_to_goal() -> int:
    """Count the epochs after which the tutorial's loop is as good as exact."""
    network, scaled = TutorialNetwork.drawn(SEED), X / X.max(axis=0)
    epochs = 0
    while mean_square_error(100 * network.answer(scaled)) > ERROR_GOAL:
        network.descend(scaled, Y / 100)
        epochs += 1
    return epochs


def mean_square_error(scores: npt.NDArray[np.floating[Any]]) -> float:
    """Judge answers to the tutorial's rows, in units of 100 points."""
    return float(np.mean((scores - Y) ** 2)) / 100**2
