"""The neural networks themselves: NumPy in, NumPy out; no web, no files, no settings."""
