"""Retrieval metrics and the health of codes. NumPy only."""
