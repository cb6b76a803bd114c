"""A tiny prepared data set of dual samples, which small networks learn in seconds."""

import numpy as np

from keras_dhnn.pipelines.example import Archive, Example
from keras_dhnn.pipelines.store.prepare import prepare

SIDES = {"pan": 16, "mul": 8}


def make_dual_dataset(directory, count=36, classes=3, seed=0):
    """A prepared data set of `pan` (16 x 16 x 1), told by brightness, and `mul` (8 x 8 x 3), told by colour.

    Returns:
        DatasetInfo.
    """
    random = np.random.default_rng(seed)
    greys, colours = np.linspace(60, 200, classes), random.uniform(60, 200, (classes, 3))

    def examples(skipped):
        for number in range(count):
            label = number * classes // count
            pan = greys[label] + random.normal(0, 10, (16, 16, 1)) + random.normal(0, 12)
            mul = colours[label] + random.normal(0, 25, (8, 8, 3)) + random.normal(0, 15, 3)
            images = {"pan": pan, "mul": mul}
            images = {source: np.clip(image, 0, 255).astype(np.uint8) for source, image in images.items()}
            yield Example(f"class{label}/{number:03}", label, images)

    source = {"kind": "folder", "path": "/made/up/dual", "fingerprint": f"dual {count} {classes} {seed}"}
    archive = Archive(tuple(f"class{label}" for label in range(classes)), count, source, examples)
    return prepare(archive, directory, shards=2).info
