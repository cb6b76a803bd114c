"""Pairwise, quantisation and balance losses: a pure function and a thin class each."""
