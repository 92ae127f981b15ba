"""The HTTP surface: thin routes over the parts of the house."""
