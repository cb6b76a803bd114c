"""The bands of a TIFF file, however it stores them: side by side, plane by plane, or page by page."""

import json

import numpy as np
import tifffile

from keras_dhnn.pipelines.formats.tiff import UnreadableTiff, check_claim, decode_page, read_tiff

_COMPRESSION, _PHOTOMETRIC, _ALPHA = tifffile.COMPRESSION, tifffile.PHOTOMETRIC, (1, 2)
_NODATA_TAG = 42113  # GDAL's: the value of pixels that hold nothing, as text
_REDUCED, _MASK = 1, 4  # bits of the tag NewSubfileType: an overview of another page, a mask
_MOST_BANDS = 16
# Colours that are not simply bands; Pillow makes red, green and blue of them.
_COLOURS = {
    _PHOTOMETRIC.MINISWHITE,
    _PHOTOMETRIC.PALETTE,
    _PHOTOMETRIC.SEPARATED,
    _PHOTOMETRIC.YCBCR,
    _PHOTOMETRIC.CIELAB,
}
_PICTURES = {
    _COMPRESSION.JPEG,
    _COMPRESSION.OJPEG,
    _COMPRESSION.CCITTRLE,
    _COMPRESSION.CCITTFAX3,
    _COMPRESSION.CCITTFAX4,
}


def decode_bands(content, most_bytes):
    """The bands of a TIFF file.

    Pages of equal size are taken as bands; overviews and masks, as GDAL adds them, are left out.

    Args:
        content: the file's bytes.
        most_bytes: see `tiff.decode_tiff`.

    Returns:
        `(bands, alpha, nodata)`: an `(H, W, C)` array of the stored type, whether its last band is marked as opacity,
        and the value of empty pixels, or None. None instead of all if the file is a picture for Pillow: JPEG or fax
        compression, a palette, CMYK, fewer than 8 bits. What it claims is checked.

    Raises:
        UnreadableTiff: as `tiff.decode_tiff`, or if it holds several images, or more than 16 bands.
    """
    return read_tiff(content, lambda file: _decode(file, content, most_bytes))


def _decode(file, content, most_bytes):
    page = file.pages.first
    if _is_picture(page):
        _check_picture(page, most_bytes)
        return None
    pages = [page, *(file.pages[1:] if len(file.pages) > 1 else [])]
    pages = [other for other in pages if other is page or _is_band(other, page)]
    if sum(other.nbytes for other in pages) > most_bytes:
        raise UnreadableTiff(f"claims {len(pages)} pages of {page.shape}; at most {most_bytes:,} bytes are read")
    images = [decode_page(other, content, most_bytes) for other in pages]
    nodata = _nodata(page)
    if len(images) > 1:
        return _bands_last(*_stacked(page, images)), False, nodata
    alpha = bool(page.extrasamples) and page.extrasamples[-1] in _ALPHA
    planes = page.planarconfig == 2 and page.samplesperpixel > 1
    return _bands_last(images[0], 0 if planes else -1), alpha, nodata


def _is_picture(page):
    small = page.bitspersample not in (16, 32, 64)
    odd = small and page.bitspersample != 8
    return page.compression in _PICTURES or odd or (small and page.photometric in _COLOURS)


def _is_band(page, first):
    return not int(page.subfiletype) & (_REDUCED | _MASK) and page.shape == first.shape and page.dtype == first.dtype


def _check_picture(page, most_bytes):
    check_claim(page, most_bytes)
    colours = 4 if page.photometric == _PHOTOMETRIC.SEPARATED else 3
    if page.samplesperpixel - len(page.extrasamples) > colours or any(
        extra not in _ALPHA for extra in page.extrasamples
    ):
        name = getattr(page.compression, "name", page.compression)
        raise UnreadableTiff(
            f"holds {page.samplesperpixel} bands with compression {name}, which are read only as red, green and blue. "
            "Convert it, for example: gdal_translate -co COMPRESS=LZW"
        )


def _stacked(page, images):
    """Pages as one array, and the axis that counts its bands, None if unknown: `imwrite` notes what it cut up."""
    stack = np.stack(images)
    if page.shaped_description is not None:
        noted = tuple(json.loads(page.shaped_description)["shape"])
        if np.prod(noted) == stack.size:
            return stack.reshape(noted), None
    return stack, 0


def _bands_last(image, axis):
    """(H, W, C) of what is stored; where nothing says which axis counts bands, the last if it can, else the first."""
    if axis is None:
        image = image.reshape([side for side in image.shape if side > 1])
        axis = -1 if image.shape[-1] <= _MOST_BANDS else 0
    if image.ndim == 2:
        image, axis = image[..., None], -1
    if image.ndim != 3 or image.shape[axis] > _MOST_BANDS:
        raise UnreadableTiff(f"holds images of shape {image.shape}; expected one image of 1 to {_MOST_BANDS} bands")
    return np.moveaxis(image, axis, -1)


def _nodata(page):
    tag = page.tags.get(_NODATA_TAG)
    try:
        return None if tag is None else float(str(tag.value).strip("\0 "))
    except ValueError:
        return None
