"""Initial weights: random, from a normal distribution as wide as the layer's fan calls for; biases start at 0."""

from collections.abc import Callable
from math import sqrt

INITIALIZERS: dict[str, Callable[[int, int], float]] = {
    # name -> standard deviation from (fan_in, fan_out)
    "normal": lambda _fan_in, _fan_out: 1.0,  # the tutorial's
    "glorot": lambda fan_in, fan_out: sqrt(2.0 / (fan_in + fan_out)),  # Glorot, Bengio 2010
    "he": lambda fan_in, _fan_out: sqrt(2.0 / fan_in),  # He, Zhang, Ren, Sun 2015
    "lecun": lambda fan_in, _fan_out: sqrt(1.0 / fan_in),  # LeCun, Bottou, Orr, Müller 1998
}
