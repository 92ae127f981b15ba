"""How long an epoch takes on two medium networks: netlet against PyTorch on the same processor.

Both train in float32 with Adam, in a new order of the rows each epoch. PyTorch has its rows in memory and takes its
batches by index, as its faster loops do (no DataLoader); of its two Adams the faster one counts.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np

from app.engine.config import TrainingConfig
from app.engine.control import Control
from app.engine.network import Architecture
from app.engine.sharding import Helpers
from app.models.learning import learn
from app.models.recipe import Recipe
from app.models.table import Column, TrainingRows
from benchmarks.measuring import limited_to
from benchmarks.peers import NETLET, is_installed
from benchmarks.report import Bars, Section, say, verdict

LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Net:
    """A network and how many rows it learns; without classes it learns numbers."""

    name: str
    rows: int
    inputs: int
    hidden: tuple[int, ...]
    classes: int = 0

    def examples(self) -> TrainingRows:
        """Draw rows; what they say does not matter here."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.rows, self.inputs), dtype=np.float32).astype(np.float64)
        columns = tuple(Column(f"x{number}") for number in range(self.inputs))
        if self.classes:
            labels = tuple(str(label) for label in rng.integers(self.classes, size=self.rows))
            return TrainingRows(columns=columns, targets=("y",), X=X, y=labels)
        return TrainingRows(columns=columns, targets=("y",), X=X, y=X[:, :1] + rng.standard_normal((self.rows, 1)))


@dataclass(frozen=True)
class Setting:
    """How an epoch is run."""

    net: Net
    activation: str
    batch_size: int
    threads: int
    goal: float
    """Largest share of PyTorch's time that is good enough."""

    def __str__(self) -> str:
        return f"{self.net.name}, {self.activation}, batch {self.batch_size:,}, threads {self.threads}"


NETS = (
    Net("100,000 x 30-256-256-1", 100_000, 30, (256, 256)),
    Net("60,000 x 784-256-10", 60_000, 784, (256,), classes=10),
)
BATCHES = ((256, 1, 0.75), (8192, 2, 0.7))  # rows of a batch, threads, goal
ACTIVATIONS = {"relu": "ReLU", "silu": "SiLU"}  # netlet's name and PyTorch's

Untyped: TypeAlias = Any  # PyTorch is not there when types are checked
Epochs: TypeAlias = Callable[[TrainingRows, Setting, int], list[float]]
"""Trains for so many epochs after a first one, and gives the seconds of each."""


def netlet_epochs(rows: TrainingRows, setting: Setting, epochs: int) -> list[float]:
    """Time netlet's epochs, from the end of one to the end of the next."""
    recipe = Recipe(
        network=Architecture(hidden=setting.net.hidden, activation=setting.activation),
        training=TrainingConfig(
            optimizer="adam",
            epochs=1 + epochs,
            batch_size=setting.batch_size,
            learning_rate=LEARNING_RATE,
            schedule="constant",
            validation=0.0,
            tolerance=0.0,
            members=1,
            precision="float32",
        ),
    )
    ends: list[float] = []
    with ThreadPoolExecutor(setting.threads) as threads:
        learn(
            rows,
            recipe,
            control=Control(on_epoch=lambda _progress: ends.append(perf_counter())),
            helpers=Helpers(threads if setting.threads > 1 else None),
        )
    return np.diff(ends).tolist()


def torch_epochs(rows: TrainingRows, setting: Setting, epochs: int, *, fused: bool) -> list[float]:
    """Time the epochs of an ordinary PyTorch loop."""
    torch = import_module("torch")
    torch.manual_seed(0)
    network = _torch_network(setting)
    loss = torch.nn.CrossEntropyLoss() if setting.net.classes else torch.nn.MSELoss()
    X, y = torch.from_numpy(rows.X.astype(np.float32)), _torch_targets(rows)
    optimizer = torch.optim.Adam(
        network.parameters(), lr=LEARNING_RATE, fused=fused or None
    )  # None is PyTorch's default
    seconds = []
    for _ in range(1 + epochs):
        began = perf_counter()
        total = 0.0
        order = torch.randperm(len(X))
        for start in range(0, len(X), setting.batch_size):
            chosen = order[start : start + setting.batch_size]
            optimizer.zero_grad()
            value = loss(network(X[chosen]), y[chosen])
            value.backward()
            optimizer.step()
            total += float(value.detach()) * len(chosen)
        seconds.append(perf_counter() - began)
    return seconds[1:]


TIMED: dict[str, Epochs] = {
    NETLET: netlet_epochs,
    "PyTorch Adam": lambda rows, setting, epochs: torch_epochs(rows, setting, epochs, fused=False),
    "PyTorch fused Adam": lambda rows, setting, epochs: torch_epochs(rows, setting, epochs, fused=True),
}


def section(*, rounds: int, epochs: int, activations: Sequence[str]) -> Section:
    """Time every setting; netlet alone where PyTorch is not installed."""
    names = [name for name in TIMED if name == NETLET or is_installed("torch")]
    rows, notes, shares = [], [], {}
    for net in NETS:
        examples = net.examples()
        for setting in _settings(net, activations):
            seconds = _medians(examples, setting, names, rounds, epochs)
            share = seconds[NETLET] / min((seconds[name] for name in names if name != NETLET), default=np.nan)
            rows.append((str(setting), *(f"{seconds[name]:.3f}" for name in names), f"{share:.2f}"))
            if len(names) > 1:
                shares[str(setting)] = share
                notes.append(f"{setting}: {share:.2f} of PyTorch's time; {verdict(share, setting.goal)}.")
    return Section(
        "Epochs of medium networks: median, s",
        ("", *names, "netlet / faster PyTorch"),
        rows,
        notes=tuple(notes),
        bars=(Bars("An epoch's time, PyTorch's is 1", shares),) if shares else (),
    )


def _settings(net: Net, activations: Sequence[str]) -> list[Setting]:
    return [
        Setting(net, activation, batch_size, threads, goal)
        for activation in activations
        for batch_size, threads, goal in BATCHES
    ]


def _medians(
    examples: TrainingRows, setting: Setting, names: Sequence[str], rounds: int, epochs: int
) -> dict[str, float]:
    """Time all in turns, so that a busy machine slows all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    with limited_to(setting.threads):
        for _ in range(rounds):
            for name in names:
                seconds[name] += TIMED[name](examples, setting, epochs)
    medians = {name: median(taken) for name, taken in seconds.items()}
    say(f"{setting}: " + ", ".join(f"{name} {taken:.3f} s" for name, taken in medians.items()))
    return medians


def _torch_network(setting: Setting) -> Untyped:
    nn, net = import_module("torch.nn"), setting.net
    sizes = (net.inputs, *net.hidden)
    activation = getattr(nn, ACTIVATIONS[setting.activation])
    hidden = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), activation())]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], net.classes or 1))


def _torch_targets(rows: TrainingRows) -> Untyped:
    from_numpy = import_module("torch").from_numpy
    if isinstance(rows.y, tuple):
        return from_numpy(np.array(rows.y).astype(np.int64))
    return from_numpy(rows.y.astype(np.float32))
