"""Find what a collection says of itself where labels are missing: its neighbour graph, walks over it, inferred labels.

NumPy, SciPy and scikit-learn only; `training` makes of it which pairs of images are similar.
"""
