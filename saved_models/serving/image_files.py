"""Measure how much work the image files of a request are, by their headers, before any is decoded."""

from collections.abc import Sequence

import tensorflow as tf

from keras_dhnn.saved_models.graph.decoding import MOST_SCANS
from keras_dhnn.saved_models.serving.rest import ServingError

# Pixels of all image files of a request: two of the largest that the graph decodes.
MOST_PIXELS = 1 << 25
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_SCAN = b"\xff\xda"


def check_files(contents: Sequence[bytes]) -> int:
    """Check that some image files are not too much work together.

    Args:
        contents: list of bytes.

    Returns:
        How many pixels they have in all; files that are no PNG or JPEG have none, and are left to the graph to refuse.

    Raises:
        ServingError: 400, if these are too many, or one has too many scans.
    """
    scans = max((content.count(_SCAN) for content in contents if content.startswith(_JPEG)), default=0)
    if scans > MOST_SCANS:
        raise ServingError(400, f"A JPEG file may have {MOST_SCANS} scans. Received: {scans}. Save it as baseline.")
    pixels = sum(map(_pixels, contents))
    if pixels > MOST_PIXELS:
        raise ServingError(
            400,
            f"The image files of a request may have {MOST_PIXELS:,} pixels in all. Received: {pixels:,}. Send fewer at "
            "a time.",
        )
    return pixels


def _pixels(content):
    if content.startswith(_PNG):
        return int.from_bytes(content[16:20], "big") * int.from_bytes(content[20:24], "big")
    if content.startswith(_JPEG):
        try:
            height, width, _ = tf.io.extract_jpeg_shape(content).numpy().tolist()
            return height * width
        except tf.errors.OpError:
            return 0
    return 0
