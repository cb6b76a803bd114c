"""Retrieve in a graph of stock TensorFlow operations: file or pixels to codes, codes to the nearest items."""
