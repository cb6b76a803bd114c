"""Score what codes retrieve, beside the float features that they come from, and find what a split leaks."""
