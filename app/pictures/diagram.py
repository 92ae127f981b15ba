"""The diagram of a network: its units in layers, and what connects them; of large ones, those that weigh most."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.engine.arrays import Array, Index
from app.engine.network import Layer
from app.errors import InvalidRequest
from app.faults import Fault
from app.models.model import Model
from app.pictures.picture import Asked, Picture
from app.tables.answered import class_names
from app.tables.inputs import input_names

MOST_UNITS = 8
MOST_LAYERS = 5  # of units; of deeper networks the first and the last


@dataclass(frozen=True, kw_only=True)
class UnitLayer:
    """One layer of units, the inputs being the first: the units that are shown, from the top."""

    number: int
    """Counted from 0, the inputs."""
    units: int
    """How many there are."""
    shown: list[int]
    """Which ones are shown, counted from 1."""
    names: list[str]
    """Of inputs and outputs."""
    activation: str | None
    biases: list[float] | None
    """Of those that are shown."""
    weights: list[list[float]] | None
    """From each unit shown in the layer before, one list each; null where the layer before is not shown."""


@dataclass(frozen=True, kw_only=True)
class Diagram(Picture):
    """One network of a model."""

    member: int
    members: int
    sizes: list[int]
    layers: list[UnitLayer]


def diagram(model: Model, asked: Asked) -> Diagram:
    """Lay out one network; raise InvalidRequest for a member that is not there."""
    members, sizes = len(model.parameters), model.network.sizes
    member = asked.member or 1
    if member > members:
        message = f"The model has {members} networks, counted from 1."
        raise InvalidRequest(message, [Fault(f"1 to {members}", str(member), field="member")])
    layers = [*_layers(model, member - 1)]
    return Diagram(
        title=" – ".join(f"{size:,}" for size in sizes[:1] + sizes[-1:]) if len(sizes) > 12 else _shape(sizes),  # noqa: PLR2004 - fit a line
        alt=_in_words(model, layers),
        note=_note(model, member, layers),
        member=member,
        members=members,
        sizes=list(sizes),
        layers=layers,
    )


def _shape(sizes: tuple[int, ...]) -> str:
    return "Network " + " – ".join(f"{size:,}" for size in sizes)


def _layers(model: Model, member: int) -> Iterator[UnitLayer]:
    network, layers = model.network, model.network.layers(model.parameters)
    strengths = _strengths(layers, member)
    before: tuple[int, Index] | None = None
    for number in _shown(len(network.sizes)):
        kept = np.sort(np.argsort(-strengths[number], kind="stable")[:MOST_UNITS])
        W, b = (layers[number - 1].W[member], layers[number - 1].b) if number else (None, None)
        connected = W is not None and before is not None and before[0] == number - 1
        yield UnitLayer(
            number=number,
            units=network.sizes[number],
            shown=(kept + 1).tolist(),
            names=_names(model, number, kept),
            activation=(network.output if number == len(layers) else network.hidden) if number else None,
            biases=None if b is None else b[member, 0, kept].tolist(),
            weights=W[np.ix_(before[1], kept)].tolist() if connected and W is not None and before else None,
        )
        before = number, kept


def _shown(layers: int) -> list[int]:
    if layers <= MOST_LAYERS:
        return [*range(layers)]
    first = (MOST_LAYERS + 1) // 2
    return [*range(first), *range(layers - MOST_LAYERS + first, layers)]


def _strengths(layers: list[Layer], member: int) -> list[Array]:
    """Tell how much each unit of each layer weighs: inputs and hidden ones by what they send, outputs by what comes."""
    sent = [np.abs(layer.W[member]).sum(axis=1) for layer in layers]
    return [*sent, np.abs(layers[-1].W[member]).sum(axis=0)]


def _names(model: Model, number: int, kept: Index) -> list[str]:
    if number == 0:
        names = [*input_names(model.encoder)]
    elif number == len(model.network.sizes) - 1:
        names = _outputs(model)
    else:
        return []
    return [names[place] for place in kept.tolist()]


def _outputs(model: Model) -> list[str]:
    names = class_names(model)
    if model.labels and model.network.sizes[-1] == 1:
        return names[-1:]
    return names + [f"log variance of {name}" for name in names] * (model.network.sizes[-1] > len(names))


def _note(model: Model, member: int, layers: list[UnitLayer]) -> str:
    notes, members = [], len(model.parameters)
    if members > 1:
        notes.append(f"member {member} of {members}")
    parts = [f"{len(layer.shown)} of {layer.units:,} {_kind(layer, model)}" for layer in layers if _is_part(layer)]
    if parts:
        notes.append(f"those shown weigh most: {', '.join(parts)}")
    missing = len(model.network.sizes) - len(layers)
    if missing:
        notes.append(f"{missing} layers between are not shown")
    if model.temperature != 1.0:
        notes.append(f"outputs at temperature {model.temperature:.3g}")
    return "; ".join(notes)


def _kind(layer: UnitLayer, model: Model) -> str:
    if layer.number == 0:
        return "inputs"
    return "outputs" if layer.number == len(model.network.sizes) - 1 else f"units in layer {layer.number}"


def _is_part(layer: UnitLayer) -> bool:
    return len(layer.shown) < layer.units


def _in_words(model: Model, layers: list[UnitLayer]) -> str:
    network = model.network
    hidden = ", ".join(f"{size:,} {network.hidden} units" for size in network.sizes[1:-1][:MOST_LAYERS])
    more = len(network.sizes) - 2 - MOST_LAYERS
    hidden += f" and {more} layers more" if more > 0 else ""
    inside = f", then {hidden}" if hidden else ""
    strongest = _strongest(layers)
    return (
        f"A network of {network.sizes[0]:,} inputs{inside}, and {network.sizes[-1]:,} {network.output} outputs "
        f"({', '.join(layers[-1].names)}), {'with' if network.bias else 'without'} biases.{strongest}"
    )


def _strongest(layers: list[UnitLayer]) -> str:
    """Name the largest weight from an input."""
    weights = np.array(layers[1].weights)
    place, unit = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    value = weights[place, unit]
    return f" The largest weight of an input is that of {layers[0].names[int(place)]}: {value:.3g}."
