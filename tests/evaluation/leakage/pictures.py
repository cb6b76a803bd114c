"""Pictures that show, or do not show, the same, and data sets of them."""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from keras_dhnn.pipelines.example import Archive, Example
from keras_dhnn.pipelines.store.prepare import prepare

SIDE = 96


def terrain(seed, side=SIDE):
    """A picture with detail at all scales, `(side, side, 3)` uint8; no two seeds look alike."""
    random = np.random.default_rng(seed)
    layers = [gaussian_filter(random.normal(0, 1, (side, side, 3)), (s, s, 0)) * s for s in (1, 2, 4, 12)]
    picture = sum(layers)
    return np.clip(128 + 50 * picture / picture.std(), 0, 255).astype(np.uint8)


def edited(image):
    """Brighter, and through JPEG."""
    file = io.BytesIO()
    Image.fromarray(np.clip(image * 1.1 + 8, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))


def prepare_pictures(directory, images, labels=None):
    """Prepares images, arrays or `{source: array}`, as a data set; returns its DatasetInfo."""
    labels = np.zeros(len(images), int) if labels is None else labels

    def examples(skipped):
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            sources = image if isinstance(image, dict) else {"image": image}
            yield Example(f"item{number:02}", int(label), sources)

    classes = tuple(f"class{label}" for label in range(int(max(labels)) + 1))
    source = {"kind": "folder", "path": "/made/up", "fingerprint": f"pictures {directory} {len(images)}"}
    return prepare(Archive(classes, len(images), source, examples), directory, shards=2).info
