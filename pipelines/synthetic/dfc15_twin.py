"""Write the synthetic twin of the multi-label DFC15: made-up images in the real layout of files and labels.

No score on a twin may be set beside a published one; every report says "synthetic".
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.pipelines.datasets.dfc15 import CLASSES, PARTS, TABLE
from keras_dhnn.pipelines.synthetic.new_archive import new_archive
from keras_dhnn.pipelines.synthetic.several_labels import mosaic

SIDE = 600
# Scenes of the twin of UC Merced that stand for the classes, in their order.
_SCENES = ("runway", "river", "mobilehomepark", "golfcourse", "buildings", "forest", "harbor", "parkinglot")


def write_dfc15(destination, *, size=400, seed=0, progress=None):
    """Write `images_tr/NNNNN.png` and `images_test/NNNNN.png` of 600 x 600 pixels, RGB, and `multilabel.csv`.

    One image in five is to test with, as of the original.

    Args:
        destination: folder to put them into; made if missing.
        size: images.
        seed: whole number, 0 or more.
        progress: called as `progress(done, total)` after each image.

    Returns:
        Path of `destination`.

    Raises:
        SettingError: for a number outside its bounds.
        DataError: if there is an archive already.
    """
    if not 5 <= size <= 100_000:
        raise SettingError(invalid("argument `size`", "a whole number from 5 to 100000", size))
    root = Path(destination)
    train, test = PARTS
    with new_archive(root / train) as training, new_archive(root / test) as testing, new_archive(root / TABLE) as table:
        training.mkdir()
        testing.mkdir()
        with open(table, "w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["image\\label", *CLASSES])
            for number in range(size):
                image, labels = dfc15_image(seed, number)
                Image.fromarray(image).save((testing if number % 5 == 4 else training) / f"{number:05d}.png")
                rows.writerow([f"{number:05d}.png", *(int(label in labels) for label in range(len(CLASSES)))])
                if progress:
                    progress(number + 1, size)
    return root


def dfc15_image(seed, number):
    """Return one image of the twin, `(600, 600, 3)` uint8, and the set of the numbers of its classes."""
    image, labels = mosaic(seed, number, _SCENES)
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)), labels
