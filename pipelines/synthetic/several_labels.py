"""Write made-up images with several labels each: a tree of images, and a table with a column of 0 and 1 for each class.

It is the form that multi-label aerial collections such as DFC15 come in, and what `prepare --layout images --labels`
reads. No score on it may be set beside a published one.
"""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.pipelines.synthetic.new_archive import new_archive
from keras_dhnn.pipelines.synthetic.ucmd_twin import UCMD_CLASSES, ucmd_image

CLASSES = tuple(UCMD_CLASSES[label] for label in (0, 3, 5, 7, 9, 10, 15, 16))
_HALF = 128


def write_several_labels(
    destination: Path | str, *, count: int = 800, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write `several/images/NNNNN.png` of 256 x 256 pixels, RGB, and `several/multilabel.csv`.

    Each quarter of an image is cut from a scene of the twin of UC Merced; the scenes are of one to four classes.

    Args:
        destination: folder to put `several` into; made if missing.
        count: images.
        seed: whole number, 0 or more.
        progress: called as `progress(done, total)` after each image.

    Returns:
        Path of `several`.

    Raises:
        SettingError: for a number outside its bounds.
        DataError: if `several` is there already.
    """
    if not 1 <= count <= 100_000:
        raise SettingError(invalid("argument `count`", "a whole number from 1 to 100000", count))
    root = Path(destination) / "several"
    with new_archive(root) as partial:
        (partial / "images").mkdir(parents=True)
        with open(partial / "multilabel.csv", "w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["image", *CLASSES])
            for number in range(count):
                image, labels = mosaic(seed, number, CLASSES)
                Image.fromarray(image).save(partial / "images" / f"{number:05d}.png")
                table.writerow([f"{number:05d}.png", *(int(label in labels) for label in range(len(CLASSES)))])
                if progress:
                    progress(number + 1, count)
    return root


def mosaic(seed, number, scenes):
    """Draw an image whose quarters are cut from scenes of the twin of UC Merced.

    Args:
        seed: whole number, 0 or more.
        number: of the image, from 0.
        scenes: names of classes of UC Merced to choose one to four from.

    Returns:
        `(image, labels)`: `(256, 256, 3)` uint8, and the set of the places in `scenes` of those it shows.
    """
    random = np.random.default_rng([seed, 17, number])
    classes = random.choice(len(scenes), random.integers(1, 5), replace=False)
    # Each class at least once.
    quarters = random.permutation([*classes, *random.choice(classes, 4 - len(classes))])
    image = np.empty((2 * _HALF, 2 * _HALF, 3), np.uint8)
    for place, label in enumerate(quarters.tolist()):
        scene = ucmd_image(seed, UCMD_CLASSES.index(scenes[label]), 48 * (4 * number + place))
        top, left = random.integers(scene.shape[0] - _HALF), random.integers(scene.shape[1] - _HALF)
        rows, columns = (slice(side * _HALF, (side + 1) * _HALF) for side in divmod(place, 2))
        image[rows, columns] = scene[top : top + _HALF, left : left + _HALF]
    return image, set(classes.tolist())
