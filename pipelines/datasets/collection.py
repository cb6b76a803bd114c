"""Make of a folder of images one source of a data set: its files, and how each becomes an image of one size."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.pipelines.datasets.folder_listing import Listing
from keras_dhnn.pipelines.datasets.survey import Survey, survey_images
from keras_dhnn.pipelines.formats.image_file import decode_image, resize_stored
from keras_dhnn.pipelines.formats.limits import Limits
from keras_dhnn.pipelines.formats.unreadable import EmptyImage, UnreadableImage
from keras_dhnn.pipelines.scaling import PERCENTILES, describe_scaling, given_scaling, measure_scaling

LARGEST_SIDE = 256
LIMITS = Limits(file_bytes=256 << 20, total_bytes=1 << 42, files=2_000_000)
# Where red, green and blue are in Sentinel-2's bands B1, B2, ... B8, B8A, B9, (B10,) B11, B12.
_SENTINEL_2 = {12: (4, 3, 2), 13: (4, 3, 2)}


@dataclass(frozen=True, eq=False)
class Collection:
    """Describe a listed and surveyed folder of images.

    Attributes:
        listing: Listing of its files.
        survey: what most of its images are.
        side: of the stored images, in pixels.
        scaling: what becomes 0 and 255, see `scaling`; None for uint8 that is used as it is.
        grey_to_rgb: whether grey images among those of three bands become red, green and blue.
        rgb_bands: numbers, from 1, of the bands that are red, green and blue; None where there are fewer than three.
    """

    listing: Listing
    survey: Survey
    side: int
    scaling: dict | None
    rgb_bands: list | None
    grey_to_rgb: bool = False

    def image(self, name: str) -> np.ndarray | DamagedFile:
        """Return (side, side, channels) as stored, or the DamagedFile or EmptyImage that says why not."""
        survey = self.survey
        try:
            decoded = _decode(self.listing.tree, name)
            if decoded.bands.dtype != survey.dtype:
                reason = f"has pixels of {decoded.stored}; expected {survey.dtype}, as most of the others"
                return DamagedFile(name, reason)
            if self.grey_to_rgb and survey.channels == 3:
                decoded = decoded.in_colour()
            image = decoded.image(survey.channels)
            if decoded.without_opacity(survey.channels).holds_nothing:
                return EmptyImage(name)
            return resize_stored(image, self.side, self.side)
        except UnreadableImage as error:
            return DamagedFile(name, f"{error}, as most of the others")
        except DamagedFile as error:
            return error

    @property
    def notes(self) -> list[str]:
        """Return sentences for the user."""
        survey = self.survey
        notes = [
            *survey.notes,
            f"Images are stored as {self.side} x {self.side} pixels of {survey.channels} x {survey.dtype}.",
        ]
        if self.scaling:
            notes.append("Pixels become 0 to 255 as follows; change it by --percentiles or --scale:")
            notes += [f"  {line}" for line in describe_scaling(self.scaling)]
        if any(survey.names):
            notes.append(f"The files call their bands {', '.join(name or '-' for name in survey.names)}.")
        if self.rgb_bands and (survey.channels > 3 or self.rgb_bands != [1, 2, 3]):
            notes.append(f"Bands {self.rgb_bands} are taken as red, green and blue; change it by --rgb-bands.")
        return notes


def survey_collection(
    listing: Listing,
    *,
    image_size: int | None = None,
    skip_damaged: bool = False,
    percentiles: Sequence[float] = PERCENTILES,
    scale: Sequence[ArrayLike] | None = None,
    rgb_bands: Sequence[int] | None = None,
    grey_to_rgb: bool = False,
    seed: int = 0,
) -> Collection:
    """Look at up to 512 of a listing's images, drawn at random; arguments and errors as of `folder.open_archive`.

    Returns:
        Collection
    """
    decode = functools.partial(_decode, listing.tree)
    survey = survey_images(listing.images, decode, seed=seed, mixed=skip_damaged, grey_to_rgb=grey_to_rgb)
    side, scaling = _side(image_size, survey), _scaling(survey, percentiles, scale)
    return Collection(listing, survey, side, scaling, _colours(rgb_bands, survey), grey_to_rgb)


def _decode(tree, name):
    try:
        return decode_image(tree.read(name), LIMITS.file_bytes)
    except UnreadableImage as error:
        raise DamagedFile(name, str(error)) from error


def _side(image_size, survey):
    if image_size is None:
        return min(survey.side, LARGEST_SIDE)
    if not isinstance(image_size, int) or not 8 <= image_size <= 4096:
        raise DataError(f"Expected an image size from 8 to 4096 pixels. Received: {image_size}.")
    return image_size


def _colours(rgb_bands, survey):
    """Return the three bands that are red, green and blue, numbered from 1; None where there are fewer."""
    channels = survey.channels
    if rgb_bands is None:
        said = survey.colours if survey.colours and max(survey.colours) <= channels else None
        return list(said or _SENTINEL_2.get(channels, (1, 2, 3))) if channels >= 3 else None
    bands = list(rgb_bands)
    if len(set(bands)) != 3 or not all(1 <= band <= channels for band in bands):
        raise DataError(
            f"Expected the numbers of three bands, from 1 to {channels}, as red, green and blue. Received: {bands}."
        )
    return bands


def _scaling(survey, percentiles, scale):
    if scale is not None:
        return given_scaling(scale, survey.channels)
    return measure_scaling(survey.pixels, percentiles) if survey.dtype != "uint8" else None
