"""TIFF files that tifffile alone cannot unpack: LZW, which most satellite images use, Zstandard, and floats stored as
differences.

tifffile would take them from `imagecodecs`, a package of dozens of libraries. Pillow brings libtiff, which unpacks
all of them, but makes images only of few bands and types. So libtiff gets the same strips or tiles under a directory
that calls them a grey image of bytes, and what comes out is made pixels here: any number of bands, any type.
"""

import io
import math
import struct

import numpy as np
import tifffile
from PIL import Image

from keras_dhnn.errors import SettingError

_COMPRESSION = tifffile.COMPRESSION
UNPACKED = (_COMPRESSION.LZW, _COMPRESSION.ZSTD)
_DIFFERENCES, _FLOATS = tifffile.PREDICTOR.HORIZONTAL, tifffile.PREDICTOR.FLOATINGPOINT
_LONG, _MAGIC = 4, 8


def needs_unpacking(page):
    """Whether a page is for `unpack_page`."""
    return page.compression in UNPACKED or (page.predictor == _FLOATS and page.compression != _COMPRESSION.NONE)


def unpack_page(page, content, most_bytes):
    """The image of a page that `needs_unpacking`.

    Args:
        page: `tifffile.TiffPage`.
        content: the file's bytes.
        most_bytes: nothing larger is unpacked.

    Returns:
        The array as stored, of `page.shape`.

    Raises:
        OSError: if a strip or tile is damaged.
        SettingError: if tiles take much more than the image, or some are left out.
    """
    separate = page.planarconfig == 2 and page.samplesperpixel > 1
    planes, bands = (page.samplesperpixel, 1) if separate else (1, page.samplesperpixel)
    height, width = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    down, across = math.ceil(page.imagelength / height), math.ceil(page.imagewidth / width)
    if planes * down * height * across * width * bands * page.dtype.itemsize > most_bytes + page.nbytes:
        raise SettingError(f"its tiles of {height} x {width} pixels take much more than the image")
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if len(segments) != planes * down * across or not all(size for _, size in segments):
        raise SettingError(
            f"it has {len(segments)} strips or tiles, some maybe empty, where {planes * down * across} are"
        )
    unpacked = []
    for plane in range(planes):
        part = segments[plane * down * across : (plane + 1) * down * across]
        rows = _unpack(content, part, page, height, width * bands * page.dtype.itemsize, across)
        pixels = _undo(rows.reshape(len(rows) * across, -1), page, bands)
        image = pixels.reshape(len(rows), across * width, bands)[: page.imagelength, : page.imagewidth]
        unpacked.append(image.astype(page.dtype))
    return np.stack(unpacked).reshape(page.shape)


def _unpack(content, segments, page, height, row, across):
    """`(image height, across * row)` uint8: strips or tiles of `height` rows of `row` bytes, side by side."""
    rows = math.ceil(page.imagelength / height) * height if page.is_tiled else page.imagelength
    offsets, sizes = ([number for number in numbers] for numbers in zip(*segments, strict=True))
    offsets = [_MAGIC + offset for offset in offsets]
    tags = {256: [row * across], 257: [rows], 258: [8], 259: [int(page.compression)], 262: [1], 277: [1]}
    if page.is_tiled:
        tags |= {322: [row], 323: [height], 324: offsets, 325: sizes}
    else:
        tags |= {273: offsets, 278: [height], 279: sizes}
    directory = _MAGIC + len(content)
    file = struct.pack("<2sHI", b"II", 42, directory) + content + _directory(tags, directory)
    with Image.open(io.BytesIO(file), formats=("TIFF",)) as image:
        return np.asarray(image)


def _directory(tags, place):
    """A TIFF directory that begins at byte `place`, of {tag: numbers}."""
    entries, values = [], b""
    beyond = place + 2 + 12 * len(tags) + 4
    for code, numbers in sorted(tags.items()):
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            place_of_values, values = struct.pack("<I", beyond + len(values)), values + packed
            packed = place_of_values
        entries.append(struct.pack("<HHI", code, _LONG, len(numbers)) + packed)
    return struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4) + values


def _undo(rows, page, bands):
    """`(n, width, bands)` pixels, in the file's order of bytes, of `(n, bytes)` rows whose predictor is undone."""
    size = page.dtype.itemsize
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    if page.predictor == _FLOATS:
        # Adobe Photoshop TIFF Technical Note 3: a row holds the first bytes of all its values, then all second ones,
        # and so on, most significant first; of that each byte is stored as its difference from the one `bands` before.
        steps = rows.reshape(len(rows), -1, bands)
        planes = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(len(rows), size, -1)
        values = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(page.dtype.newbyteorder(">"))
        return values.reshape(len(rows), -1, bands)
    pixels = np.ascontiguousarray(rows).view(dtype).reshape(len(rows), -1, bands)
    if page.predictor == _DIFFERENCES:
        whole = np.dtype(f"u{size}")
        steps = pixels.view(whole.newbyteorder(page.parent.byteorder)).astype(whole)
        return np.cumsum(steps, axis=1, dtype=whole).view(page.dtype.newbyteorder("="))
    if page.predictor != 1:
        raise SettingError(f"its predictor {page.predictor} is not known")
    return pixels
