"""Anybody's own images: `<root>/<class>/<image>`, a folder a class, of any size, 1 to 16 bands and most types.

Images may be TIFF (GeoTIFF as GDAL writes it: LZW, deflate, Zstandard, tiled or not, bands side by side or as planes),
PNG, JPEG or WebP. uint8, uint16 and int16 are stored as they are, float32 too; other integers and floats become
float32. Whatever is not uint8 is scaled to 0..255 when a network sees it, by percentiles of each band over a sample of
the collection, which go into `info.json`. See `image_file.decode_image` for opacity, palettes and empty pixels.
"""

import hashlib

from keras_dhnn.pipelines.archives import Limits
from keras_dhnn.pipelines.class_folders import check_classes
from keras_dhnn.pipelines.errors import DamagedFile, DataError
from keras_dhnn.pipelines.example import Archive, Example
from keras_dhnn.pipelines.folder_listing import LAYOUT, list_collection
from keras_dhnn.pipelines.image_file import UnreadableImage, decode_image, resize_stored
from keras_dhnn.pipelines.read_ahead import read_ahead
from keras_dhnn.pipelines.scaling import PERCENTILES, describe_scaling, given_scaling, measure_scaling
from keras_dhnn.pipelines.survey import survey_images

NAME = "folder"
SOURCE = "image"
LARGEST_SIDE = 256
_LIMITS = Limits(file_bytes=256 << 20, total_bytes=1 << 42, files=2_000_000)
# Where red, green and blue are in Sentinel-2's bands B1, B2, ... B8, B8A, B9, (B10,) B11, B12.
_SENTINEL_2 = {12: (4, 3, 2), 13: (4, 3, 2)}


def open_archive(
    source, *, image_size=None, skip_damaged=False, percentiles=PERCENTILES, scale=None, rgb_bands=None, seed=0
):
    """Lists and checks a collection, and looks at up to 512 of its images, drawn at random.

    Args:
        source: the folder that holds a folder a class, or a zip of it. Folders around it that hold nothing else are
            looked through.
        image_size: side in pixels of the stored images, which are square; by default the median side of the sample,
            at most 256.
        skip_damaged: leave out what cannot be read, lies elsewhere or differs from most images in its bands or type,
            instead of stopping at it. Files that are no images by their names are left out in any case.
        percentiles: (lower, upper) of each band that become 0 and 255, where images are not uint8.
        scale: what becomes 0 and 255 instead: (low, high), each a number, or a list of one a band.
        rgb_bands: numbers, from 1, of the bands that are red, green and blue, for networks that were trained on
            such, and for pictures; by default 1, 2, 3, or 4, 3, 2 of 12 or 13 bands (Sentinel-2).
        seed: of the sample.

    Returns:
        Archive, for `prepare`. Its `source` says how the images are read: `layout`, `scaling`, `rgb_bands`, and
        `notes` for the user.

    Raises:
        DataError: if the collection is not laid out so, its sample is of several kinds, or a setting does not fit it.
    """
    listing = list_collection(source, _LIMITS, skip_damaged=skip_damaged)
    tree, images = listing.tree, listing.images
    survey = survey_images(images, lambda name: _decode(tree, name), seed=seed, mixed=skip_damaged)
    side = _side(image_size, survey)
    colours = _colours(rgb_bands, survey.channels)
    scaling = _scaling(survey, percentiles, scale)

    def read(skipped):
        skipped += listing.left_out
        return _examples(source, listing, survey, side, skipped if skip_damaged else None)

    made_by = {"layout": NAME, "image_size": side, "scaling": scaling, "rgb_bands": colours}
    fingerprint = hashlib.sha256(repr((tree.source["fingerprint"], sorted(made_by.items()))).encode()).hexdigest()
    notes = [*survey.notes, *_notes(survey, side, scaling, colours)]
    return Archive(
        classes=listing.classes,
        count=len(images),
        source={**tree.source, "fingerprint": fingerprint, **made_by, "notes": notes},
        read=read,
    )


def _examples(source, listing, survey, side, skipped):
    """The Examples; an image that cannot be used is appended to `skipped`, or raised if that is None."""
    labels = {folder: label for label, folder in enumerate(listing.classes)}
    read = []
    for name, outcome in read_ahead(lambda name: _image(listing.tree, name, survey, side), listing.images):
        if isinstance(outcome, DamagedFile):
            if skipped is None:
                raise outcome
            skipped.append((name, outcome.reason))
            continue
        read.append(name)
        yield Example(name, labels[name.split("/")[0]], {SOURCE: outcome})
    check_classes(source, listing.classes, read, LAYOUT)


def _image(tree, name, survey, side):
    """(side, side, channels) as stored, or the DamagedFile that says why not."""
    try:
        decoded = _decode(tree, name)
        if decoded.bands.dtype != survey.dtype:
            return DamagedFile(name, f"has pixels of {decoded.stored}; expected {survey.dtype}, as most of the others")
        return resize_stored(decoded.image(survey.channels), side, side)
    except UnreadableImage as error:
        return DamagedFile(name, f"{error}, as most of the others")
    except DamagedFile as error:
        return error


def _decode(tree, name):
    try:
        return decode_image(tree.read(name), _LIMITS.file_bytes)
    except UnreadableImage as error:
        raise DamagedFile(name, str(error)) from error


def _side(image_size, survey):
    if image_size is None:
        return min(survey.side, LARGEST_SIDE)
    if not isinstance(image_size, int) or not 8 <= image_size <= 4096:
        raise DataError(f"Expected an image size from 8 to 4096 pixels. Received: {image_size}.")
    return image_size


def _colours(rgb_bands, channels):
    """The three bands that are red, green and blue, numbered from 1; None where there are fewer."""
    if rgb_bands is None:
        return list(_SENTINEL_2.get(channels, (1, 2, 3))) if channels >= 3 else None
    bands = list(rgb_bands)
    if len(set(bands)) != 3 or not all(1 <= band <= channels for band in bands):
        raise DataError(
            f"Expected the numbers of three bands, from 1 to {channels}, as red, green and blue. Received: {bands}."
        )
    return bands


def _scaling(survey, percentiles, scale):
    """{source: scaling}, or None for uint8 that is used as it is."""
    if scale is not None:
        return {SOURCE: given_scaling(scale, survey.channels)}
    return {SOURCE: measure_scaling(survey.pixels, percentiles)} if survey.dtype != "uint8" else None


def _notes(survey, side, scaling, colours):
    yield f"Images are stored as {side} x {side} pixels of {survey.channels} x {survey.dtype}."
    if scaling:
        yield "Pixels become 0 to 255 as follows; change it by --percentiles or --scale:"
        yield from (f"  {line}" for line in describe_scaling(scaling[SOURCE]))
    if colours and survey.channels > 3:
        yield f"Bands {colours} are taken as red, green and blue; change it by --rgb-bands."
