"""Read the pixels of a TIFF page from the strips or tiles that hold them, unpacked within a bound on memory.

Pillow brings libtiff, which unpacks LZW, deflate, PackBits and Zstandard, but makes images only of few bands and
types. So libtiff gets strips or tiles under a directory that calls them rows of a grey image of bytes, and takes no
more memory than this image; what comes out is made pixels here: any number of bands, any type.
"""

import math
import struct

import numpy as np

from keras_dhnn.pipelines.formats import tiff_page
from keras_dhnn.pipelines.formats.pictures import open_picture
from keras_dhnn.pipelines.formats.tiff_page import Page
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage

_UNPACKED = (tiff_page.LZW, tiff_page.DEFLATE, tiff_page.OLD_DEFLATE, tiff_page.PACKBITS, tiff_page.ZSTD)
_WITH_PREDICTOR = (tiff_page.LZW, tiff_page.DEFLATE, tiff_page.OLD_DEFLATE, tiff_page.ZSTD)
_DIFFERENCES, _FLOATS = 2, 3
_LONG, _MAGIC = 4, 8
# Bytes that are unpacked at once: Pillow warns of larger images.
_AT_ONCE = 64 << 20
CURE = "Convert it, for example: gdal_translate -co COMPRESS=LZW IN.tif OUT.tif"


def check_page(page: Page, content: bytes, most_bytes: int) -> None:
    """Check that what a page claims can be decoded, and takes no more memory than is allowed.

    Args:
        page: the page.
        content: the file's bytes.
        most_bytes: that the image may take.

    Raises:
        UnreadableImage: if not.
    """
    check_claim(page, most_bytes)
    if page.compression not in (tiff_page.NONE, *_UNPACKED):
        name = tiff_page.COMPRESSIONS.get(page.compression, page.compression)
        raise UnreadableImage(
            f"is compressed as {name}; expected no compression, LZW, deflate, PackBits or Zstandard. {CURE}"
        )
    if page.kind not in "uif" or (page.bits not in (8, 16, 32, 64) and (page.kind != "u" or page.bits > 32)):
        kinds = {"u": "unsigned whole", "i": "signed whole", "f": "real", "c": "complex"}
        raise UnreadableImage(
            f"has samples of {page.bits} bits, {kinds.get(page.kind, 'unknown')} numbers; expected whole or real ones "
            "of 8, 16, 32 or 64, or unsigned ones of 1 to 32. Convert it, for example: gdal_translate -ot Float64 "
            "IN.tif OUT.tif"
        )
    if page.fill_order != 1:
        raise UnreadableImage(f"stores the bits of a byte in reverse. {CURE}")
    count = math.prod(_counts(page))
    if len(page.segments) != count:
        raise UnreadableImage(f"is no readable TIFF (it has {len(page.segments)} strips or tiles, where {count} are)")
    offsets, sizes = page.segments.T
    end = int((offsets + sizes).max(initial=0))
    if end > len(content):
        raise UnreadableImage(f"is truncated: its pixels end at byte {end:,}, the file at byte {len(content):,}")
    if sizes.sum() > len(content) + most_bytes:
        raise UnreadableImage("is no readable TIFF (its strips or tiles are the same bytes again and again)")


def check_claim(page: Page, most_bytes: int) -> None:
    """Raise UnreadableImage if decoding a page would take more memory than `most_bytes`, by what its tags claim."""
    height, width = page.tile
    planes, down, across = _counts(page)
    inner = page.bands // planes
    # An image is unpacked by strips or tiles, which may be larger than the image.
    tiles = planes * down * height * across * width * inner * page.dtype.itemsize if page.tiled else 0
    if page.nbytes > most_bytes or tiles > 4 * most_bytes:
        raise UnreadableImage(
            f"claims an image of {page.shape}, {max(page.nbytes, tiles):,} bytes; at most {most_bytes:,} are read. Cut "
            "it into smaller ones, for example: gdal_retile.py -ps 1024 1024 -targetDir TILES IN.tif"
        )


