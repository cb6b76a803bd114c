"""Compute pairwise, quantisation, balance and classification losses: a pure function and a thin class each."""
