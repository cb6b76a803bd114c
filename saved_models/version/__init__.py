"""Write and read one version of a served model: its graph, its index, its signatures, its warm-up requests."""
