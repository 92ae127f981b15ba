"""Pictures of a model: what each shows is computed first, as plain numbers and words, then drawn."""
