"""Backups: all that a store holds in one file, taken while it is served, and put back elsewhere."""