def read_pixels(page: Page, content: bytes, most_bytes: int, fill: float = 0) -> np.ndarray:
    """Decode a page.

    Args:
        page: the page.
        content: the file's bytes.
        most_bytes: nothing larger is decoded.
        fill: value of the pixels of strips or tiles that are left out, as GDAL does with those that are empty.

    Returns:
        `(H, W, bands)` array of `page.dtype`.

    Raises:
        UnreadableImage: as `check_page`, or if a strip or tile is damaged.
    """
    check_page(page, content, most_bytes)
    planes, down, across = _counts(page)
    inner = page.bands // planes
    height, width = page.tile
    image = np.full((planes, page.height, page.width, inner), fill, page.dtype)
    for rows, numbers in _of_equal_height(page):
        raw = _unpacked(page, content, page.segments[numbers], rows)
        for number, block in zip(numbers.tolist(), _samples(raw, page, inner), strict=True):
            plane, place = divmod(number, down * across)
            y, x = (place // across) * height, (place % across) * width
            image[plane, y : y + rows, x : x + width] = block[: page.height - y, : page.width - x]
    return np.moveaxis(image, 0, 2).reshape(page.shape)


def _counts(page):
    """Return numbers of planes, and of strips or tiles down and across."""
    height, width = page.tile
    return page.bands if page.planes else 1, -(-page.height // height), -(-page.width // width)


def _of_equal_height(page):
    """Yield (rows, numbers of strips or tiles that are there): the last strip of a plane has fewer rows."""
    there = np.flatnonzero((page.segments > 0).all(axis=1))
    height, down = page.tile[0], _counts(page)[1]
    last = height if page.tiled else page.height - (down - 1) * height
    short = (there % down == down - 1) & (last != height)
    for rows, numbers in ((height, there[~short]), (last, there[short])):
        batch = max(_AT_ONCE // (rows * _row(page)), 1)
        for first in range(0, len(numbers), batch):
            yield rows, numbers[first : first + batch]


def _row(page):
    """Return bytes in a row of a strip or tile."""
    return -(-page.tile[1] * (1 if page.planes else page.bands) * page.bits // 8)


def _unpacked(page, content, segments, rows):
    """Return `(n, rows, bytes)` uint8 of n strips or tiles."""
    row = _row(page)
    if page.compression != tiff_page.NONE:
        if rows * row > _AT_ONCE:
            raise UnreadableImage(
                f"is packed in strips or tiles of {rows * row:,} bytes; at most {_AT_ONCE:,} are unpacked at once. Cut "
                "it up, for example: gdal_translate -co TILED=YES -co COMPRESS=LZW IN.tif OUT.tif"
            )
        pieces = [content[first : first + size] for first, size in segments.tolist()]
        return _by_libtiff(pieces, page.compression, rows, row)
    if segments[:, 1].min() < rows * row:
        raise UnreadableImage(
            f"is truncated: a strip or tile has {segments[:, 1].min():,} of {rows * row:,} bytes of pixels"
        )
    raw = b"".join(content[first : first + rows * row] for first in segments[:, 0].tolist())
    return np.frombuffer(raw, np.uint8).reshape(len(segments), rows, row)


def _by_libtiff(pieces, compression, rows, row):
    """Return the same of packed ones, which become the strips of an image that is `row` pixels wide."""
    sizes = [len(piece) for piece in pieces]
    offsets = (_MAGIC + np.cumsum([0, *sizes[:-1]])).tolist()
    body = b"".join(pieces)
    tags = {256: [row], 257: [rows * len(pieces)], 258: [8], 259: [compression], 262: [1], 277: [1]}
    tags |= {273: offsets, 278: [rows], 279: sizes}
    directory = _MAGIC + len(body)
    file = struct.pack("<2sHI", b"II", 42, directory) + body + _directory(tags, directory)
    try:
        with open_picture(file, ("TIFF",)) as image:
            return np.asarray(image).reshape(len(pieces), rows, row)
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError and more.
        raise UnreadableImage(f"is no readable TIFF, its pixels are damaged ({error})") from error


def _directory(tags, place):
    """Return a TIFF directory that begins at byte `place`, of {tag: numbers}."""
    entries, values = [], b""
    beyond = place + 2 + 12 * len(tags) + 4
    for code, numbers in sorted(tags.items()):
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            place_of_values, values = struct.pack("<I", beyond + len(values)), values + packed
            packed = place_of_values
        entries.append(struct.pack("<HHI", code, _LONG, len(numbers)) + packed)
    return struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4) + values


def _samples(raw, page, bands):
    """Return `(n, rows, width, bands)` samples of `(n, rows, bytes)` uint8, in the machine's order of bytes."""
    shape = (*raw.shape[:2], page.tile[1], bands)
    if page.bits not in (8, 16, 32, 64):
        return np.stack([_small(block, page.bits, shape[2] * bands) for block in raw]).reshape(shape)
    predictor = page.predictor if page.compression in _WITH_PREDICTOR else 1
    rows = raw.reshape(-1, raw.shape[2])
    if predictor == _FLOATS:
        if page.kind != "f":
            raise UnreadableImage("is no readable TIFF (it stores whole numbers as differences of real ones)")
        return _undo_floats(rows, page, bands).reshape(shape)
    pixels = np.ascontiguousarray(rows).view(page.dtype.newbyteorder(page.order)).reshape(len(rows), -1, bands)
    if predictor == _DIFFERENCES:
        whole = np.dtype(f"u{page.dtype.itemsize}")
        steps = pixels.view(whole.newbyteorder(page.order)).astype(whole)
        pixels = np.cumsum(steps, axis=1, dtype=whole).view(page.dtype)
    elif predictor != 1:
        raise UnreadableImage(f"stores differences of kind {predictor}, which is not known. {CURE}")
    return pixels.astype(page.dtype, copy=False).reshape(shape)


def _undo_floats(rows, page, bands):
    # Adobe Photoshop TIFF Technical Note 3: a row holds the first bytes of all its values, then all second ones,
    # and so on, most significant first; of that each byte is stored as its difference from the one `bands` before.
    steps = rows.reshape(len(rows), -1, bands)
    planes = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(len(rows), page.dtype.itemsize, -1)
    values = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(page.dtype.newbyteorder(">"))
    return values.astype(page.dtype)


def _small(rows, bits, count):
    """Return `(rows, count)` samples of `bits` bits each, the highest first, of `(rows, bytes)`; rows begin at a
    byte.
    """
    values = np.empty((len(rows), count), np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32)
    step = max(_AT_ONCE // (8 * count * bits), 1)
    for first in range(0, len(rows), step):
        ones = np.unpackbits(rows[first : first + step], axis=1)[:, : count * bits]
        places = 1 << np.arange(bits - 1, -1, -1, dtype=np.uint32)
        values[first : first + step] = np.dot(ones.reshape(len(ones), count, bits), places)
    return values
