"""Networks of others come in, and answer what they answered; what is none is refused by name."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from app.engine.control import go_on_for_ever
from app.errors import BadTable, BudgetExceeded, InputError, MalformedOnnx, UnsupportedOnnx
from app.export.formats import FORMATS, export
from app.export.onnx_import import Imported, Naming, import_onnx
from app.models.model import Model
from app.store.store import ModelStore
from app.tables.answered import in_words
from tests.conftest import names_in
from tests.export.graphs import WORDS, W, X, Y, activated, b, classifier, dense, graph, regressor

SKLEARN: dict[str, Callable[[], bytes]] = {
    "a regressor": regressor,
    "with a scaler": lambda: regressor(Y[:, 0], StandardScaler()),
    "two targets in doubles": lambda: regressor(Y, StandardScaler(), kind=np.float64, activation="tanh"),
    "identity": lambda: regressor(Y[:, 1], MinMaxScaler(), activation="identity"),
    "logistic": lambda: regressor(Y[:, 1], StandardScaler(), activation="logistic"),
    "two words": lambda: classifier(WORDS == "low", StandardScaler(), zipmap=False),
    "two texts": lambda: classifier(np.where(WORDS == "low", "low", "other"), StandardScaler()),
    "three texts": lambda: classifier(WORDS, StandardScaler(), activation="tanh"),
    "numbers": lambda: classifier(np.digitize(X[:, 1], (3.0, 5.0, 7.0)) + 10, MinMaxScaler(), zipmap=False),
    "in doubles": lambda: classifier(WORDS, kind=np.float64, zipmap=False),
    "yes or no": lambda: classifier(Y > 3, StandardScaler(), zipmap=False),
}
KERAS: dict[str, Callable[[], bytes]] = {
    "gemm": lambda: graph(("Gemm", ["in", W(3, 4), b(4)], "z"), ("Tanh", ["z"], "a"), ("Gemm", ["a", W(4, 1)], "out")),
    "gemm with all": lambda: graph(
        ("Gemm", ["in", W(4, 3), b(4)], "z", {"transB": 1, "alpha": 0.5, "beta": 2.0}), ("Sigmoid", ["z"], "out")
    ),
    "scaled in front": lambda: graph(
        ("Sub", ["in", b(3)], "c"), ("Div", ["c", np.float32(4)], "s"), *dense("s", "z", 3, 4), ("Relu", ["z"], "out")
    ),
    "scaled behind": lambda: graph(
        *dense("in", "z", 3, 4),
        ("Relu", ["z"], "a"),
        *dense("a", "y", 4, 1),
        ("Sigmoid", ["y"], "p"),
        ("Mul", ["p", np.float32(100)], "m"),
        ("Add", ["m", np.float32(7)], "out"),
    ),
    "turned round": lambda: graph(("Sub", [np.float32(3), "in"], "c"), *dense("c", "z", 3, 2), ("Tanh", ["z"], "out")),
    "from one": lambda: graph(*dense("in", "z", 3, 1), ("Sigmoid", ["z"], "p"), ("Sub", [np.float32(1), "p"], "out")),
    "swish": lambda: graph(
        *dense("in", "z", 3, 4), ("Sigmoid", ["z"], "s"), ("Mul", ["z", "s"], "a"), *dense("a", "out", 4, 1)
    ),
    "normalised": lambda: graph(
        *dense("in", "z", 3, 4),
        ("BatchNormalization", ["z", b(4) + 1, b(4), b(4), b(4) + 1], "n"),
        ("Relu", ["n"], "a"),
        *dense("a", "out", 4, 1),
    ),
    "softmax": lambda: graph(*dense("in", "z", 3, 4), ("Softmax", ["z"], "out")),
    "linear": lambda: graph(*dense("in", "z", 3, 4), *dense("z", "out", 4, 2)),
    "scaling alone": lambda: graph(("Scaler", ["in"], "out", {"offset": [1.0, 2.0, 3.0], "scale": [2.0, 2.0, 2.0]})),
    "flattened": lambda: graph(
        ("Flatten", ["in"], "f"), *dense("f", "z", 3, 4), ("Identity", ["z"], "i"), ("Elu", ["i"], "out")
    ),
    "elu": lambda: activated("Elu"),
    "leaky relu": lambda: activated("LeakyRelu"),
    "softplus": lambda: activated("Softplus"),
    "exponential": lambda: activated("Exp"),
}


def imported(store: ModelStore, data: bytes, **naming: tuple[str, ...]) -> tuple[Model, Imported]:
    found = import_onnx(go_on_for_ever, store, "other", data, naming=Naming(**naming), most_parameters=10_000)
    return store.load("other", found.arrived.version).model, found


@pytest.mark.parametrize("kind", SKLEARN | KERAS)
def test_a_network_answers_as_it_did(kind: str, store: ModelStore) -> None:
    """Its own runtime and the model agree on 1,000 rows, in numbers, probabilities and labels."""
    data = (SKLEARN | KERAS)[kind]()

    model, found = imported(store, data)

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    rows = np.random.default_rng(1).normal(5, 3, (1000, 3)).astype("f8" if "double" in given.type else "f4")
    answers = session.run(None, {given.name: rows})
    scores = model.scores(rows.astype(np.float64))
    told = answers[-1]
    if isinstance(told, list):
        told = np.array([list(row.values()) for row in told])
    told = np.array(told, dtype=np.float64).reshape(1000, -1)
    if kind == "yes or no":
        told = told[:, 2:]  # 1 - p stand before
    own = scores if model.target is not None or told.shape[1] > 1 else scores[:, 1:]
    unit = np.abs(told).mean(axis=0)
    assert (np.abs(own - told) <= 2e-5 * np.maximum(np.abs(told), unit)).all()
    assert found.difference <= 1e-5
    if kind in SKLEARN and model.recipe.task != "regression":
        same = np.array(in_words(model, scores)) == np.array(answers[0])
        assert same.mean() > 0.999
    assert model.report.rows == 0


@pytest.mark.parametrize("form", FORMATS)
def test_what_came_in_can_leave_again(form: str, store: ModelStore) -> None:
    """In every form, and as a snapshot it is one like others."""
    imported(store, SKLEARN["three texts"]())

    assert export(store.load("other", 1), form, 10_000).difference <= 1e-5


def test_columns_targets_and_labels_have_the_names_that_are_given(store: ModelStore) -> None:
    """Else x1, x2, … and y; labels are those of the file."""
    named, _ = imported(
        store, SKLEARN["three texts"](), columns=("a", "b", "c"), target=("level",), labels=("1", "2", "3")
    )
    unnamed, _ = imported(store, SKLEARN["three texts"]())
    two, _ = imported(store, SKLEARN["two targets in doubles"]())
    numbers, _ = imported(store, KERAS["softmax"]())

    assert [column.name for column in named.columns] == ["a", "b", "c"]
    assert (named.targets, named.labels) == (("level",), ("1", "2", "3"))
    assert [column.name for column in unnamed.columns] == ["x1", "x2", "x3"]
    assert (unnamed.targets, unnamed.labels) == (("y",), ("high", "low", "middle"))
    assert (two.targets, two.recipe.training.precision) == (("y1", "y2"), "float64")
    assert (numbers.labels, numbers.recipe.task) == ((0, 1, 2, 3), "classification")


def test_the_same_file_is_the_same_version(store: ModelStore) -> None:
    """With other names it is another."""
    data = KERAS["gemm"]()

    _, first = imported(store, data)
    _, again = imported(store, data)
    _, named = imported(store, data, target=("score",))

    assert [(one.arrived.version, one.arrived.is_new) for one in (first, again, named)] == [
        (1, True),
        (1, False),
        (2, True),
    ]


def test_a_report_says_that_nothing_was_learnt_here(store: ModelStore) -> None:
    """No rows, no epochs, no metrics; where it is from, and how far it is off."""
    model, _ = imported(store, SKLEARN["a regressor"]())

    report = model.report
    assert (report.rows, report.epochs, report.metrics, report.stopped) == (0, 0, {}, "imported")
    assert report.choice.startswith("Brought in from ONNX, as skl2onnx")
    assert len(report.imported or "") == 64


def test_a_scaling_in_front_is_the_models_own(store: ModelStore) -> None:
    """So that it can be read, and the network's weights are those of the file."""
    model, _ = imported(store, SKLEARN["with a scaler"]())

    scaler = StandardScaler().fit(X)
    np.testing.assert_allclose(model.encoder.scaler.center, scaler.mean_, rtol=1e-6)
    np.testing.assert_allclose(model.encoder.scaler.scale, scaler.scale_, rtol=1e-6)
    behind, _ = imported(store, KERAS["scaled behind"]())
    assert behind.target is not None
    assert (behind.target.scale.tolist(), behind.target.center.tolist()) == ([100.0], [7.0])


