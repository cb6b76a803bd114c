"""Say which images of a prepared data set to label next."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError, SettingError, invalid
from keras_dhnn.experiment.presets import load_preset
from keras_dhnn.experiment.resolve import notice
from keras_dhnn.pipelines.label_file import read_labels
from keras_dhnn.progress import Bar, show_progress
from keras_dhnn.training.network import Network
from keras_dhnn.unlabelled.inference import UNKNOWN
from keras_dhnn.unlabelled.structure import find_structure
from keras_dhnn.unlabelled.suggestions import suggest as choose
from keras_dhnn.workflows.prepare import load_prepared


def suggest(
    name: str,
    *,
    count: int = 20,
    labels: Path | str | None = None,
    data: Path | str = "data",
    seed: int = 0,
    bar: Bar = show_progress,
    say: Callable[[str], None] = notice,
) -> list[str]:
    """Choose the images whose labels would tell most of the others: in doubt, frequent, and unlike each other.

    Args:
        name: of the prepared data set, of one image source.
        count: how many images to choose.
        labels: table of the labels that there are, see `pipelines.label_file`; by default those prepared.
        data: folder of the prepared data sets.
        seed: of the sample that is looked at, of large collections.
        bar: progress bar factory.
        say: is told what was decided for the user.

    Returns:
        Names of the images, the most telling first.

    Raises:
        SettingError: if `count` is not positive, or images have two sources.
        DataError: if the data set is not prepared, the table cannot be used, or every image has a label.
    """
    if count < 1:
        raise SettingError(invalid("argument `count`", "a whole number above 0", count))
    info = load_prepared(name, data)
    if labels is not None:
        info = info.with_labels(read_labels(labels, info.ids))
    if len(info.images) > 1:
        raise SettingError(f"Labels are suggested for images of one source. {name} has {', '.join(info.images)}.")
    if info.known.all():
        raise DataError(f"Every image of {info.directory} has a label. Give those that you have by --labels FILE.")
    # Whether images are seen in turns too is nothing to what they are like.
    experiment = load_preset(name, info).replace({"data.turns": 1, "seed": seed})
    features = Network(experiment, info, np.arange(info.count), bar).frozen_features()
    known = np.where(info.known, info.labels, UNKNOWN)
    say(f"{int(info.known.sum())} of {info.count} images have a label.")
    return [str(info.ids[number]) for number in choose(find_structure(features, seed=seed), known, count, seed=seed)]
