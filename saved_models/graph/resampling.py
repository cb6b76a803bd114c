"""Resize as Pillow's bicubic does, by stock TensorFlow operations, so that a served model resizes as `prepare` did."""

import tensorflow as tf

# Pillow's filters of 8-bit pixels are whole numbers of this many binary digits behind the point.
_DIGITS = 2.0**22
_SUPPORT = 2.0
# Pixels on a side: weights are a matrix of this side and the result's, and a file of 3 kB may claim a million.
MOST_SIDE = 1 << 14
# Values that are multiplied at once, as float64: the image as a whole would take eight times its memory.
_VALUES = 1 << 22


def resize_bicubic(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Resize as `pipelines.image_file.resize_stored`: along rows, then along columns, rounded after each.

    With `f` the cubic convolution kernel of a = -0.5 and `s = max(1, in / out)`, output i is the sum of the pixels x
    weighted by `f((x + 0.5 - (i + 0.5) in / out) / s)`, the weights scaled to a sum of 1.

    Args:
        images: `(B, H, W, C)` uint8, uint16, int16 or float32.
        height: of the result, in pixels.
        width: of the result.

    Returns:
        `(B, height, width, C)` of the same type. uint8 is the same as Pillow's bit for bit, where Pillow resizes rows
        first, as it does with square images; of some others it resizes columns first.

    Raises:
        tf.errors.InvalidArgumentError: for images with a side of more than `MOST_SIDE` pixels.
    """
    images = tf.convert_to_tensor(images)
    size = tf.shape(images)[1:3]
    message = [f"Expected images of at most {MOST_SIDE} pixels on a side. Received height and width", size]
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(size <= MOST_SIDE), message)]):
        size = tf.identity(size)
    down, across = _weights(size[0], height, images.dtype), _weights(size[1], width, images.dtype)
    rows = tf.cast(_resize_rows(images, across), tf.float64)
    pixels = _rounded(tf.einsum("oh,bhwc->bowc", down, rows), images.dtype)
    if images.dtype in (tf.uint16, tf.int16):
        pixels = tf.clip_by_value(tf.round(pixels), float(images.dtype.min), float(images.dtype.max))
    return tf.ensure_shape(tf.cast(pixels, images.dtype), (None, height, width, images.shape[3]))


def _resize_rows(images, across):
    """Return `(B, H, out, C)` uint8 or float32, what Pillow keeps between the passes; some rows at a time."""
    shape = tf.shape(images)
    kept = tf.uint8 if images.dtype == tf.uint8 else tf.float32
    step = tf.clip_by_value(_VALUES // tf.maximum(shape[0] * shape[2] * shape[3], 1), 1, tf.maximum(shape[1], 1))
    count = -(-shape[1] // step)

    def resized(block: tf.Tensor, done: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        rows = tf.cast(images[:, block * step : (block + 1) * step], tf.float64)
        rows = _rounded(tf.einsum("ow,bhwc->bhoc", across, rows), images.dtype)
        return block + 1, done.write(block, tf.transpose(tf.cast(rows, kept), (1, 0, 2, 3)))

    # Blocks are joined along the rows, of which the last one has fewer.
    empty = tf.TensorArray(kept, count, infer_shape=False, element_shape=(None, None, across.shape[0], images.shape[3]))
    done = tf.while_loop(lambda block, _: block < count, resized, (0, empty), parallel_iterations=1)[1]
    return tf.transpose(done.concat(), (1, 0, 2, 3))


def _weights(size, out, dtype):
    """Return `(out, size)` float64, the weight of each pixel in each output; for uint8 in units of 1 / `_DIGITS`."""
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
    """Return what Pillow keeps between the two passes, as float64."""
    if dtype == tf.uint8:
        return tf.clip_by_value(tf.floor((sums + _DIGITS / 2) / _DIGITS), 0.0, 255.0)
    return tf.cast(tf.cast(sums, tf.float32), tf.float64)
