"""What a service on a network has to bear: clients that are slow on purpose, and more of them than it can answer."""
