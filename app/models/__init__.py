"""From a table to a model: columns become numbers, networks learn from them, and answers are judged and scaled back."""
