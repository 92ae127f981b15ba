"""A store in a folder of its own, and a model to put in it: those of the store's own tests."""

from tests.store.conftest import model, store

__all__ = ["model", "store"]
