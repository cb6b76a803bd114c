"""Read the multi-label DFC15: 3,342 aerial RGB images of 600 x 600 pixels at 0.05 m, with 8 classes, several an image.

Cut from the seven scenes over Zeebruges of the IEEE GRSS data fusion contest of 2015. Classes: impervious, water,
clutter, vegetation, building, tree, boat, car. `multilabel.csv` has a row an image, and a column of 0 and 1 a class;
the folders `images_tr` and `images_test` are the published split.

Reference: Y. Hua, L. Mou, X. X. Zhu, "Recurrently exploring class-wise attention in a hybrid convolutional and
bidirectional LSTM network for multi-label aerial image classification", ISPRS Journal of Photogrammetry and Remote
Sensing 149, 2019.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from keras_dhnn.errors import DataError
from keras_dhnn.files import refuse_address
from keras_dhnn.pipelines.datasets.collection import LIMITS
from keras_dhnn.pipelines.datasets.dataset import Dataset, Twin
from keras_dhnn.pipelines.datasets.folder import archive_of
from keras_dhnn.pipelines.datasets.folder_listing import Listing, check_names, no_images
from keras_dhnn.pipelines.example import Annotations, Archive, fingerprint_of
from keras_dhnn.pipelines.formats.image_names import is_image
from keras_dhnn.pipelines.formats.trees import open_tree
from keras_dhnn.pipelines.label_file import read_labels
from keras_dhnn.pipelines.labels import UNLABELLED

NAME = "dfc15"
CLASSES = ("impervious", "water", "clutter", "vegetation", "building", "tree", "boat", "car")
TABLE = "multilabel.csv"
PARTS = {"images_tr": "train", "images_test": "test"}
LAYOUT = f"{TABLE}, images_tr/<image> and images_test/<image>"


def open_archive(source: Path | str, *, skip_damaged: bool = False, image_size: int | None = None) -> Archive:
    """List and check an archive; look at up to 512 of its images, drawn at random.

    Args:
        source: the folder that holds `multilabel.csv` and the folders of images.
        skip_damaged: leave out images that cannot be read or are not like the others.
        image_size: side in pixels of the stored images; by default 256, which is less than the 600 that they have.

    Returns:
        Archive, for `prepare`; labels and the published split are its annotations.

    Raises:
        DataError: if the archive is not laid out so, or its table does not fit the images.
    """
    root = Path(source).expanduser()
    if not (root / TABLE).is_file():
        refuse_address(source)
        raise DataError(f"Expected a folder with {LAYOUT}, unpacked. There is no {TABLE} in {root}.")
    tree = open_tree(root, (), LIMITS)
    images = [name for name in tree.files if is_image(name) and name.split("/")[0] in PARTS]
    check_names(source, images)
    if not images:
        raise DataError(f"Expected {LAYOUT}. There is no image in {' or '.join(PARTS)} of {root}.")
    labels = read_labels(root / TABLE, images)
    strange = [name for name in labels.classes if name not in CLASSES]  # of a part, some classes may have no image
    if strange:
        raise DataError(f"{root / TABLE}: expected columns {', '.join(CLASSES)}. Found: {', '.join(strange)}.")
    left_out = [*no_images({name for name in tree.files if name not in images}), *_misplaced(tree.misplaced)]
    archive = archive_of(
        Listing(tree, (UNLABELLED,), images, left_out),
        NAME,
        lambda name: 0,
        lambda read: None,
        skip_damaged=skip_damaged,
        image_size=image_size,
    )
    names = {
        image: tuple(name for name, has in zip(labels.classes, row, strict=True) if has)
        for image, row in zip(images, labels.sets, strict=True)
    }
    parts = {image: PARTS[PurePosixPath(image).parts[0]] for image in images}
    table = sorted(names.items())
    prints = {key: fingerprint_of((archive.origin[key], table)) for key in ("fingerprint", "files")}
    origin = {**archive.origin, **prints}
    return dataclasses.replace(archive, origin=origin, annotations=Annotations(CLASSES, names, parts))


def _misplaced(names: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, f"does not belong there; expected {LAYOUT}") for name in names if name != TABLE]


DATASET = Dataset(
    open_archive,
    options=("skip_damaged", "image_size"),
    twin=Twin("keras_dhnn.pipelines.synthetic.dfc15_twin:write_dfc15", {"size": 400}),
)
