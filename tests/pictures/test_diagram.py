"""Diagrams: the units and weights of a network, or those that weigh most."""

from dataclasses import replace

import numpy as np
import pytest

from app.errors import InvalidRequest
from app.models.learning import learn
from app.models.model import Model
from app.pictures.diagram import MOST_LAYERS, MOST_UNITS, diagram
from app.pictures.picture import Asked
from app.tables.inputs import input_names
from tests.models.tables import ensemble, mixed

Models = dict[str, Model]


def test_a_small_network_is_all_there(models: Models) -> None:
    """Names, weights and biases as they are."""
    model = models["exam"]
    first, last = model.network.layers(model.parameters)

    picture = diagram(model, Asked())

    assert [layer.units for layer in picture.layers] == [2, 3, 1]
    assert picture.layers[0].names == ["hours_studied", "hours_slept"]
    assert picture.layers[1].weights == first.W[0].tolist()
    assert picture.layers[2].weights == last.W[0].tolist()
    assert first.b is not None
    assert picture.layers[1].biases == first.b[0, 0].tolist()
    assert picture.layers[2].names == ["score"]
    assert (picture.note, "of hours_" in picture.alt) == ("", True)


def test_another_member_has_other_weights(models: Models) -> None:
    """Counted from 1; there are no more than there are."""
    model = models["wave"]

    one, three = (diagram(model, Asked(member=member)) for member in (1, 3))

    assert three.layers[2].weights == model.network.layers(model.parameters)[1].W[2].tolist()
    assert (one.layers[2].weights, one.note) != (three.layers[2].weights, three.note)
    with pytest.raises(InvalidRequest, match="3 networks"):
        diagram(model, Asked(member=4))


def test_of_a_large_network_those_that_weigh_most_are_shown(models: Models) -> None:
    """The first and the last layers, and of each the units that send most; the note says how many of how many."""
    model = models["wide"]

    picture = diagram(model, Asked())

    assert [layer.number for layer in picture.layers] == [0, 1, 2, 6, 7]
    assert len(picture.layers) == MOST_LAYERS
    assert all(len(layer.shown) <= MOST_UNITS for layer in picture.layers)
    assert picture.layers[3].weights is None  # from a layer that is not shown
    W = model.network.layers(model.parameters)[0].W[0]
    heaviest = np.abs(W).sum(axis=1).argmax()
    assert heaviest + 1 in picture.layers[0].shown
    row = picture.layers[0].shown.index(heaviest + 1)
    first = np.array(picture.layers[1].shown) - 1
    assert np.array(picture.layers[1].weights)[row].tolist() == W[heaviest, first].tolist()
    assert "8 of 3,000 inputs" in picture.note
    assert "3 layers between" in picture.note


def test_every_input_has_a_name() -> None:
    """Numbers, bins, gaps, pairs, levels and embeddings, in the order of the network's inputs."""
    model = learn(mixed(), ensemble())

    names = [*input_names(model.encoder)]

    assert len(names) == model.network.sizes[0]
    assert names[0] == "number"
    assert names[1].startswith("number ")
    assert names[4:] == [
        *("number missing", "pair = true", "three = x", "three = y", "three = z"),
        *(f"nine ({place})" for place in range(1, 9)),
    ]


def test_outputs_are_named_as_what_they_are(models: Models) -> None:
    """The second of two labels; each of several; means, then variances."""
    assert diagram(models["pair"], Asked()).layers[-1].names == ["b"]
    assert diagram(models["classes"], Asked()).layers[-1].names == list("abcd")
    network = replace(models["exam"].network, sizes=(2, 3, 2))
    of_variances = replace(models["exam"], network=network, parameters=np.ones((1, network.size)))
    assert diagram(of_variances, Asked()).layers[-1].names == ["score", "log variance of score"]
