"""Serving: loaded models, ready to answer."""
