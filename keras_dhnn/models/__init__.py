"""Build networks and the hashing models trained on top of them."""
