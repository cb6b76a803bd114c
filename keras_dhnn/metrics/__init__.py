"""Score retrieval and the health of codes. NumPy only."""
