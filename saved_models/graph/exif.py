"""Turn a photograph upright: the orientation in a JPEG file, read and applied by stock TensorFlow operations."""

import tensorflow as tf

_SEARCHED = 1 << 16  # bytes from the file's beginning; cameras write the segment first
_MARKER = (0xFF, 0xE1, None, None, *b"Exif\0\0")  # the length of the segment stands in the middle
_TAG = 0x0112
_MOST_TAGS = 256


def orientation(content: tf.Tensor) -> tf.Tensor:
    """Return the EXIF orientation, int32 from 1 to 8, of a JPEG file's bytes (a scalar string); 1 where it has none."""
    data = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 0, _SEARCHED), tf.uint8), tf.int32)
    size = tf.size(data)
    data = tf.pad(data, [[0, len(_MARKER)]])
    places = tf.range(size + 1)
    begins = tf.fill([size + 1], True)
    for step, value in enumerate(_MARKER):
        if value is not None:
            begins &= tf.gather(data, places + step) == value
    tiff = tf.argmax(tf.cast(begins, tf.int32), output_type=tf.int32) + len(_MARKER)

    def number(first: tf.Tensor, length: int) -> tf.Tensor:
        """Read the unsigned number at some places after the TIFF header's beginning; what lies outside is 0."""
        at = tiff + first[:, None] + tf.range(length)
        inside = (at >= 0) & (at < size)
        octets = tf.where(inside, tf.gather(data, tf.where(inside, at, 0)), 0)
        octets = tf.where(little, octets[:, ::-1], octets)
        return tf.reduce_sum(octets * [256**power for power in reversed(range(length))], axis=1)

    little = tf.gather(data, tf.minimum(tiff, size)) == ord("I")
    directory = number(tf.constant([4]), 4)[0]
    count = tf.minimum(number(directory[None], 2)[0], _MOST_TAGS)
    entries = directory + 2 + 12 * tf.range(count)
    values = tf.where(number(entries, 2) == _TAG, number(entries + 8, 2), 0)
    found = tf.reduce_max(tf.concat([values, [1]], 0))
    return tf.where(tf.reduce_any(begins) & (found <= 8), found, 1)


def upright(pixels: tf.Tensor, turned: tf.Tensor) -> tf.Tensor:
    """Return the image `(H, W, C)` as its orientation (1 to 8) says."""
    pixels = tf.cond(turned >= 5, lambda: tf.transpose(pixels, (1, 0, 2)), lambda: pixels)
    mirrored = tf.reduce_any(turned == [2, 3, 6, 7])
    pixels = tf.cond(mirrored, lambda: pixels[:, ::-1], lambda: pixels)
    return tf.cond(tf.reduce_any(turned == [3, 4, 7, 8]), lambda: pixels[::-1], lambda: pixels)
