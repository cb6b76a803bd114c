"""Read anybody's own images: `<root>/<class>/<image>`, a folder a class, of any size, 1 to 256 bands and most types.

Images may be TIFF (GeoTIFF as GDAL writes it: LZW, deflate, Zstandard, tiled or not, bands side by side or as planes),
PNG, JPEG, JPEG 2000, BMP or WebP. uint8, uint16 and int16 are stored as they are, float32 too; other integers and
floats become float32. Whatever is not uint8 is scaled to 0..255 when a network sees it, by percentiles of each band
over a sample of the collection, which go into `info.json`. See `image_file.decode_image` for opacity, palettes and
empty pixels.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from keras_dhnn.errors import DamagedFile
from keras_dhnn.pipelines.datasets.class_folders import check_classes
from keras_dhnn.pipelines.datasets.collection import LIMITS, survey_collection
from keras_dhnn.pipelines.datasets.dataset import Dataset
from keras_dhnn.pipelines.datasets.folder_listing import LAYOUT, Listing, list_collection
from keras_dhnn.pipelines.example import Archive, Example, fingerprint_of
from keras_dhnn.pipelines.formats.unreadable import EmptyImage
from keras_dhnn.pipelines.read_ahead import read_ahead
from keras_dhnn.pipelines.scaling import PERCENTILES

NAME = "folder"
SOURCE = "image"


def open_archive(
    source: Path | str,
    *,
    image_size: int | None = None,
    skip_damaged: bool = False,
    percentiles: Sequence[float] = PERCENTILES,
    scale: Sequence[ArrayLike] | None = None,
    rgb_bands: Sequence[int] | None = None,
    grey_to_rgb: bool = False,
    zip_encoding: str | None = None,
    seed: int = 0,
) -> Archive:
    """List and check a collection; look at up to 512 of its images, drawn at random.

    Args:
        source: the folder that holds a folder a class, or a zip of it. Folders around it that hold nothing else are
            looked through.
        image_size: side in pixels of the stored images, which are square; by default the median side of the sample,
            at most 256.
        skip_damaged: leave out what cannot be read, lies elsewhere or differs from most images in its bands or type,
            instead of stopping at it. Files that are no images by their names, and images without a measurement, are
            left out in any case.
        percentiles: (lower, upper) of each band that become 0 and 255, where images are not uint8.
        scale: what becomes 0 and 255 instead: (low, high), each a number, or a list of one a band.
        rgb_bands: numbers, from 1, of the bands that are red, green and blue, for networks that were trained on
            such, and for pictures; by default what the files say, else 1, 2, 3, or 4, 3, 2 of 12 or 13 bands
            (Sentinel-2).
        grey_to_rgb: take grey images among those of three bands as red, green and blue.
        zip_encoding: of names in a zip that do not say it; see `zip_names`.
        seed: of the sample.

    Returns:
        Archive, for `prepare`. Its `origin` says how the images are read: `layout`, `scaling`, `rgb_bands`, and
        `notes` for the user.

    Raises:
        DataError: if the collection is not laid out so, its sample is of several kinds, or a setting does not fit it.
    """
    listing = list_collection(source, LIMITS, skip_damaged=skip_damaged, zip_encoding=zip_encoding)
    labels = {folder: label for label, folder in enumerate(listing.classes)}
    return archive_of(
        listing,
        NAME,
        lambda name: labels[name.split("/")[0]],
        lambda read: check_classes(source, listing.classes, read, LAYOUT),
        skip_damaged=skip_damaged,
        grey_to_rgb=grey_to_rgb,
        image_size=image_size,
        percentiles=percentiles,
        scale=scale,
        rgb_bands=rgb_bands,
        seed=seed,
    )


def archive_of(
    listing: Listing,
    layout: str,
    label_of: Callable[[str], int],
    check: Callable[[list[str]], None],
    *,
    skip_damaged: bool,
    grey_to_rgb: bool = False,
    **options: Any,
) -> Archive:
    """Return the Archive of listed images, which are surveyed and read alike whatever decides their classes.

    Args:
        listing: `Listing` of the images.
        layout: its name, for the record.
        label_of: gives the number of an image's class by its name.
        check: is called with the names of the images that could be read, at the end; raises if they are too few.
        skip_damaged: see `open_archive`, as the others.
        grey_to_rgb: see there.
        **options: of `survey_collection`.
    """
    collection = survey_collection(listing, skip_damaged=skip_damaged, grey_to_rgb=grey_to_rgb, **options)

    def read(skipped: list[tuple[str, str]]) -> Iterator[Example]:
        skipped += listing.left_out
        return _examples(collection, label_of, check, skipped, skip_damaged=skip_damaged)

    made_by = {
        "layout": layout,
        "image_size": collection.side,
        "scaling": collection.scaling and {SOURCE: collection.scaling},
        "rgb_bands": collection.rgb_bands,
        **({"grey_to_rgb": True} if grey_to_rgb else {}),
        **({"band_names": list(collection.survey.names)} if any(collection.survey.names) else {}),
    }
    tree = listing.tree.origin
    files = tree["fingerprint"]
    fingerprint = fingerprint_of((files, sorted(made_by.items())))
    return Archive(
        classes=listing.classes,
        count=len(listing.images),
        origin={**tree, "fingerprint": fingerprint, "files": files, **made_by, "notes": collection.notes},
        read=read,
    )


def _examples(collection, label_of, check, skipped, *, skip_damaged):
    """Yield the Examples; an image that cannot be used is appended to `skipped`, or raised, unless it is only empty."""
    read = []
    for name, outcome in read_ahead(collection.image, collection.listing.images):
        if isinstance(outcome, DamagedFile):
            if not (skip_damaged or isinstance(outcome, EmptyImage)):
                raise outcome
            skipped.append((name, outcome.reason))
            continue
        read.append(name)
        yield Example(name, label_of(name), {SOURCE: outcome})
    check(read)


OPTIONS = ("skip_damaged", "image_size", "percentiles", "scale", "rgb_bands", "grey_to_rgb", "zip_encoding")
DATASET = Dataset(open_archive, options=OPTIONS)
