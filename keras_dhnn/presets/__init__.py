"""Experiments by the name of their data set, one a file."""

import importlib
import pkgutil


def names():
    """Names of the data sets that have a preset."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_preset(name):
    """The preset `Experiment` of a data set.

    Raises:
        ValueError: if it has none.
    """
    if name not in names():
        raise ValueError(f"There is no preset for {name!r}. There are presets for: {', '.join(names())}")
    return importlib.import_module(f"keras_dhnn.presets.{name}").EXPERIMENT