def constant(**attributes: Any) -> bytes:
    return graph(("Constant", [], "c", attributes), ("MatMul", ["in", "c"], "out"))


def two_inputs() -> bytes:
    model = onnx.load_from_string(KERAS["gemm"]())
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["rows", 1]))
    return bytes(model.SerializeToString())


def elsewhere() -> bytes:
    model = onnx.load_from_string(KERAS["gemm"]())
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return bytes(model.SerializeToString())


def many_nodes() -> bytes:
    return graph(*(("Relu", ["in" if not n else f"a{n - 1}"], f"a{n}") for n in range(1200)), outputs=("a1199",))


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "another operator": (lambda: graph(("Normalizer", ["in"], "out", {"norm": "L2"})), "Normalizer"),
    "a sine": (lambda: graph(*dense("in", "z", 3, 2), ("Sin", ["z"], "out")), "Sin"),
    "another elu": (lambda: activated("Elu", alpha=2.0), "Elu in a way"),
    "another leak": (lambda: activated("LeakyRelu", alpha=0.3), "LeakyRelu in a way"),
    "a jump": (
        lambda: graph(*dense("in", "z", 3, 3), ("Add", ["z", "in"], "out")),
        "Add in a way",
    ),
    "several activations": (
        lambda: graph(
            *dense("in", "z", 3, 4),
            ("Relu", ["z"], "a"),
            *dense("a", "y", 4, 3),
            ("Tanh", ["y"], "c"),
            *dense("c", "out", 3, 1),
        ),
        "relu and tanh",
    ),
    "two inputs": (two_inputs, "2 inputs"),
    "weights elsewhere": (elsewhere, "another file"),
    "thousands of nodes": (many_nodes, "1200 nodes"),
    "two networks": (
        lambda: graph(*dense("in", "z", 3, 2), ("Relu", ["z"], "a"), outputs=("z", "a")),
        "outputs",
    ),
    "a product of no shape": (lambda: graph(("MatMul", ["in", W(4, 2)], "out")), "MatMul"),
    "scaled probabilities": (
        lambda: graph(*dense("in", "z", 3, 3), ("Softmax", ["z"], "p"), ("Mul", ["p", np.float32(2)], "out")),
        "probabilities",
    ),
    "whole numbers": (lambda: graph(("Relu", ["in"], "out"), kind=TensorProto.INT64), "INT64"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_dense_network_is_refused_by_name(kind: str, store: ModelStore) -> None:
    """With what it is that does not fit; nothing is saved."""
    made, word = REFUSED[kind]

    with pytest.raises((UnsupportedOnnx, MalformedOnnx), match=word):
        imported(store, made())
    assert names_in(store) == []


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\x08\x01", b"\xff" * 100, KERAS["gemm"]()[:-30], KERAS["gemm"]() + b"x"]
)
def test_what_is_no_onnx_is_refused(data: bytes, store: ModelStore) -> None:
    """Whatever it is."""
    with pytest.raises((MalformedOnnx, UnsupportedOnnx)):
        imported(store, data)


