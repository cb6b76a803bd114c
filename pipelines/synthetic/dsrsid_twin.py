"""Write the synthetic twin of DSRSID: made-up pairs in the real archive's HDF5 file, for trials without the real data.

No score on a twin may be set beside a published one; every report says "synthetic".
"""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.pipelines.datasets.dsrsid import BANDS, CLASSES, LABELS, MAT, MUL, MUL_SIDE, PAN, PAN_SIDE
from keras_dhnn.pipelines.read_ahead import read_ahead
from keras_dhnn.pipelines.synthetic.dsrsid_scenes import draw
from keras_dhnn.pipelines.synthetic.new_archive import new_archive

LEAST, MOST = 2 * len(CLASSES), 80_000
# What the panchromatic sensor sees of blue, green, red and near infrared.
PAN_WEIGHTS = np.array([0.1, 0.3, 0.35, 0.25], np.float32)
_FACTOR = PAN_SIDE // MUL_SIDE
_CHUNK = 16  # pairs; small, so that any number of them is read without inflating others


def write_dsrsid(
    destination: Path | str, *, size: int = 2400, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write `DSRSID.mat`: MATLAB 7.3 (HDF5), the pairs of one class after those of the other, as in the original.

    A pair depends on seed, class and number in its class only. The file appears whole or not at all; memory holds a
    few pairs.

    Args:
        destination: folder to write into; made if missing.
        size: pairs in all, 16 to 80,000, as many of each class as of the others, or one more.
        seed: whole number, 0 or more.
        progress: called as `progress(done, total)` after each pair.

    Returns:
        Path of the file.

    Raises:
        SettingError: for a number outside its bounds.
        DataError: if the file is there already, or cannot be written.
    """
    if size != int(size) or not LEAST <= size <= MOST:
        raise SettingError(invalid("argument `size`", f"a whole number from {LEAST} to {MOST}", size))
    path = Path(destination) / MAT
    with new_archive(path) as partial:
        _write(partial, size, seed, progress)
    return path


def _write(path, size, seed, progress):
    labels = np.sort(np.arange(size) % len(CLASSES))
    numbers = np.arange(size) - np.searchsorted(labels, labels)
    with h5py.File(path, "w", userblock_size=512) as file:
        pan = _images(file, PAN, (size, 1, PAN_SIDE, PAN_SIDE))
        mul = _images(file, MUL, (size, len(BANDS), MUL_SIDE, MUL_SIDE))
        types = file.create_dataset(LABELS, data=labels[None] + 1.0)
        types.attrs["MATLAB_class"] = np.bytes_("double")
        draws = read_ahead(lambda i: pair(seed, int(labels[i]), int(numbers[i])), range(size))
        for i, images in draws:
            pan[i], mul[i] = (image.transpose(2, 1, 0) for image in images)
            if progress:
                progress(i + 1, size)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, synthetic twin of DSRSID, made by keras-dhnn".ljust(124) + b"\x00\x02IM")


def _images(file, name, shape):
    dataset = file.create_dataset(name, shape, np.uint8, chunks=(min(_CHUNK, shape[0]), *shape[1:]))
    dataset.attrs["MATLAB_class"] = np.bytes_("uint8")
    return dataset


def pair(seed: int, label: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one pair of the twin.

    Args:
        seed: whole number, 0 or more.
        label: 0 to 7.
        number: of the pair in its class, from 0.

    Returns:
        pan `(256, 256, 1)` and mul `(64, 64, 4)` uint8.
    """
    rng = np.random.default_rng([seed, label, number])
    ground = draw(rng, label)[:, :PAN_SIDE, :PAN_SIDE]
    # Light and haze are common to both, for they are taken at once; gain and noise are each sensor's own.
    haze = np.float32(rng.uniform(0, 0.35))
    ground = ground * ((1 - haze) * np.float32(rng.uniform(0.7, 1.3))) + haze * 150
    grey = np.tensordot(PAN_WEIGHTS, ground, 1)[None]
    coarse = ground.reshape(len(BANDS), MUL_SIDE, _FACTOR, MUL_SIDE, _FACTOR).mean(axis=(2, 4))
    return tuple(_sensed(planes, rng).transpose(1, 2, 0) for planes in (grey, coarse))


def _sensed(planes, rng):
    """Return what a sensor makes of (bands, H, W): gain and noise of its own, in whole numbers from 0 to 255."""
    gain = rng.uniform(0.9, 1.1, (len(planes), 1, 1)).astype(np.float32)
    noise = rng.standard_normal(planes.shape, np.float32) * np.float32(rng.uniform(2, 9))
    return np.clip(np.rint(planes * gain + noise), 0, 255).astype(np.uint8)
