"""Connections: what a client may do on one before it has asked for anything, and how many there may be."""
