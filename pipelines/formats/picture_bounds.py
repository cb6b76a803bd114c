"""Bound what JPEG and JPEG 2000 files may claim: small ones that take minutes, or hold what Pillow would change."""

import struct

from keras_dhnn.pipelines.formats.unreadable import UnreadableImage

_SCAN = b"\xff\xda"
_CODESTREAM = b"\xff\x4f\xff\x51"
# A progressive photograph has some ten scans, and each is a pass over all pixels; a file of two has a preview too.
MOST_SCANS, MOST_WORK = 64, 1 << 30
_MOST_TILES = 1 << 14
_CURE = "Convert it, for example: gdal_translate IN.jp2 OUT.tif"


def check_jpeg(content: bytes, pixels: int, streams: int = 1) -> None:
    """Check that decoding takes no more time than for a photograph.

    Args:
        content: the file's bytes.
        pixels: of the image.
        streams: how many JPEG streams make up the image, as strips or tiles of a TIFF file.

    Raises:
        UnreadableImage: if there are too many scans.
    """
    scans = content.count(_SCAN) / streams
    if scans > MOST_SCANS or scans * pixels > MOST_WORK:
        raise UnreadableImage(
            f"is a JPEG image of {scans:.0f} scans of {pixels:,} pixels; at most {MOST_SCANS} scans, and "
            f"{MOST_WORK:,} pixels in all of them, are decoded. Save it anew, not progressive"
        )


def jpeg2000_bits(content: bytes) -> int:
    """Return how many bits a sample of a JPEG 2000 file has.

    Raises:
        UnreadableImage: if it holds what Pillow would change in silence (colours of more than 8 bits, signed numbers,
            bands of several sizes), or has more tiles or bands than any real one.
    """
    place = content.find(_CODESTREAM)
    try:
        width, height, left, top, across, down, _, _, bands = struct.unpack_from(">8IH", content, place + 8)
        parts = struct.unpack_from(f">{3 * min(bands, 5)}B", content, place + 42)
    except struct.error as error:
        raise UnreadableImage("is no readable JPEG 2000 file: its header is cut short") from error
    if place < 0 or not across or not down or not 1 <= bands <= 4:
        raise UnreadableImage(f"is a JPEG 2000 file of {bands} bands; expected 1 to 4. {_CURE}")
    tiles = -(-(width - left) // across) * -(-(height - top) // down)
    depths, steps = set(parts[0::3]), set(parts[1::3]) | set(parts[2::3])
    bits = (parts[0] & 127) + 1
    if tiles > _MOST_TILES:
        raise UnreadableImage(f"is a JPEG 2000 file of {tiles:,} tiles; at most {_MOST_TILES:,} are read. {_CURE}")
    if len(depths) > 1 or parts[0] & 128 or steps != {1} or bits > (16 if bands == 1 else 8):
        kind = "signed" if parts[0] & 128 else "unsigned"
        raise UnreadableImage(
            f"is a JPEG 2000 file of {bands} bands of {bits} bits, {kind}; one of up to 16 bits, or several of 8, of "
            f"one size and unsigned, are read. {_CURE}"
        )
    return bits
