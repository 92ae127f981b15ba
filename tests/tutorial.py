"""The tutorial's program, told again in plain NumPy: the reference for its numbers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

X = np.array([[2.0, 9.0], [1.0, 5.0], [3.0, 6.0]])
Y = np.array([[92.0], [86.0], [89.0]])


@dataclass
class TutorialNetwork:
    """Two inputs, three hidden units, one output; sigmoid everywhere, no bias."""

    W1: Matrix
    W2: Matrix

    @classmethod
    def drawn(cls, seed: int) -> "TutorialNetwork":
        """Draw both matrices from NumPy's legacy generator, W1 first."""
        random = np.random.RandomState(seed)
        return cls(random.randn(2, 3), random.randn(3, 1))

    def answer(self, scaled: Matrix) -> Matrix:
        """Pass scaled rows forward."""
        return sigmoid(sigmoid(scaled @ self.W1) @ self.W2)

    def descend(self, scaled: Matrix, y: Matrix) -> None:
        """Take one step of gradient descent at rate 1."""
        hidden = sigmoid(scaled @ self.W1)
        output = sigmoid(hidden @ self.W2)
        output_delta = (y - output) * output * (1 - output)
        hidden_delta = (output_delta @ self.W2.T) * hidden * (1 - hidden)
        self.W1 += scaled.T @ hidden_delta
        self.W2 += hidden.T @ output_delta


def sigmoid(s: Matrix) -> Matrix:
    """Squash to (0, 1)."""
    return np.asarray(1 / (1 + np.exp(-s)))


def trained(seed: int, epochs: int = 1000, X: Matrix = X, Y: Matrix = Y) -> TutorialNetwork:
    """Train on rows (the tutorial's three), hours by their maximum and scores by 100."""
    network = TutorialNetwork.drawn(seed)
    for _ in range(epochs):
        network.descend(X / X.max(axis=0), Y / 100)
    return network


def score(network: TutorialNetwork, studied: float, slept: float) -> float:
    """Answer in points."""
    return float(100 * network.answer(np.array([[studied, slept]]) / X.max(axis=0))[0, 0])
