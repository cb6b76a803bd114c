"""Read DSRSID: 80,000 pairs of a panchromatic and a multispectral image of the same ground, from Gaofen-1, eight
classes.

`pan` (256, 256, 1) at 2 m, `mul` (64, 64, 4) at 8 m in blue, green, red and near infrared. Classes: aquafarm, cloud,
forest, high building, low building, farm land, river, water; 10,000 pairs each, one class after the other.

It is published as one MATLAB 7.3 (HDF5) file with `PAN_IMAGES` (N, 1, 256, 256), `MUL_IMAGES` (N, 4, 64, 64) and
`LAND_COVER_TYPES` (1, N) from 1 to 8; axes are as HDF5 has them, MATLAB's in reverse. Files with fewer pairs are about,
and will do as well.

Reference: Y. Li, Y. Zhang, X. Huang and J. Ma, "Learning source-invariant deep hashing convolutional neural networks
for cross-source remote sensing image retrieval", IEEE Transactions on Geoscience and Remote Sensing 56 (11), 2018.
"""

from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets.dataset import Dataset, Twin
from keras_dhnn.pipelines.example import Archive, Example, fingerprint_of
from keras_dhnn.pipelines.formats.mat import open_mat

CLASSES = ("aquafarm", "cloud", "forest", "high building", "low building", "farm land", "river", "water")
BANDS = ("blue", "green", "red", "near infrared")
MAT = "DSRSID.mat"
PAN, MUL, LABELS = "PAN_IMAGES", "MUL_IMAGES", "LAND_COVER_TYPES"
PAN_SIDE, MUL_SIDE = 256, 64
# Pairs to read at once, 10 MB: the file is larger than memory.
_ITEMS = 128


def open_archive(source: Path | str) -> Archive:
    """Open a DSRSID archive and check all of its labels, without reading an image.

    Args:
        source: the MATLAB file, or a folder with `DSRSID.mat`; any number of pairs, of two classes at least.

    Returns:
        Archive, for `prepare`; its Examples have the sources `pan` and `mul`.

    Raises:
        DataError: if the file is not laid out so, is damaged or cut short, or a label is not one of 1 to 8.
    """
    path = Path(source).expanduser()
    path = path / MAT if path.is_dir() else path
    if not path.is_file():
        raise DataError(f"Expected the file {MAT}, or a folder with it. Not found: {path}.")
    file = open_mat(path)
    pan = _images(file, PAN, (None, 1, PAN_SIDE, PAN_SIDE))
    count = pan.shape[0]
    mul = _images(file, MUL, (None, len(BANDS), MUL_SIDE, MUL_SIDE))
    if mul.shape[0] != count:
        raise DataError(
            f"Expected as many images in {MUL} as in {PAN} of {path}, {count:,}. Found: {mul.shape[0]:,}. Fetch it "
            "again."
        )
    labels = _labels(file, count)
    stamp = (path.name, path.stat().st_size, path.stat().st_mtime_ns)
    origin = {
        "kind": "mat",
        "path": str(path.resolve()),
        "fingerprint": fingerprint_of(stamp),
    }
    return Archive(
        classes=CLASSES,
        count=count,
        origin={**origin, "rgb_bands": {"mul": [3, 2, 1]}},
        read=lambda skipped: _examples(pan, mul, labels),
    )


def _images(file, name, shape):
    images = file.array(name, shape)
    if images.dtype != np.uint8:
        raise DataError(f"Expected {name} in {file.path} to be uint8. Found: {images.dtype}. Is it the right file?")
    return images


def _labels(file, count):
    """Return the class numbers (count,) uint8 from 0."""
    found = file.arrays.get(LABELS)
    # 1 x N in the archive; a file that was saved anew may have N x 1.
    shape = (count, 1) if found and found.shape == (count, 1) else (1, count)
    array = file.array(LABELS, shape)
    values = np.concatenate(list(array.slabs(1 << 16)), axis=None)
    wrong = np.flatnonzero(~np.isin(values, np.arange(1, len(CLASSES) + 1)))
    if len(wrong):
        raise DataError(
            f"Expected every label of {LABELS} in {file.path} to be a whole number from 1 to {len(CLASSES)}. Found, "
            f"for item {wrong[0] + 1:,}: {values[wrong[0]]:g}. Is it the right file?"
        )
    counts = np.bincount(values.astype(int) - 1, minlength=len(CLASSES))
    if np.count_nonzero(counts) < 2 or np.any(counts == 1):
        found = ", ".join(f"{n:,} of {name}" for n, name in zip(counts, CLASSES, strict=True) if n)
        raise DataError(
            f"Expected two classes at least in {file.path}, and two pairs of each, since a query needs another one of "
            f"its class to find. Found: {found}."
        )
    return (values - 1).astype(np.uint8)


def _examples(pan, mul, labels):
    pairs = zip(_one_by_one(pan), _one_by_one(mul), labels.tolist(), strict=True)
    for number, (pan_image, mul_image, label) in enumerate(pairs):
        yield Example(f"{number:06d}", label, {"pan": pan_image, "mul": mul_image})


def _one_by_one(images):
    """Yield (row, column, band) of each item, where the file has band, column, row: MATLAB's axes in reverse."""
    for slab in images.slabs(_ITEMS):
        yield from slab.transpose(0, 3, 2, 1)


DATASET = Dataset(open_archive, twin=Twin("keras_dhnn.pipelines.synthetic.dsrsid_twin:write_dsrsid", {"size": 2400}))
