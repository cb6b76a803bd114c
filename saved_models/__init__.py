"""Export models with in-graph Hamming retrieval, and serve them."""
