"""Networks and the hashing models trained on top of them."""
