"""Load experiments by the name of their data set, one a file."""

import importlib
import math
import pkgutil

from keras_dhnn.config import Experiment
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo


def names() -> list[str]:
    """Return names of the presets: of data sets, and "folder" for all others."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def load_preset(name: str, info: DatasetInfo | None = None) -> Experiment:
    """Return the preset `Experiment` of a data set: its own, its original's (`ucmd-synthetic`), or that of folders.

    Args:
        name: of the data set.
        info: its `DatasetInfo`, by which the preset of folders is fitted to it; None leaves that as it is.
    """
    original = name.removesuffix("-synthetic")
    module = original.replace("-", "_") if original in names() else "folder"
    preset = importlib.import_module(f"keras_dhnn.experiment.presets.{module}")
    experiment = preset.fitted_to(info) if info is not None and hasattr(preset, "fitted_to") else preset.EXPERIMENT
    return experiment.override(f"data.name={name}")


def with_passes(experiment: Experiment, count: int, steps: int, most: int) -> Experiment:
    """Return an experiment that is trained from scratch, fitted to a part of its archive: more passes over fewer items.

    Args:
        experiment: the `Experiment` for the whole archive, whose epochs are the least.
        count: items there are.
        steps: gradient steps to reach, about.
        most: epochs that are enough for the smallest part.
    """
    epochs = math.ceil(steps * experiment.training.batch_size / count)
    return experiment.override(f"fine_tune.epochs={min(max(experiment.fine_tune.epochs, epochs), most)}")
