"""Levenberg–Marquardt and L-BFGS, piece by piece."""

from collections import deque

import numpy as np
import pytest

from app.engine.activations import ACTIVATIONS
from app.engine.arrays import Array
from app.engine.backpropagation import Batch
from app.engine.network import Network
from app.errors import Diverged
from app.models.learning import learn
from app.solvers.lbfgs import _direction, lbfgs
from app.solvers.levenberg_marquardt import (
    EXACT_BETA,
    FIRST_BETA,
    STRONGEST,
    WEAKEST,
    _effective,
    _error,
    _first_prior,
    _jacobian,
    _Prior,
    _step,
    levenberg_marquardt,
)
from app.solvers.solving import Solver
from tests.engine.courses import course_of
from tests.models.tables import recipe, saddle

TANH = Network((2, 4, 1), "tanh", "identity", bias=True)


def drawn(network: Network, rows: int = 7, *, weighted: bool = False) -> tuple[Array, Batch]:
    rng = np.random.default_rng(len(network.sizes))
    X, y = rng.standard_normal((1, rows, network.sizes[0])), rng.standard_normal((1, rows, network.sizes[-1]))
    weights = rng.uniform(0.1, 2, (1, rows, 1)) if weighted else None
    return 0.3 * rng.standard_normal((1, network.size)), Batch(X, y, weights)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("sizes", [(2, 1), (3, 4, 1), (3, 4, 5, 2), (2, 1, 3, 2, 3)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_jacobian_is_what_differences_say(
    activation: str, sizes: tuple[int, ...], bias: bool, weighted: bool
) -> None:
    """Each row's each answer by each parameter, with every activation inside and at the end."""
    network = Network(sizes, activation, activation, bias)
    parameters, batch = drawn(network, weighted=weighted)

    with np.errstate(all="ignore"):
        jacobian = _jacobian(network, parameters, batch)

        for index, axis in enumerate(1e-6 * np.eye(network.size)):
            above, below = (_error(network, parameters + sign * axis, batch).ravel() for sign in (1, -1))
            np.testing.assert_allclose(jacobian[:, index], (above - below) / 2e-6, rtol=1e-6, atol=1e-7)


def test_errors_are_answers_less_truth_by_the_root_of_the_weight() -> None:
    """So that their squares count as often as the row does."""
    network = Network((1, 1), "tanh", "identity", bias=False)
    batch = Batch(np.array([[[1.0], [2.0]]]), np.array([[[5.0], [1.0]]]), np.array([[[4.0], [1.0]]]))

    assert _error(network, np.array([[3.0]]), batch).tolist() == [[-4.0], [5.0]]
    assert _error(network, np.array([[3.0]]), batch._replace(weights=None)).tolist() == [[-2.0], [5.0]]


@pytest.mark.parametrize(("rows", "columns"), [(4, 9), (9, 4)])
def test_steps_solve_the_damped_equations_in_both_forms(rows: int, columns: int) -> None:
    """(JᵀJ + α + damping) step = -(Jᵀ error + α θ), whether few rows or few parameters are solved for."""
    rng = np.random.default_rng(1)
    jacobian, error, theta = (
        rng.standard_normal((rows, columns)),
        rng.standard_normal(rows),
        rng.standard_normal(columns),
    )
    strength, curvature = rng.uniform(0.1, 3, columns), jacobian.T @ jacobian

    primal, dual = (_step(jacobian, form, error, theta, (strength, 0.7)) for form in (curvature, None))

    right = -(jacobian.T @ error + strength * theta)
    np.testing.assert_allclose((curvature + np.diag(strength + 0.7)) @ primal, right, rtol=1e-9)
    np.testing.assert_allclose(dual, primal, rtol=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(4, 9), (9, 4)])
def test_effective_parameters_are_those_that_rows_set(rows: int, columns: int) -> None:
    """The diagonal of (JᵀJ + α)⁻¹ JᵀJ, in both forms."""
    rng = np.random.default_rng(2)
    jacobian, strength = rng.standard_normal((rows, columns)), rng.uniform(0.1, 3, columns)
    curvature = jacobian.T @ jacobian
    wanted = np.diagonal(np.linalg.solve(curvature + np.diag(strength), curvature))

    np.testing.assert_allclose(_effective(jacobian, curvature, strength), wanted, rtol=1e-9)
    np.testing.assert_allclose(_effective(jacobian, None, strength), wanted, rtol=1e-9)


@pytest.mark.parametrize("exact", [True, False])
def test_the_first_prior_has_a_group_for_each_layers_weights_and_biases(exact: bool) -> None:
    """All as strong as 1, or as weak as can be for a few rows; the biases of the outputs always that."""
    network = Network((2, 2, 2), "tanh", "identity", bias=True)

    prior = _first_prior(network, drawn(network)[1], exact=exact)

    assert prior.groups.tolist() == [0] * 4 + [1] * 2 + [2] * 4 + [3] * 2
    assert prior.alpha.tolist() == [WEAKEST if exact else 1.0] * 3 + [WEAKEST]
    assert prior.beta.tolist() == [EXACT_BETA if exact else FIRST_BETA] * 2
    assert prior.strength.tolist() == [prior.alpha[group] for group in prior.groups]


def test_without_biases_there_are_as_many_groups_as_layers() -> None:
    """None of which is left free."""
    network = Network((2, 2, 1), "tanh", "identity", bias=False)

    prior = _first_prior(network, drawn(network)[1], exact=False)

    assert prior.groups.tolist() == [0] * 4 + [1] * 2
    assert prior.alpha.tolist() == [1.0, 1.0]


def test_the_objective_is_twice_the_regularised_sum_of_squares() -> None:
    """β Σ errors² for each output and α Σ θ² for each group."""
    prior = _Prior(np.array([0, 1, 1]), np.array([2.0, 3.0]), np.array([5.0, 7.0]))

    objective = prior.objective(np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([1.0, 2.0, 3.0]))

    assert objective == 5 * (1 + 9) + 7 * 4 + 2 * 1 + 3 * (4 + 9)


@pytest.mark.parametrize("bias", [True, False])
def test_the_evidence_sets_strength_and_precision(bias: bool) -> None:
    """α = γ / Σ θ² for each group and β = (rows - γ a target) / Σ errors² (MacKay 1992)."""
    rng = np.random.default_rng(3)
    prior = _Prior(np.array([0, 0, 1]), np.array([0.5, 2.0]), np.array([1.0, 1.0]))
    jacobian, error, theta = rng.standard_normal((12, 3)), rng.standard_normal((6, 2)), rng.standard_normal(3)
    known = _effective(jacobian, jacobian.T @ jacobian, prior.strength)

    updated = prior.update(jacobian, jacobian.T @ jacobian, error, theta, bias=bias)

    last = WEAKEST if bias else known[2] / theta[2] ** 2
    np.testing.assert_allclose(updated.alpha, [known[:2].sum() / (theta[:2] ** 2).sum(), last], rtol=1e-9)
    np.testing.assert_allclose(updated.beta, (6 - known.sum() / 2) / (error**2).sum(axis=0), rtol=1e-9)
    assert updated.groups is prior.groups


def test_the_evidence_stays_finite_where_there_is_none() -> None:
    """No error and no weight: the strongest prior, and a precision that can still be computed with."""
    prior = _Prior(np.array([0, 1]), np.ones(2), np.ones(1))

    updated = prior.update(np.ones((3, 2)), None, np.zeros((3, 1)), np.zeros(2), bias=False)

    assert updated.alpha.tolist() == [STRONGEST] * 2
    assert np.isfinite(updated.beta).all()


def straight(rows: int, noise: float) -> Batch:
    rng = np.random.default_rng(5)
    X = rng.uniform(-1, 1, (1, rows, 2))
    return Batch(X, np.sin(2 * X[..., :1]) + X[..., 1:] + noise * rng.standard_normal((1, rows, 1)), None)


def test_noise_is_found_out() -> None:
    """Errors of 0.1 are left, though the network could learn more of them by heart."""
    rows, network = straight(60, 0.1), Network((2, 12, 1), "tanh", "identity", bias=True)
    parameters = network.initialize("lecun", 1, np.random.default_rng(0), rows.X[0])
    losses: list[float] = []

    levenberg_marquardt(course_of(network, parameters, epochs=80), parameters, rows, losses.append)

    assert losses[-1] ** 0.5 == pytest.approx(0.1, rel=0.2)
    clean = straight(2000, 0.0)
    assert np.sqrt(np.mean((network.outputs(parameters, clean.X)[1] - clean.y) ** 2)) < 0.07


def ended(solver: Solver, rows: Batch, *, tolerance: float) -> tuple[str, list[float]]:
    """Train a member until it converges; give why it stopped and the losses on the way."""
    parameters = TANH.initialize("lecun", 1, np.random.default_rng(0), rows.X[0])
    losses: list[float] = []

    course = course_of(TANH, parameters, epochs=200, tolerance=tolerance)
    return solver(course, parameters, rows, losses.append), losses


def test_steps_that_gain_next_to_nothing_end_a_training() -> None:
    """Long before its epochs are over, with a loss that no more of them would lower much."""
    noisy = saddle(100, noise=0.5)

    model = learn(noisy, recipe(optimizer="levenberg_marquardt", epochs=500))

    assert (model.report.stopped, model.report.epochs < 250) == ("converged", True)
    assert (np.diff(model.history.loss)[-3:] < 1e-2).all()


def test_a_few_rows_are_learnt_exactly() -> None:
    """Below ten of them noise cannot be told from what they say."""
    stopped, losses = ended(levenberg_marquardt, straight(9, 0.1), tolerance=1e-10)

    assert stopped == "converged"
    assert losses[-1] < 1e-10 < losses[-2]


@pytest.mark.parametrize("solver", [levenberg_marquardt, lbfgs])
def test_solvers_stop_when_told_and_when_epochs_are_over(solver: object) -> None:
    """After each step they tell the loss, which is that of the parameters now."""
    assert callable(solver)
    rows = straight(30, 0.1)
    first = TANH.initialize("lecun", 1, np.random.default_rng(0), rows.X[0])
    parameters, losses = first.copy(), []

    def told(loss: float) -> str | None:
        losses.append(loss)
        assert loss == pytest.approx(np.mean((TANH.outputs(parameters, rows.X)[1] - rows.y) ** 2))
        return "told so" if len(losses) == 3 else None

    assert solver(course_of(TANH, parameters, epochs=9), parameters, rows, told) == "told so"
    assert len(losses) == 3
    parameters[:] = first
    losses.clear()
    assert solver(course_of(TANH, parameters, epochs=2), parameters, rows, told) == "epochs"
    assert len(losses) == 2


def test_lbfgs_goes_downhill_to_where_the_gradient_ends() -> None:
    """A quadratic bowl of ten dimensions is solved in a few steps; the penalty is part of what is made small."""
    rng = np.random.default_rng(7)
    network = Network((10, 1), "tanh", "identity", bias=False)
    X, y = rng.standard_normal((1, 40, 10)) * np.linspace(0.3, 3, 10), rng.standard_normal((1, 40, 1))
    parameters = rng.standard_normal((1, 10))
    losses: list[float] = []

    course = course_of(network, parameters, epochs=60, l2=0.5)
    stopped = lbfgs(course, parameters, Batch(X, y, None), losses.append)

    best = np.linalg.solve(2 * X[0].T @ X[0] / 40 + 0.5 * np.eye(10), 2 * X[0].T @ y[0] / 40)
    np.testing.assert_allclose(parameters[0], best[:, 0], atol=1e-6)
    assert stopped == "converged"
    assert len(losses) < 40


def test_lbfgs_ends_where_no_step_helps() -> None:
    """At the bottom of the bowl nothing is gained and nothing is moved."""
    network = Network((1, 1), "tanh", "identity", bias=False)
    parameters = np.array([[2.0]])
    rows = Batch(np.array([[[1.0], [-1.0]]]), np.array([[[2.0], [-2.0]]]), None)

    stopped = lbfgs(course_of(network, parameters, epochs=5), parameters, rows, lambda _loss: None)

    assert stopped == "converged"
    assert parameters.tolist() == [[2.0]]


def test_lbfgs_goes_back_from_where_it_gets_worse() -> None:
    """At a kink the slope of one row promises what another one takes back, however short the step: none is told."""
    network = Network((1, 1), "tanh", "identity", bias=False)
    parameters = np.array([[0.0]])
    rows = Batch(np.ones((1, 2, 1)), np.array([[[0.0], [1.0]]]), np.array([[[10.0], [1.0]]]))
    losses: list[float] = []

    stopped = lbfgs(course_of(network, parameters, loss="mae", epochs=5), parameters, rows, losses.append)

    assert stopped == "converged"
    assert parameters.tolist() == [[0.0]]
    assert losses == []


def test_lbfgs_stops_at_its_tolerance() -> None:
    """As soon as the loss is below it."""
    stopped, losses = ended(lbfgs, straight(30, 0.0), tolerance=1e-2)

    assert stopped == "converged"
    assert losses[-1] < 1e-2 <= losses[-2]


def test_lbfgs_says_that_it_cannot_begin() -> None:
    """A first loss that overflows is divergence."""
    parameters = np.full((1, TANH.size), 1e200)

    with np.errstate(all="ignore"), pytest.raises(Diverged):
        lbfgs(course_of(TANH, parameters, epochs=5), parameters, straight(30, 0.0), lambda _loss: None)


def test_the_two_loops_are_the_inverse_hessian_of_their_paper() -> None:
    """H ← (I - s yᵀ / sᵀy) H (I - y sᵀ / sᵀy) + s sᵀ / sᵀy from γ I, written out for three pairs."""
    rng = np.random.default_rng(9)
    root = rng.standard_normal((5, 5))
    changes = rng.standard_normal((3, 5))
    pairs = deque((change, (root @ root.T + np.eye(5)) @ change) for change in changes)
    slope = rng.standard_normal(5)
    s, y = pairs[-1]
    H = (s @ y) / (y @ y) * np.eye(5)
    for s, y in pairs:
        left = np.eye(5) - np.outer(s, y) / (s @ y)
        H = left @ H @ left.T + np.outer(s, s) / (s @ y)

    np.testing.assert_allclose(_direction(slope, pairs), -H @ slope, rtol=1e-10)
    np.testing.assert_allclose(_direction(slope, deque()), -slope)
