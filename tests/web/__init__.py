"""The page: what is sent, and the story in a real browser."""
