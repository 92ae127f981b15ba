"""Routes: each takes typed things, delegates, and returns."""
