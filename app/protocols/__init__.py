"""Protocols: what existing clients of model servers speak, on the models of this service."""
