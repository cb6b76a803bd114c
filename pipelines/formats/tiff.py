"""One TIFF file's first image, decoded within a bound on memory."""

import io
import math
import zlib

import tifffile

from keras_dhnn.pipelines.formats.tiff_segments import UNPACKED, needs_unpacking, unpack_page

_COMPRESSION = tifffile.COMPRESSION
_DEFLATE = (_COMPRESSION.DEFLATE, _COMPRESSION.ADOBE_DEFLATE)
_READABLE = (_COMPRESSION.NONE, _COMPRESSION.PACKBITS, *_DEFLATE, *UNPACKED)


class UnreadableTiff(ValueError):
    """What is wrong with the file, as the end of a sentence that begins with its name."""


def decode_tiff(content, most_bytes):
    """The first image of a TIFF file.

    Args:
        content: the file's bytes.
        most_bytes: the file is refused, before it is decoded, if its image takes more bytes of memory.

    Returns:
        The array as stored: (H, W) or (H, W, C) or, with planes one after the other, (C, H, W).

    Raises:
        UnreadableTiff: if it is not a TIFF, is truncated, claims too much memory, or is compressed in another way
            than by LZW, deflate, PackBits or Zstandard.
    """
    return read_tiff(content, lambda file: decode_page(file.pages.first, content, most_bytes))


def read_tiff(content, read):
    """`read(file)` of a `tifffile.TiffFile`; whatever is wrong with the file is raised as UnreadableTiff."""
    try:
        # Closed, for a TiffFile is part of cycles: what it holds stays until Python looks for those.
        with io.BytesIO(content) as stream, tifffile.TiffFile(stream) as file:
            return read(file)
    except UnreadableTiff:
        raise
    except Exception as error:  # Damaged tags surface as KeyError, struct.error, ZeroDivisionError and more.
        raise UnreadableTiff(f"is no readable TIFF ({type(error).__name__}: {error})") from error


def decode_page(page, content, most_bytes):
    """One image of an open file; arguments, result and errors as of `decode_tiff`."""
    if page.bitspersample not in (8, 16, 32, 64) or page.dtype is None:
        raise UnreadableTiff(f"has samples of {page.bitspersample} bits; expected 8, 16, 32 or 64")
    check_claim(page, most_bytes)
    _check(page, content)
    return unpack_page(page, content, most_bytes) if needs_unpacking(page) else page.asarray()


def check_claim(page, most_bytes):
    """Raises UnreadableTiff if decoding a page would take more memory than `most_bytes`, by what its tags claim."""
    # An image is unpacked by strips or tiles, which may be larger than the image.
    claimed = max(page.nbytes, math.prod(page.chunks) * page.dtype.itemsize)
    if claimed > most_bytes:
        raise UnreadableTiff(f"claims an image of {page.shape}, {claimed:,} bytes; at most {most_bytes:,} are read")


def _check(page, content):
    """Compares what the tags claim with what is there; tifffile itself believes them."""
    if page.compression not in _READABLE:
        name = getattr(page.compression, "name", page.compression)
        raise UnreadableTiff(
            f"is compressed as {name}; expected no compression, LZW, deflate, PackBits or Zstandard. Convert it, "
            "for example: gdal_translate -co COMPRESS=LZW"
        )
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    end = max(map(sum, segments), default=0)
    if end > len(content):
        raise UnreadableTiff(f"is truncated: its pixels end at byte {end:,}, the file at byte {len(content):,}")
    if page.compression in _DEFLATE:
        _check_deflate(page, [content[offset : offset + size] for offset, size in segments])
    elif page.compression == _COMPRESSION.NONE and sum(page.databytecounts) < page.nbytes:
        raise UnreadableTiff(f"is truncated: it has {sum(page.databytecounts):,} of {page.nbytes:,} bytes of pixels")


def _check_deflate(page, segments):
    """A few bytes of deflate can unpack to gigabytes, and tifffile unpacks without a bound."""
    left = 2 * page.nbytes + (1 << 16)
    for segment in segments:
        left -= len(zlib.decompressobj().decompress(segment, left))
        if left <= 0:
            raise UnreadableTiff(f"unpacks to more than the {page.nbytes:,} bytes that it claims")
