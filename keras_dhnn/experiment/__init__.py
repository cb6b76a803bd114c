"""Resolve what a preset, a backbone, a data set and the user's settings together mean: an `Experiment`."""
