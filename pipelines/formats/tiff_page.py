"""Read the directory of a TIFF file within bounds: what each of its images is and where its pixels are.

A directory is a list of entries (tag, type, count, value or its place), and names the place of the next one. All of
these may lie: cycles, a million directories, values that overlap and claim gigabytes.
"""

import struct
from dataclasses import dataclass

import numpy as np

from keras_dhnn.pipelines.formats.unreadable import UnreadableImage

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NONE, LZW, DEFLATE, PACKBITS, OLD_DEFLATE, ZSTD = 1, 5, 8, 32773, 32946, 50000
CCITT, OLD_JPEG, JPEG = (2, 3, 4), 6, 7
COMPRESSIONS = {34712: "JPEG2000", 34887: "LERC", 34925: "LZMA", 50001: "WebP", 50002: "JPEG XL", JPEG: "JPEG"}
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, SEPARATED, YCBCR, CIELAB = 0, 1, 2, 3, 4, 5, 6, 8
REDUCED_BIT, MASK_BIT = 1, 4  # of the tag NewSubfileType: an overview of another image, a mask
_TAGS = {
    254: "subfile",
    256: "width",
    257: "height",
    258: "bits",
    259: "compression",
    262: "photometric",
    266: "fill_order",
    270: "description",
    273: "offsets",
    277: "bands",
    278: "rows",
    279: "sizes",
    284: "planar",
    317: "predictor",
    320: "colour_map",
    322: "tile_width",
    323: "tile_height",
    324: "offsets",
    325: "sizes",
    338: "extra",
    339: "format",
    33550: "pixel_size",
    33922: "tie_point",
    34735: "geo_keys",
    42112: "metadata",
    42113: "nodata",
}
_TYPES = {1: "u1", 2: "S1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 11: "f4", 12: "f8", 16: "u8"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MOST_PAGES, _MOST_TAGS, _MOST_ENTRIES = 1 << 14, 512, 1 << 18
MOST_SEGMENTS = 1 << 19
_SAMPLES = {1: "u", 2: "i", 3: "f", 4: "u", 5: "c", 6: "c"}


@dataclass(frozen=True)
class Page:
    """Describe one image of a file, by its tags.

    Attributes:
        number: of the page in the file, from 0.
        order: "<" or ">".
        height, width, bands: of the image.
        bits: of a sample.
        kind: of a sample, a letter as of `numpy.dtype.kind`.
        compression, predictor, photometric, fill_order, subfile: values of these tags.
        planes: whether bands are stored one after the other.
        extra: what the bands beyond the colours are.
        tile: `(height, width)` of the tiles, or of the strips.
        tiled: whether there are tiles.
        segments: `(n, 2)` int64, place and size in bytes of each strip or tile.
        colour_map: `(3, n)` uint16, red, green and blue of what a palette's samples stand for; None without one.
        nodata: text of GDAL's tag, or None.
        description: text.
        metadata: GDAL's, XML text.
        ground: left, bottom, right and top on the ground in the units of its reference system, if the tags say it by a
            corner and the size of pixels; else None.
        reference: the codes by which the tags name the reference system, or None.
    """

    number: int
    order: str
    height: int
    width: int
    bands: int
    bits: int
    kind: str
    compression: int
    predictor: int
    photometric: int
    fill_order: int
    subfile: int
    planes: bool
    extra: tuple
    tile: tuple
    tiled: bool
    segments: np.ndarray
    colour_map: np.ndarray | None
    nodata: str | None
    description: str
    metadata: str
    ground: tuple | None = None
    reference: tuple | None = None

    @property
    def shape(self) -> tuple:
        """Return (height, width, bands)."""
        return self.height, self.width, self.bands

    @property
    def dtype(self) -> np.dtype:
        """Return NumPy type that holds a sample, in the machine's order of bytes."""
        size = next((size for size in (1, 2, 4, 8, 16) if 8 * size >= self.bits), 0)
        return np.dtype(f"{self.kind}{size}")

    @property
    def nbytes(self) -> int:
        """Return bytes of the image in memory."""
        return self.height * self.width * self.bands * self.dtype.itemsize

    def is_any(self, *bits: int) -> bool:
        """Return whether the image is marked as one of these kinds, see `REDUCED_BIT`."""
        return any(self.subfile & bit for bit in bits)


def read_pages(content: bytes) -> list[Page]:
    """Read the directories of a TIFF or BigTIFF file.

    Args:
        content: the file's bytes.

    Returns:
        The images, in the order of the file, from one.

    Raises:
        UnreadableImage: if it is no TIFF, is damaged, or has more directories or entries than any real file.
    """
    if content[:4] not in MAGIC:
        raise UnreadableImage("is no readable TIFF (it does not begin as one)")
    order = "<" if content[:2] == b"II" else ">"
    layout = _Layout(order, big=content[2:4] in (b"+\0", b"\0+"))
    pages: list[Page] = []
    seen, entries = set(), 0
    try:
        (place,) = struct.unpack_from(order + layout.place, content, 8 if layout.big else 4)
        while place:
            if place in seen or len(pages) == _MOST_PAGES or entries > _MOST_ENTRIES:
                raise UnreadableImage(f"is no readable TIFF (its list of images has no end: {len(pages)} were read)")
            seen.add(place)
            tags, count, place = _read_directory(content, place, layout)
            entries += count
            pages.append(_page(len(pages), order, tags))
    except (struct.error, KeyError, IndexError, ValueError, OverflowError) as error:
        if isinstance(error, UnreadableImage):
            raise
        raise UnreadableImage(f"is no readable TIFF ({type(error).__name__}: {error})") from error
    if not pages:
        raise UnreadableImage("is no readable TIFF (it holds no image)")
    return pages


class _Layout:
    """Describe how directories are written: formats of `struct` and sizes in bytes."""

    def __init__(self, order: str, *, big: bool) -> None:
        self.big = big
        self.place, self.count = ("Q", "Q") if big else ("I", "H")
        self.entry = struct.Struct(order + ("HHQ8s" if big else "HHI4s"))
        self.first = 8 if big else 2
        self.order = order


def _read_directory(content, place, layout):
    """Return `({name: array or text}, number of entries, place of the next directory)`."""
    (count,) = struct.unpack_from(layout.order + layout.count, content, place)
    if count > _MOST_TAGS:
        raise UnreadableImage(f"is no readable TIFF (a directory claims {count} entries)")
    tags, taken = {}, 0
    for number in range(count):
        at = place + layout.first + number * layout.entry.size
        code, kind, values, inline = layout.entry.unpack_from(content, at)
        nbytes = values * _SIZES.get(kind, 1)
        taken += nbytes
        first = at + layout.entry.size - len(inline)
        if nbytes > len(inline):
            (first,) = struct.unpack(layout.order + layout.place, inline)
        # Whoever reads this file after us takes memory for all values, known or not.
        if first + nbytes > len(content) or taken > 2 * len(content) + (1 << 16):
            raise UnreadableImage("is no readable TIFF, or is truncated (a directory names what lies beyond its end)")
        if code in _TAGS and kind in _TYPES:
            tags[_TAGS[code]] = _values(content, first, kind, values, layout.order)
    return tags, count, struct.unpack_from(layout.order + layout.place, content, at_end(place, count, layout))[0]


def at_end(place: int, count: int, layout: _Layout) -> int:
    """Return the place behind the last entry of a directory."""
    return place + layout.first + count * layout.entry.size


def _values(content, first, kind, count, order):
    if kind == 2:
        return content[first : first + count].rstrip(b"\0").decode("utf-8", "replace")
    return np.frombuffer(content, np.dtype(_TYPES[kind]).newbyteorder(order), count, first)


def _page(number, order, tags):
    def one(name: str, default: int | None = None) -> int:
        values = tags.get(name, ())
        if not len(values):
            if default is None:
                raise KeyError(f"it lacks the tag {name}")
            return default
        return int(values[0])

    height, width, bands = one("height"), one("width"), one("bands", 1)
    bits, formats = (
        {int(value) for value in tags.get(name, (default,))} for name, default in (("bits", 1), ("format", 1))
    )
    tiled = "tile_width" in tags
    tile = (one("tile_height"), one("tile_width")) if tiled else (min(one("rows", height), height) or height, width)
    if min(height, width, bands, *tile) < 1 or min(bits, default=0) < 1 or len(bits) > 1 or len(formats) > 1:
        raise UnreadableImage(
            f"is no readable TIFF (it claims {height} x {width} pixels of {bands} bands of {sorted(bits)} bits)"
        )
    return Page(
        number,
        order,
        height,
        width,
        bands,
        bits.pop(),
        _SAMPLES.get(formats.pop(), "V"),
        one("compression", NONE),
        one("predictor", 1),
        one("photometric", BLACK_IS_ZERO),
        one("fill_order", 1),
        one("subfile", 0),
        one("planar", 1) == 2 and bands > 1,
        tuple(int(value) for value in tags.get("extra", ())[:bands]),
        tile,
        tiled,
        _segments(tags),
        _colour_map(tags),
        tags["nodata"] if isinstance(tags.get("nodata"), str) else None,
        tags["description"] if isinstance(tags.get("description"), str) else "",
        tags["metadata"] if isinstance(tags.get("metadata"), str) else "",
        _ground(tags, height, width),
        tuple(map(int, tags["geo_keys"])) if isinstance(tags.get("geo_keys"), np.ndarray) else None,
    )


def _ground(tags, height, width):
    size, tie = (tags.get(name) for name in ("pixel_size", "tie_point"))
    if not all(isinstance(values, np.ndarray) for values in (size, tie)) or len(size) < 2 or len(tie) != 6:
        return None
    x, y = map(float, size[:2])
    left, top = float(tie[3]) - float(tie[0]) * x, float(tie[4]) + float(tie[1]) * y
    return left, top - height * y, left + width * x, top


def _colour_map(tags):
    values = np.asarray(tags.get("colour_map", ()))
    return values.reshape(3, -1) if values.dtype == np.uint16 and len(values) and len(values) % 3 == 0 else None


def _segments(tags):
    offsets, sizes = (np.asarray(tags.get(name, ())) for name in ("offsets", "sizes"))
    if len(offsets) != len(sizes) or len(offsets) > MOST_SEGMENTS:
        raise UnreadableImage(f"is no readable TIFF (it lists {len(offsets)} strips or tiles and {len(sizes)} sizes)")
    if len(offsets) and max(offsets.max(), sizes.max()) >= 1 << 62:
        raise UnreadableImage("is truncated: its pixels lie beyond the file's end")
    return np.stack([offsets.astype(np.int64), sizes.astype(np.int64)], axis=1)
