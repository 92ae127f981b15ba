"""Migrations of the catalogue, run when a store is opened."""
