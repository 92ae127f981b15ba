"""What a model's answers rest on, how far they can be trusted, and what would change them."""
