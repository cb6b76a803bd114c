"""Read the bands of a TIFF file, however it stores them: side by side, plane by plane, or page by page."""

import html
import json
import re
from dataclasses import dataclass, replace

import numpy as np

from keras_dhnn.pipelines.formats import tiff_page
from keras_dhnn.pipelines.formats.tiff_page import Page, read_pages
from keras_dhnn.pipelines.formats.tiff_segments import CURE, check_claim, check_page, read_pixels
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage

_ALPHA = (1, 2)
_RGB = ("red", "green", "blue")
MOST_BANDS = 256
# Colours that are not simply bands; Pillow makes red, green and blue of them.
_COLOURS = {tiff_page.PALETTE, tiff_page.SEPARATED, tiff_page.YCBCR, tiff_page.CIELAB}
_JPEG = (tiff_page.JPEG, tiff_page.OLD_JPEG)
_PICTURES = {*_JPEG, *tiff_page.CCITT}


@dataclass
class TiffBands:
    """Describe what a TIFF file holds.

    Attributes:
        bands: `(H, W, C)` array of the stored type; None if the page is a picture for Pillow: JPEG or fax compression,
            CMYK, black and white. What it claims is checked.
        page: number of the image in the file.
        alpha: whether the last band is marked as opacity.
        nodata: the value of empty pixels, or None.
        valid: `(H, W)` bool, where the file's own mask says that there is something; None where it has none.
        streams: JPEG streams that make up the image: its strips or tiles, or none.
        names: of the bands, in the order of the file, as far as it says them: "" for others; () if for none.
        colours: numbers, from 1, of the bands that are red, green and blue, where the file says so; else None.
    """

    bands: np.ndarray | None
    page: int
    alpha: bool
    nodata: float | None
    valid: np.ndarray | None
    streams: int
    names: tuple = ()
    colours: tuple | None = None


def decode_bands(content: bytes, most_bytes: int) -> TiffBands:
    """Decode the bands of a TIFF file.

    It is the first image that is neither an overview of another nor a mask. Others of equal size, type and kind are
    taken as further bands. A mask of its size, as GDAL writes it, says which pixels are valid.

    Args:
        content: the file's bytes.
        most_bytes: nothing larger is decoded.

    Returns:
        `TiffBands`.

    Raises:
        UnreadableImage: if it is not a TIFF, is damaged, claims too much memory, is stored in a way that is not read
            here, or holds several images, or more than 256 bands.
    """
    pages = read_pages(content)
    main = [page for page in pages if not page.is_any(tiff_page.REDUCED_BIT, tiff_page.MASK_BIT)]
    first = main[0] if main else pages[0]
    valid = _valid(first, pages, content, most_bytes)
    nodata, streams = _nodata(first), len(first.segments) if first.compression in _JPEG else 0
    if _has_palette(first):
        return _coloured(first, content, most_bytes, valid, nodata)
    if _is_picture(first):
        _check_picture(first, most_bytes)
        alpha = bool(first.extra) and first.extra[-1] in _ALPHA
        if not first.segments.all():
            raise UnreadableImage(f"leaves out strips or tiles of a picture. {CURE}")
        # What is empty among indices is no colour.
        nodata = None if first.photometric == tiff_page.PALETTE else nodata
        return TiffBands(None, first.number, alpha, nodata, valid, streams)
    alike = [page for page in main if page is first or _is_like(page, first)] or [first]
    for page in alike:
        check_page(page, content, most_bytes)
    if sum(page.nbytes for page in alike) > most_bytes:
        raise UnreadableImage(f"claims {len(alike)} pages of {first.shape}; at most {most_bytes:,} bytes are read")
    fill = _fill(nodata, first.dtype)
    images = [_upright(page, read_pixels(page, content, most_bytes, fill)) for page in alike]
    if len(images) > 1:
        return TiffBands(_bands_last(*_stacked(first, images)), first.number, False, nodata, valid, streams)
    alpha = bool(first.extra) and first.extra[-1] in _ALPHA
    bands = _bands_last(images[0], -1)
    return TiffBands(bands, first.number, alpha, nodata, valid, streams, _names(first), _rgb(first))


def _is_picture(page):
    bilevel = page.bits == 1 and page.bands == 1
    return page.compression in _PICTURES or bilevel or (page.bits <= 8 and page.photometric in _COLOURS)


def _has_palette(page):
    return page.photometric == tiff_page.PALETTE and page.fill_order == 1 and page.compression not in _PICTURES


