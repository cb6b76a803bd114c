"""Measure what the images of a collection have in common, on a sample of its files."""

import collections
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.pipelines.formats.image_file import Decoded
from keras_dhnn.pipelines.formats.unreadable import EmptyImage

_IMAGES = 512  # of the sample
_PIXELS = 1024  # of each of them, for percentiles


@dataclass(frozen=True)
class Survey:
    """Describe what most images of a sample are.

    Attributes:
        channels: bands, less an opacity that is a mask.
        dtype: type they are stored in, as of `Decoded.bands`.
        side: median of heights and widths, in pixels.
        pixels: list of `(n,)` float32, a sample of the values of each band; None for uint8.
        notes: sentences for the user.
        names: of the bands, where the files say them; else ().
        colours: numbers, from 1, of the bands that are red, green and blue, where the files say so; else None.
    """

    channels: int
    dtype: str
    side: int
    pixels: list | None
    notes: tuple
    names: tuple = ()
    colours: tuple | None = None


@dataclass(frozen=True)
class _Seen:
    """Describe one image of the sample."""

    name: str
    bands: int
    dtype: str
    stored: str
    height: int
    width: int
    alpha: bool
    mask: bool
    values: list | None
    holes: bool
    names: tuple
    colours: tuple | None


def survey_images(
    names: Sequence[str],
    decode: Callable[[str], Decoded],
    *,
    seed: int = 0,
    mixed: bool = False,
    grey_to_rgb: bool = False,
) -> Survey:
    """Look at up to 512 images.

    Args:
        names: of all images.
        decode: `decode(name)`, a `Decoded` or DamagedFile.
        seed: of the sample.
        mixed: whether images of several kinds will do: then most of the sample decide.
        grey_to_rgb: whether grey images count as red, green and blue if there are images of three bands.

    Returns:
        `Survey`.

    Raises:
        DataError: if the sample has several numbers of bands or types (and not `mixed`), or no readable image.
    """
    random = np.random.default_rng(seed)
    chosen = np.sort(random.permutation(len(names))[:_IMAGES])
    seen, errors = [], []
    for number in chosen:
        try:
            decoded = decode(names[number])
        except DamagedFile as error:
            errors.append(error)
            continue
        if decoded.holds_nothing:
            errors.append(EmptyImage(names[number]))
        else:
            seen.append(_look(names[number], decoded, random))
    if not seen:
        raise errors[0]
    if grey_to_rgb and any(image.bands - image.alpha == 3 for image in seen):
        seen = [image for image in seen if image.bands - image.alpha != 1]
    masks = all(image.mask for image in seen if image.alpha)
    kinds = collections.Counter((image.bands - (image.alpha and masks), image.dtype) for image in seen)
    channels, dtype = kinds.most_common(1)[0][0]
    if len(kinds) > 1 and not mixed:
        raise DataError(_describe_kinds(kinds, seen, masks))
    values = [image.values for image in seen if image.values and image.dtype == dtype and len(image.values) >= channels]
    pixels = [np.concatenate([image[band] for image in values]) for band in range(channels)] if values else None
    sides = [side for image in seen for side in (image.height, image.width)]
    notes = tuple(_notes(seen, channels, dtype, masks))
    alike = [image for image in seen if image.bands - (image.alpha and masks) == channels]
    common, colours = (_common([getattr(image, name) for image in alike]) for name in ("names", "colours"))
    return Survey(channels, dtype, round(float(np.median(sides))), pixels, notes, (common or ())[:channels], colours)


def _common(values):
    """Return what all images say alike, or None."""
    return values[0] if len(set(values)) == 1 else None


def _look(name, decoded: Decoded, random):
    height, width, bands = decoded.bands.shape
    values, dtype = None, decoded.bands.dtype.name
    opacity = decoded.bands[..., -1]
    most = np.iinfo(dtype).max if decoded.bands.dtype.kind != "f" else 1
    mask = decoded.alpha and bool(np.isin(opacity, (0, 1, most)).all())
    if dtype != "uint8":
        places = random.integers(height * width, size=min(_PIXELS, height * width))
        drawn = decoded.bands.reshape(-1, bands)[places]
        # Borders of satellite scenes are often zero in all bands.
        kept = np.broadcast_to((drawn != 0).any(axis=1, keepdims=True), drawn.shape)
        if decoded.empty is not None:
            kept = kept & ~decoded.empty.reshape(-1, bands)[places]
        if mask:
            kept = kept & (opacity.reshape(-1, 1)[places] > 0)
        values = [drawn[kept[:, band], band].astype(np.float32) for band in range(bands)]
    holes = decoded.empty is not None or (mask and not opacity.all())
    return _Seen(
        name,
        bands,
        dtype,
        decoded.stored,
        height,
        width,
        decoded.alpha,
        mask,
        values,
        holes,
        decoded.names,
        decoded.colours,
    )


def _describe_kinds(kinds, seen, masks):
    lines = ["Expected images of one number of bands and one type. A sample of them has:"]
    for (channels, dtype), count in kinds.most_common():
        first = next(s.name for s in seen if (s.bands - (s.alpha and masks), s.dtype) == (channels, dtype))
        lines.append(f"  {count} of {channels} {'band' if channels == 1 else 'bands'}, {dtype}, such as {first}")
    counts = {channels for channels, _ in kinds}
    grey = " take grey ones as red, green and blue with --grey-to-rgb," if counts == {1, 3} else ""
    lines.append(f"Convert the others,{grey} or leave all but the most frequent out with --skip-damaged.")
    return "\n".join(lines)


def _notes(seen, channels, dtype, masks):
    stored = sorted({image.stored for image in seen if image.dtype == dtype} - {dtype})
    if stored:
        yield f"Pixels of {', '.join(stored)} are stored as {dtype}."
    if any(image.alpha for image in seen):
        yield (
            f"Band {channels + 1} is marked as opacity and is a mask: it is left out."
            if masks
            else f"Band {channels} is marked as opacity, but holds more than a mask: it is kept as a band."
        )
    holes = sum(image.holes for image in seen)
    if holes:
        yield (
            f"Of {len(seen)} images looked at, {holes} {'has' if holes == 1 else 'have'} empty pixels: they are stored "
            "as the lowest value of their band."
        )
    sizes = {(image.height, image.width) for image in seen}
    if any(height != width for height, width in sizes):
        yield "Images that are not square are stretched to a square."