def test_any_changed_byte_is_taken_or_refused(store: ModelStore) -> None:
    """Never a fault of the service."""
    data = KERAS["scaled in front"]()
    for position in np.linspace(0, len(data) - 1, 12).astype(int):
        damaged = bytearray(data)
        damaged[position] ^= 0x15
        try:
            imported(store, bytes(damaged))
        except InputError as error:
            assert str(error)  # noqa: PT017 - most of them raise, and those that do not are models


@pytest.mark.parametrize("part", [b"\x0a\x00", b"\x2a\x00", b"\x08\x01"], ids=["nodes", "tensors", "numbers"])
def test_a_file_of_a_million_parts_is_refused_before_they_are_made(part: bytes, store: ModelStore) -> None:
    """Of two bytes each, where a node takes a hundred; a part that ends behind the file is none."""
    parts = part * 10**6
    length = b"%c%c%c" % (len(parts) & 0x7F | 0x80, len(parts) >> 7 & 0x7F | 0x80, len(parts) >> 14)

    for data in (b"\x08\x08\x3a" + length + parts, b"\x08\x08\x3a\xff\x7f", b"\x0b", b"\xff" * 20):
        with pytest.raises(MalformedOnnx, match="holds together"):
            imported(store, data)


def test_weights_that_are_no_numbers_are_refused(store: ModelStore) -> None:
    """NaN is in no model."""
    with pytest.raises(MalformedOnnx, match="finite"):
        imported(store, graph(("MatMul", ["in", np.full((3, 1), np.nan, np.float32)], "out")))


