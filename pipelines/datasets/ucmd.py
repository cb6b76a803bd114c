"""Read UC Merced Land Use: 21 classes of 100 aerial RGB images of 256 x 256 pixels at 0.3 m.

Cut by hand from the USGS National Map Urban Area Imagery of towns across the United States; the imagery is in the
public domain. Classes: agricultural, airplane, baseballdiamond, beach, buildings, chaparral, denseresidential,
forest, freeway, golfcourse, harbor, intersection, mediumresidential, mobilehomepark, overpass, parkinglot, river,
runway, sparseresidential, storagetanks, tenniscourt.

Of the 2,100 images 44 are not 256 x 256 (242 to 257 pixels a side); they are resized.

Reference: Y. Yang and S. Newsam, "Bag-of-visual-words and spatial extensions for land-use classification", ACM
SIGSPATIAL International Conference on Advances in Geographic Information Systems (GIS), 2010.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.pipelines.datasets.class_folders import check_classes
from keras_dhnn.pipelines.datasets.dataset import Dataset, Download, Twin
from keras_dhnn.pipelines.example import Archive, Example
from keras_dhnn.pipelines.formats.image_file import decode_image, resize_stored
from keras_dhnn.pipelines.formats.limits import Limits
from keras_dhnn.pipelines.formats.trees import open_tree
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage

SIDE = 256
LAYOUT = "UCMerced_LandUse/Images/<class>/<class>NN.tif"
_INSIDE = ("UCMerced_LandUse/Images", "Images")
# A real image takes 0.2 MB and the archive 0.4 GB; the bounds leave room for more and larger ones.
_LIMITS = Limits(file_bytes=16 << 20, total_bytes=8 << 30, files=100_000)


def examples(source: Path | str, *, skip_damaged: bool = False) -> Iterator[Example]:
    """Read a UC Merced archive: an Example a TIFF file, sorted by class, then by name.

    Args:
        source: the folder that holds `UCMerced_LandUse`, or that folder, or its `Images`, or the original zip. Any
            number of classes and of images a class will do, from 2.
        skip_damaged: leave out what cannot be read or does not belong there, instead of stopping at it.

    Returns:
        Iterator of Examples with one source, `image`: (256, 256, 3) uint8.

    Raises:
        DataError: if the archive is not laid out so, or holds a damaged file (DamagedFile) or foreign ones.
    """
    return open_archive(source, skip_damaged=skip_damaged).read([])


def open_archive(source: Path | str, *, skip_damaged: bool = False) -> Archive:
    """List and check a UC Merced archive without decoding an image; arguments as of `examples`.

    Returns:
        Archive, for `prepare`.

    Raises:
        DataError: if it is not laid out so, or holds foreign files.
    """
    tree = open_tree(source, _INSIDE, _LIMITS)
    images = [name for name in tree.files if name.lower().endswith((".tif", ".tiff"))]
    check_classes(source, tree.folders, images, LAYOUT)
    foreign = sorted({*tree.files, *tree.misplaced} - set(images))
    if foreign and not skip_damaged:
        raise DataError(_describe(source, foreign))

    def read(skipped: list[tuple[str, str]]) -> Iterator[Example]:
        skipped += [(name, f"does not belong there; expected {LAYOUT}") for name in foreign]
        return _examples(source, tree, images, skipped if skip_damaged else None)

    return Archive(classes=tuple(tree.folders), count=len(images), origin=tree.origin, read=read)


def _examples(source, tree, images, skipped):
    """Yield the Examples; a damaged image is appended to `skipped`, or raised if that is None."""
    read = []
    for name in images:
        folder = name.split("/")[0]
        try:
            image = _image(name, tree.read(name))
        except DamagedFile as error:
            if skipped is None:
                raise
            skipped.append((name, error.reason))
            continue
        read.append(name)
        yield Example(name, tree.folders.index(folder), {"image": image})
    check_classes(source, tree.folders, read, LAYOUT)


def _image(name, content):
    """Return (256, 256, 3) uint8 from the bytes of a TIFF file."""
    try:
        image = decode_image(content, most_bytes=_LIMITS.file_bytes).bands
    except UnreadableImage as error:
        raise DamagedFile(name, str(error)) from error
    bands = image.shape[2]
    if bands != 3 or image.dtype != np.uint8:
        raise DamagedFile(
            name,
            f"holds {'a greyscale' if bands == 1 else f'a {bands}-band'} image of shape {image.shape}, "
            f"{image.dtype.name}; expected RGB, (height, width, 3) of uint8",
        )
    return resize_stored(image, SIDE, SIDE)


def _describe(source, foreign, shown=10):
    lines = [f"{source} holds what does not belong there; expected {LAYOUT}. Found:"]
    lines += [f"  {name}" for name in foreign[:shown]]
    lines += [f"  and {len(foreign) - shown} more"] * (len(foreign) > shown)
    return "\n".join([*lines, "Remove it, or leave it out with --skip-damaged."])


DATASET = Dataset(
    open_archive,
    options=("skip_damaged",),
    twin=Twin("keras_dhnn.pipelines.synthetic.ucmd_twin:write_ucmd", {"per_class": 20}),
    # Size and checksum as in TensorFlow Datasets, tensorflow_datasets/url_checksums/uc_merced.txt.
    download=Download(
        "http://weegee.vision.ucmerced.edu/datasets/UCMerced_LandUse.zip",
        "UCMerced_LandUse.zip",
        332_468_434,
        "sha256:06c539ef28703a58fb07bd2837991ac7c48b813b00bb12ac197efd813a18daeb",
    ),
)
