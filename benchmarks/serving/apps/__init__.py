"""What the peers serve, each run by an interpreter that has the peer: a scikit-learn network of the same shape."""
