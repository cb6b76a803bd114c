"""Search over the similarity factor and the penalty weights."""
