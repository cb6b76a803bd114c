"""Share what holds for every archive with a folder a class."""

import collections
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.labels import UNLABELLED, Labels


def check_classes(source: Path | str, classes: Sequence[str], images: Sequence[str], layout: str) -> None:
    """Check that there are two classes to tell apart, beside images without a label, and in each a second one to find.

    Args:
        source: the archive, for messages.
        classes: names of its folders.
        images: names of its images, `<class>/<file>`.
        layout: what it should look like, for messages.

    Raises:
        DataError: if there is no image, one class only, or a class with fewer than two images.
    """
    if not images:
        raise DataError(f"No image in {source}. Expected {layout}, as a folder or a zip.")
    if len(classes) < 2:
        raise DataError(f"Expected {layout} in {source}, two classes at least. Found: {', '.join(classes) or 'none'}.")
    folders = [name.split("/")[0] for name in images]
    named = set(folders) - {UNLABELLED}
    if len(named) == 1:
        labels = Labels(tuple(named), np.array(folders)[:, None] != UNLABELLED)
        labels.check_learnable(source, "take the images without classes: --layout images")
    counts = collections.Counter(folders)
    for name in classes:
        if counts[name] < 2:
            raise DataError(
                f"Class {name!r} in {source}: expected at least 2 readable images, since a query needs another one of "
                f"its class to find. Found {counts[name]}. Add images, or remove the folder."
            )
