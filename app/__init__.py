"""netlet: post a table, get a neural network."""

__version__ = "0.1.0"
