"""Read SAT-4: half a million patches of 28 x 28 pixels at 1 m, in red, green, blue and near infrared, of four classes.

Cut from the images of the National Agriculture Imagery Program across the United States. Classes: barren land, trees,
grassland, and none (all other land cover). The archive has 400,000 training and 100,000 test patches; both parts are
read, since the papers' protocol draws its queries from all 500,000.

It is published as `sat-4-full.mat` (MATLAB 5; also read as HDF5, which `save -v7.3` makes of it), with `train_x`
(28 x 28 x 4 x N uint8), `train_y` (4 x N, one 1 a column), `test_x` and `test_y`; and as four CSV files with a row a
patch.

Reference: S. Basu, S. Ganguly, S. Mukhopadhyay, R. DiBiano, M. Karki and R. Nemani, "DeepSat: a learning framework
for satellite imagery", ACM SIGSPATIAL International Conference on Advances in Geographic Information Systems, 2015.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets import sat4_csv
from keras_dhnn.pipelines.datasets.dataset import Dataset, Twin
from keras_dhnn.pipelines.example import Archive, Block, Example, fingerprint_of
from keras_dhnn.pipelines.formats.mat import open_mat

CLASSES = ("barren land", "trees", "grassland", "none")
BANDS = ("red", "green", "blue", "near infrared")
SIDE = 28
PARTS = ("train", "test")
# Items a block: some MB, so that Python's share of the work is small.
_ITEMS = 2048
_PIXELS = SIDE * SIDE * len(BANDS)


@dataclass(frozen=True)
class Patches:
    """Describe what tells archives of this kind apart: SAT-4 and SAT-6.

    Attributes:
        classes: in the order of the one-hot labels.
        mat: name of the MATLAB file.
        files: of the CSV files: images and labels of the training part, then of the test part.
    """

    classes: tuple[str, ...]
    mat: str
    files: tuple[str, ...]


SAT4 = Patches(CLASSES, "sat-4-full.mat", sat4_csv.FILES)
MAT = SAT4.mat


def examples(source: Path | str) -> Iterator[Example]:
    """Read a SAT-4 archive item by item; arguments and errors as of `open_archive`.

    Returns:
        Iterator of Examples with one source, `image`: (28, 28, 4) uint8.
    """
    return open_archive(source).read([])


def open_archive(source: Path | str) -> Archive:
    """Open a SAT-4 archive and check all of its labels, without reading an image.

    Where the archive says which labels are wrong (`train_y_true`, `test_y_true`: the twin with label noise), items
    are labelled by `train_y` and `test_y`, and carry the others as their true labels.

    Args:
        source: `sat-4-full.mat`, or a folder with it or with `X_train_sat4.csv`, `y_train_sat4.csv`,
            `X_test_sat4.csv` and `y_test_sat4.csv`. Any number of items will do.

    Returns:
        Archive, for `prepare`; its items are read in blocks.

    Raises:
        DataError: if the archive is not laid out so, is damaged or cut short, or a label is not one 1 among 0s.
    """
    return open_patches(source, SAT4)


def open_patches(source: Path | str, kind: Patches) -> Archive:
    """Return as `open_archive`, of one of the `Patches`.

    Raises:
        DataError: as of `open_archive`.
    """
    source = Path(source).expanduser()
    if (source / kind.mat).is_file():
        source = source / kind.mat
    paths = [source] if source.is_file() else [source / name for name in kind.files]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise DataError(
            f"Expected the file {kind.mat}, or a folder with it or with {', '.join(kind.files)}. Not found: "
            f"{source if len(missing) == len(paths) else ', '.join(missing)}."
        )
    classes, is_mat = kind.classes, source.is_file()
    parts = _mat_parts(source, len(classes)) if is_mat else _csv_parts(paths, len(classes))
    return Archive(
        classes=classes,
        count=sum(len(part.labels) for part in parts),
        origin={"kind": "mat" if is_mat else "csv", "path": str(source.resolve()), "fingerprint": _fingerprint(paths)},
        read=lambda skipped: _examples(parts),
        blocks=lambda: _blocks(parts),
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """Describe the training or the test patches: labels (n,) uint8, and `images()`, which iterates over (k, 28, 28,
    4).
    """

    name: str
    labels: np.ndarray
    true_labels: np.ndarray | None
    images: Callable[[], Iterator[np.ndarray]]


def _mat_parts(path, classes):
    file = open_mat(path)
    noisy = any(f"{part}_y_true" in file.arrays for part in PARTS)
    return [_mat_part(file, part, classes, noisy) for part in PARTS]


def _mat_part(file, part, classes, noisy):
    pixels = file.array(f"{part}_x", (None, len(BANDS), SIDE, SIDE))
    if pixels.dtype != np.uint8:
        raise DataError(f"Expected {part}_x in {file.path} to be uint8. Found: {pixels.dtype}. Is it the right file?")
    count = pixels.shape[0]
    true_labels = _mat_labels(file, f"{part}_y_true", count, classes) if noisy else None

    def images() -> Iterator[np.ndarray]:
        for slab in pixels.slabs(_ITEMS):  # (k, band, column, row): MATLAB's axes in reverse
            block = np.empty((len(slab), SIDE, SIDE, len(BANDS)), np.uint8)
            for band in range(len(BANDS)):  # band by band is faster than one transposition
                block[..., band] = slab[:, band].transpose(0, 2, 1)
            yield block

    return _Part(part, _mat_labels(file, f"{part}_y", count, classes), true_labels, images)


def _mat_labels(file, name, count, classes):
    # Classes x N in the archive, N x classes in its description.
    if name in file.arrays and file.arrays[name].shape == (classes, count) and count != classes:
        rows = next(file.arrays[name].slabs(classes)).T
    else:
        rows = np.concatenate(list(file.array(name, (count, classes)).slabs(1 << 16)))
    return class_numbers(rows, f"{name} in {file.path}")


def _csv_parts(paths, classes):
    return [
        _Part(
            part,
            class_numbers(np.concatenate(list(sat4_csv.read_rows(y, classes))), y),
            None,
            lambda x=x: (rows.reshape(-1, SIDE, SIDE, len(BANDS)) for rows in sat4_csv.read_rows(x, _PIXELS)),
        )
        for part, x, y in zip(PARTS, paths[::2], paths[1::2], strict=True)
    ]


def class_numbers(rows: np.ndarray, name: str) -> np.ndarray:
    """Return the class numbers (n,) uint8 of one-hot rows (n, classes).

    Raises:
        DataError: naming the first row that is not one 1 among 0s.
    """
    wrong = np.flatnonzero(((rows != 0) & (rows != 1)).any(axis=1) | (rows.sum(axis=1) != 1))
    if len(wrong):
        raise DataError(
            f"Expected every label of {name} to be one 1 among {rows.shape[1] - 1} 0s. Found, for item "
            f"{wrong[0] + 1:,}: {', '.join(f'{value:g}' for value in rows[wrong[0]])}. Is it the right file?"
        )
    return rows.argmax(axis=1).astype(np.uint8)


def _blocks(parts):
    for part in parts:
        first = 0
        for images in part.images():
            rows = slice(first, first + len(images))
            ids = [f"{part.name}/{number:06d}" for number in range(rows.start, rows.stop)]
            true_labels = None if part.true_labels is None else part.true_labels[rows]
            if rows.stop <= len(part.labels):
                yield Block(ids, part.labels[rows], {"image": images}, true_labels)
            first = rows.stop
        if first != len(part.labels):
            raise DataError(
                f"Expected as many images as labels in the {part.name} part. Found {first:,} images and "
                f"{len(part.labels):,} labels. Is a file cut short? Fetch it again."
            )


def _examples(parts):
    for block in _blocks(parts):
        for i, (name, label) in enumerate(zip(block.ids, block.labels, strict=True)):
            yield Example(name, int(label), {"image": block.images["image"][i]})


def _fingerprint(paths):
    """Return a fingerprint of the files' names, sizes and times of change."""
    stamps = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return fingerprint_of(stamps)


DATASET = Dataset(
    open_archive, twin=Twin("keras_dhnn.pipelines.synthetic.sat4_twin:write_sat4", {"size": 20_000, "label_noise": 0.0})
)
