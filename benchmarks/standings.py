"""What the trials come to: means for each table, ranks, cost, and the distance to the best network."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from benchmarks.accuracy import Trial
from benchmarks.peers import CONTESTANTS, NETLET, REALMLP
from benchmarks.report import Bars, Section, verdict
from benchmarks.tables import Matrix

COST_GOAL = 0.25  # of RealMLP's training time
DISTANCE_GOAL = 1.05  # times the error of the best other network, on any table

Measure = Callable[[Trial], float | None]

MEASURES: dict[str, Measure] = {
    "error": lambda trial: trial.error,
    "log loss": lambda trial: trial.log_loss,
    "training, seconds of processor time": lambda trial: trial.seconds,
}
MEANING = "Root mean square error of numbers, share of wrong labels."


def sections(trials: Sequence[Trial]) -> list[Section]:
    """Tell the trials as tables."""
    return [*(_means_section(trials, measure) for measure in MEASURES), _summary(trials)]


def means(trials: Sequence[Trial], measure: Measure) -> tuple[list[str], list[str], Matrix]:
    """Average each contestant's splits on each table that has such a measure: (tables, contestants)."""
    measured = [trial for trial in trials if measure(trial) is not None]
    tables, names = _in_order(trial.table for trial in measured), _in_order(trial.contestant for trial in measured)
    values = [[_mean(measured, table, name, measure) for name in names] for table in tables]
    return tables, names, np.array(values).reshape(len(tables), len(names))


def ranks(values: Matrix) -> Matrix:
    """Rank each row, 1 for the smallest; equal values share the mean of their ranks."""
    smaller = (values[:, None, :] < values[:, :, None]).sum(axis=2)
    equal = (values[:, None, :] == values[:, :, None]).sum(axis=2)
    mean_ranks: Matrix = smaller + (equal + 1) / 2
    return mean_ranks


def distances(values: Matrix, names: Sequence[str]) -> Matrix | None:
    """Divide netlet's value on each table by the best of the other networks'; None where there is none."""
    others = [place for place, name in enumerate(names) if name != NETLET and CONTESTANTS[name].is_network]
    if not others or NETLET not in names:
        return None
    own, best = values[:, list(names).index(NETLET)], values[:, others].min(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Matrix = np.where(own == best, 1.0, own / best)  # nobody is wrong: 0 to 0 is equally good
    return ratio


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _mean(trials: Sequence[Trial], table: str, name: str, measure: Measure) -> float:
    values = [measure(trial) for trial in trials if (trial.table, trial.contestant) == (table, name)]
    return float(np.mean([value for value in values if value is not None]))


def _means_section(trials: Sequence[Trial], measure: str) -> Section:
    tables, names, values = means(trials, MEASURES[measure])
    rows = [(table, *(f"{value:.4g}" for value in row)) for table, row in zip(tables, values, strict=True)]
    return Section(f"Tables: {measure}", ("table", *names), rows, notes=(MEANING,) if measure == "error" else ())


def _summary(trials: Sequence[Trial]) -> Section:
    _, names, errors = means(trials, MEASURES["error"])
    _, _, log_losses = means(trials, MEASURES["log loss"])
    seconds = {name: sum(trial.seconds for trial in trials if trial.contestant == name) for name in names}
    places = dict(zip(names, ranks(errors).mean(axis=0).tolist(), strict=True))
    sure = ranks(log_losses).mean(axis=0) if len(log_losses) else np.full(len(names), np.nan)
    rows = [
        (name, f"{places[name]:.2f}", f"{rank:.2f}", f"{seconds[name]:.1f}")
        for name, rank in zip(names, sure, strict=True)
    ]
    return Section(
        "Tables: all together",
        ("", "mean rank by error", "mean rank by log loss", "training, s of processor time"),
        rows,
        notes=(*_cost_notes(seconds), *_distance_notes(trials)),
        bars=(Bars("Mean rank by error (1 is best)", places), Bars("Training, s of processor time", seconds)),
    )


def _cost_notes(seconds: dict[str, float]) -> list[str]:
    if NETLET not in seconds or REALMLP not in seconds:
        return []
    ratio = seconds[NETLET] / seconds[REALMLP]
    return [f"Training all tables takes netlet {ratio:.3f} of RealMLP's time; {verdict(ratio, COST_GOAL)}."]


def _distance_notes(trials: Sequence[Trial]) -> list[str]:
    notes = []
    for measure in ("error", "log loss"):
        tables, names, values = means(trials, MEASURES[measure])
        ratios = distances(values, names)
        if ratios is not None and len(ratios):
            worst = int(ratios.argmax())
            judged = verdict(ratios[worst], DISTANCE_GOAL)
            notes.append(
                f"Worst {measure} beside the best other network: {ratios[worst]:.3f} ({tables[worst]}); {judged}."
            )
    return notes
