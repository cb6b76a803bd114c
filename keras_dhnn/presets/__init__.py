"""Experiments by the name of their data set, one a file."""

import importlib
import pkgutil


def names():
    """Names of the presets: of data sets, and "folder" for all others."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def load_preset(name):
    """The preset `Experiment` of a data set: its own, its original's (`ucmd-synthetic`), or that of folders."""
    original = name.removesuffix("-synthetic")
    preset = original if original in names() else "folder"
    return importlib.import_module(f"keras_dhnn.presets.{preset.replace('-', '_')}").EXPERIMENT.override(
        f"data.name={name}"
    )