def _coloured(page, content, most_bytes, valid, nodata):
    """Return the `TiffBands` of a page of indices of colours: 8 bits of red, green and blue."""
    check_page(page, content, most_bytes)
    check_claim(replace(page, bands=3, bits=8, planes=False), most_bytes)
    if page.kind != "u" or page.colour_map is None or page.colour_map.shape[1] != 1 << page.bits:
        raise UnreadableImage(f"is no readable TIFF (it has {page.bits} bits of indices without their colours)")
    pixels = read_pixels(page, content, most_bytes, _fill(nodata, page.dtype))
    empty = np.False_ if nodata is None else pixels[..., 0] == nodata
    if page.extra and page.extra[-1] in _ALPHA:
        empty = empty | (pixels[..., -1] == 0)
    if empty.any():
        valid = ~empty if valid is None else valid & ~empty
    # Some write the colours themselves, instead of their 256-fold.
    colours = (page.colour_map if page.colour_map.max() < 256 else page.colour_map >> 8).astype(np.uint8)
    return TiffBands(colours.T[pixels[..., 0]], page.number, False, None, valid, 0)


def _is_like(page, first):
    return page.shape == first.shape and page.dtype == first.dtype and not _is_picture(page)


def _check_picture(page, most_bytes):
    check_claim(replace(page, bands=4 if page.bands > 1 else 1, bits=8, kind="u", planes=False), most_bytes)
    colours = 4 if page.photometric == tiff_page.SEPARATED else 3
    deep = page.bits > 8
    if deep or page.bands - len(page.extra) > colours or any(extra not in _ALPHA for extra in page.extra):
        name = tiff_page.COMPRESSIONS.get(page.compression, page.compression)
        raise UnreadableImage(
            f"holds {page.bands} bands of {page.bits} bits with compression {name}, which are read only as red, green "
            f"and blue of 8 bits. {CURE}"
        )


def _upright(page, image):
    """Return pixels as the file shows them: 0 may be white."""
    if page.photometric != tiff_page.WHITE_IS_ZERO:
        return image
    if page.kind != "u":
        raise UnreadableImage(f"says that 0 is white, of numbers that have no other end. {CURE}")
    return image.dtype.type((1 << page.bits) - 1) - image


def _valid(first, pages, content, most_bytes):
    """Return the mask of the first image, or None."""
    for page in pages:
        is_mask = page.is_any(tiff_page.MASK_BIT) and not page.is_any(tiff_page.REDUCED_BIT)
        if is_mask and page.shape == (first.height, first.width, 1) and page.kind == "u":
            return read_pixels(page, content, most_bytes)[..., 0] > 0
    return None


def _stacked(page: Page, images):
    """Return pages as one array, and the axis that counts its bands, None if unknown: tifffile notes what it cut up."""
    stack = np.stack([image[..., 0] if image.shape[2] == 1 else image for image in images])
    if page.description.startswith('{"shape":'):
        try:
            noted = tuple(json.loads(page.description)["shape"])
            if np.prod(noted) == stack.size:
                return stack.reshape(noted), None
        except (ValueError, TypeError, RecursionError):
            pass
    return stack, 0


def _bands_last(image, axis):
    """Return (H, W, C) of what is stored; where nothing says which axis counts bands, it is the last or first: the
    shorter.
    """
    if axis is None:
        image = image.reshape([side for side in image.shape if side > 1])
        axis = -1 if image.ndim and image.shape[-1] <= image.shape[0] else 0
    if image.ndim == 2:
        image, axis = image[..., None], -1
    if image.ndim != 3 or image.shape[axis] > MOST_BANDS:
        raise UnreadableImage(f"holds images of shape {image.shape}; expected one image of 1 to {MOST_BANDS} bands")
    return np.moveaxis(image, axis, -1)


def _names(page):
    """Return what the bands are called, in GDAL's metadata."""
    names = _items(page, "description")
    return tuple(names.get(band, "") for band in range(page.bands)) if names else ()


def _rgb(page):
    """Return which bands are red, green and blue, by GDAL's metadata, or else by the file's kind."""
    found = {colour.lower(): band + 1 for band, colour in _items(page, "colorinterp").items()}
    if page.photometric == tiff_page.RGB:
        # GDAL notes only what differs from the order of the file.
        noted = set(found.values())
        found = {name: band for band, name in enumerate(_RGB, 1) if band not in noted} | found
    return tuple(found[name] for name in _RGB) if set(_RGB) <= found.keys() else None


def _items(page, role):
    """Return `{band number, from 0: text}` of one role in GDAL's metadata; read by a pattern, for XML may be a bomb."""
    found = re.findall(r'<Item name="[^"<>]{1,99}" sample="(\d{1,5})" role="(\w+)">([^<]{0,200})</Item>', page.metadata)
    return {int(band): html.unescape(text) for band, kind, text in found if kind == role and int(band) < page.bands}


def _nodata(page):
    try:
        value = None if page.nodata is None else float(page.nodata.strip())
    except ValueError:
        return None
    return (1 << page.bits) - 1 - value if value is not None and page.photometric == tiff_page.WHITE_IS_ZERO else value


def _fill(nodata, dtype):
    """Return what GDAL gives for blocks that are left out: the value of empty pixels if the type has it, else 0."""
    if nodata is None:
        return 0
    if dtype.kind == "f":
        return nodata
    limits = np.iinfo(dtype)
    return int(nodata) if limits.min <= nodata <= limits.max and nodata == int(nodata) else 0
