"""What is in `deploy/`, and the image: linted by the linters of each, and true of netlet as it is."""
