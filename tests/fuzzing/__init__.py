"""Fuzzing: bytes that are almost a table, a snapshot or a network, read as the service reads them."""