def test_a_small_file_makes_no_huge_network(store: ModelStore) -> None:
    """Two thin sums that are one would have a hundred thousand weights."""
    wide = graph(*dense("in", "z", 300, 1), *dense("z", "out", 1, 300), width=300)

    with pytest.raises(BudgetExceeded, match="90000 weights"):
        imported(store, wide)


@pytest.mark.parametrize(
    "hostile",
    [
        graph(
            *[("Relu", ["in" if not number else f"a{number}"], f"a{number + 1}") for number in range(8)],
            ("Relu", ["a8"], "out"),
            width=200,
        ),
        graph(
            *[("MatMul", ["in" if not number else f"z{number}", W(30, 30)], f"z{number + 1}") for number in range(12)],
            ("Relu", ["z12"], "out"),
            width=30,
        ),
        graph(
            *[("MatMul", ["in", W(30, 30)], f"z{number}") for number in range(12)], ("Relu", ["z1"], "out"), width=30
        ),
        graph(
            ("Scaler", ["in"], "s", {"offset": [0.0] * 200, "scale": [-1.0] * 200}), ("Tanh", ["s"], "out"), width=200
        ),
        graph(
            *[("Mul", ["in" if not number else f"s{number}", b(200)], f"s{number + 1}") for number in range(60)],
            ("Relu", ["s60"], "out"),
            width=200,
        ),
    ],
    ids=[
        "nothing but activations",
        "one after the other",
        "side by side",
        "a scaling that is none in front",
        "scalings",
    ],
)
def test_weights_count_as_often_as_they_would_be_there(hostile: bytes, store: ModelStore) -> None:
    """Before there is room for them: no body of a few thousand octets takes the memory of the service."""
    with pytest.raises(BudgetExceeded, match="10000 at most"):
        imported(store, hostile)


@pytest.mark.parametrize(
    "labels",
    [[0.5, 1, 2], [np.inf, 1, 2], [2**62, 2**62 + 1, 3], ["", "a", "b"], ["a" * 200, "b", "c"], ["NA", "a", "b"]],
)
def test_labels_that_no_training_takes_are_refused(labels: list[Any], store: ModelStore) -> None:
    """Fractions, numbers that JSON does not keep, texts that are missing values or too long."""
    kind = object if isinstance(labels[0], str) else np.int64 if isinstance(labels[0], int) else np.float32
    nodes = (
        *dense("in", "z", 3, 3),
        ("Softmax", ["z"], "out"),
        ("ArgMax", ["out"], "place", {"axis": 1, "keepdims": 0}),
    )
    named = graph(*nodes, ("Gather", [np.array(labels, dtype=kind), "place"], "label"), outputs=("out", "label"))

    with pytest.raises((BadTable, MalformedOnnx), match=r"labels|holds together"):
        imported(store, named)


def test_types_that_there_are_not_are_refused(store: ModelStore) -> None:
    """Of a tensor, and of the input."""
    tensor, taken = (onnx.load_model_from_string(KERAS["linear"]()) for _ in range(2))
    tensor.graph.initializer[0].data_type = 99
    taken.graph.input[0].type.tensor_type.elem_type = 99

    for model in (tensor, taken):
        with pytest.raises((MalformedOnnx, UnsupportedOnnx)):
            imported(store, model.SerializeToString())


@pytest.mark.parametrize(
    "naming",
    [
        {"columns": ("a", "b")},
        {"columns": ("a", "a", "b")},
        {"target": ("a", "b")},
        {"target": ("x1",)},
        {"target": ("in_range",)},
        {"labels": ("a", "b")},
        {"labels": ("a", "a", "b")},
    ],
    ids=str,
)
def test_names_that_do_not_fit_are_refused(naming: dict[str, tuple[str, ...]], store: ModelStore) -> None:
    """Too few, twice, or what something else is called."""
    with pytest.raises(BadTable):
        imported(store, SKLEARN["three texts"](), **naming)
