"""Initial weights: random, from a normal distribution as wide as the layer's fan calls for; biases start at 0."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True)
class Initializer:
    """The standard deviation from (fan_in, fan_out), and whether units start out bending at random rows.

    Such a unit of the first layer has the bias with which its weighted sum is 0 at a row of the table, so that all of
    them bend where there are rows.
    """

    deviation: Callable[[int, int], float]
    bends_at_rows: bool = False


INITIALIZERS: dict[str, Initializer] = {
    "normal": Initializer(lambda _fan_in, _fan_out: 1.0),  # the tutorial's
    "glorot": Initializer(lambda fan_in, fan_out: sqrt(2.0 / (fan_in + fan_out))),  # Glorot, Bengio 2010
    "he": Initializer(lambda fan_in, _fan_out: sqrt(2.0 / fan_in)),  # He, Zhang, Ren, Sun 2015
    "lecun": Initializer(lambda fan_in, _fan_out: sqrt(1.0 / fan_in)),  # LeCun, Bottou, Orr, Müller 1998
    "data": Initializer(lambda fan_in, _fan_out: sqrt(1.0 / fan_in), bends_at_rows=True),
}
