"""The client's side: what talks to a service over HTTP and needs nothing of its own to do so."""
