"""Pillow's bicubic resizing as stock TensorFlow operations, so that a served model resizes as `prepare` did."""

import tensorflow as tf

# Pillow's filters of 8-bit pixels are whole numbers of this many binary digits behind the point.
_DIGITS = 2.0**22
_SUPPORT = 2.0


def resize_bicubic(images, height, width):
    """Resizes as `pipelines.image_file.resize_stored`: along rows, then along columns, rounded after each.

    With `f` the cubic convolution kernel of a = -0.5 and `s = max(1, in / out)`, output i is the sum of the pixels x
    weighted by `f((x + 0.5 - (i + 0.5) in / out) / s)`, the weights scaled to a sum of 1.

    Args:
        images: `(B, H, W, C)` uint8, uint16, int16 or float32.
        height: of the result, in pixels.
        width: of the result.

    Returns:
        `(B, height, width, C)` of the same type. uint8 is the same as Pillow's bit for bit, where Pillow resizes rows
        first, as it does with square images; of some others it resizes columns first.
    """
    images = tf.convert_to_tensor(images)
    shape = tf.shape(images)
    across = _weights(shape[2], width, images.dtype)
    down = _weights(shape[1], height, images.dtype)
    rows = _rounded(tf.einsum("ow,bhwc->bhoc", across, tf.cast(images, tf.float64)), images.dtype)
    pixels = _rounded(tf.einsum("oh,bhwc->bowc", down, rows), images.dtype)
    if images.dtype in (tf.uint16, tf.int16):
        pixels = tf.clip_by_value(tf.round(pixels), float(images.dtype.min), float(images.dtype.max))
    return tf.ensure_shape(tf.cast(pixels, images.dtype), (None, height, width, images.shape[3]))


def _weights(size, out, dtype):
    """`(out, size)` float64, the weight of each pixel in each output; for uint8 in units of 1 / `_DIGITS`."""
    size = tf.cast(size, tf.float64)
    scale = size / out
    stretch = tf.maximum(scale, 1.0)
    centres = (tf.range(out, dtype=tf.float64)[:, None] + 0.5) * scale
    pixels = tf.range(size)[None]
    first = tf.floor(tf.maximum(centres - _SUPPORT * stretch + 0.5, 0.0))
    last = tf.floor(tf.minimum(centres + _SUPPORT * stretch + 0.5, size))
    weights = _cubic((pixels - centres + 0.5) * (1.0 / stretch))
    weights = tf.where((pixels >= first) & (pixels < last), weights, 0.0)
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    if dtype != tf.uint8:
        return weights
    return tf.sign(weights) * tf.floor(tf.abs(weights) * _DIGITS + 0.5)


def _cubic(x):
    x = tf.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return tf.where(x < 1.0, near, tf.where(x < 2.0, far, 0.0))


def _rounded(sums, dtype):
    """What Pillow keeps between the two passes, as float64."""
    if dtype == tf.uint8:
        return tf.clip_by_value(tf.floor((sums + _DIGITS / 2) / _DIGITS), 0.0, 255.0)
    return tf.cast(tf.cast(sums, tf.float32), tf.float64)
