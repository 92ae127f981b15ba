"""A soak: everything at once for a long time, with faults, and what it does to memory, files and threads."""
