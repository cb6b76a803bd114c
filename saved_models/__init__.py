"""Exported models: in-graph Hamming retrieval and what serves it."""
