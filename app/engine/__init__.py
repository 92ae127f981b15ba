"""Neural networks, and how they learn by gradients: NumPy in, NumPy out; no web, no files, no settings."""
