"""Decode PNG and JPEG files to pixels by stock TensorFlow operations, as `pipelines.image_file.read_image` does it."""

import tensorflow as tf

from keras_dhnn.saved_models.graph.exif import orientation, upright
from keras_dhnn.saved_models.graph.resampling import resize_bicubic

# Pixels of a decoded image: a small file may claim a large one, and a server has many clients.
MOST_PIXELS = 1 << 24
# Passes over a photograph, and pixels in all of them: a file of 2 kB may ask for thousands, of a minute each.
MOST_SCANS, MOST_WORK = 64, 1 << 30
_SCAN = b"\xff\xda"
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_PNG_HEADER = 33
_GREY, _GREY_ALPHA = 0, 4


def decodes(channels: int, dtype: str) -> bool:
    """Return whether image files of this many bands and type exist as PNG or JPEG."""
    return channels in (1, 3) and dtype in ("uint8", "uint16")


def decode_files(contents: tf.Tensor, height: int, width: int, channels: int, dtype: str) -> tf.Tensor:
    """Decode files and bring them to the size of the data set's images.

    Args:
        contents: `(B,)` string, the bytes of PNG files, or of JPEG files if `dtype` is uint8.
        height: of the data set's images.
        width: of them.
        channels: 1 or 3.
        dtype: "uint8" or "uint16".

    Returns:
        `(B, height, width, channels)` of the dtype.

    Raises:
        tf.errors.InvalidArgumentError: for a file that is damaged, too large, or has other bands or another type.
    """

    def decode(content: tf.Tensor) -> tf.Tensor:
        is_png = tf.strings.substr(content, 0, len(_PNG)) == _PNG
        is_jpeg = (tf.strings.substr(content, 0, len(_JPEG)) == _JPEG) & (dtype == "uint8")
        expected = "a PNG or JPEG file" if dtype == "uint8" else "a PNG file of 16 bits"
        with tf.control_dependencies([_check(is_png | is_jpeg, f"Expected the bytes of {expected}.")]):
            pixels = tf.cond(
                is_png, lambda: _decode_png(content, channels, dtype), lambda: _decode_jpeg(content, channels, dtype)
            )
        return to_size(pixels[None], height, width)[0]

    signature = tf.TensorSpec((height, width, channels), dtype)
    return tf.map_fn(decode, contents, fn_output_signature=signature, parallel_iterations=2)


def to_size(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Return images `(B, H, W, C)` as they are if they have this size, else resized as at preparation; none of none."""
    count, channels = tf.shape(images)[0], images.shape[3]
    fits = tf.reduce_all(tf.shape(images)[1:3] == [height, width]) | (count == 0)
    return tf.cond(
        fits,
        lambda: tf.reshape(images, (count, height, width, channels)),
        lambda: tf.ensure_shape(resize_bicubic(images, height, width), (None, height, width, channels)),
    )


def _decode_png(content, channels, dtype):
    whole = _check(tf.strings.length(content) > _PNG_HEADER, "Expected a whole PNG file. Received one that is cut off.")
    with tf.control_dependencies([whole]):
        header = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 16, 10), tf.uint8), tf.int64)
    width, height = (tf.reduce_sum(header[first : first + 4] * [1 << 24, 1 << 16, 1 << 8, 1]) for first in (0, 4))
    depth, colour = header[8], header[9]
    bands = tf.where((colour == _GREY) | (colour == _GREY_ALPHA), 1, 3)
    checks = [
        _check_size(height, width),
        _check_bands(bands, channels),
        _check((depth == 16) == (dtype == "uint16"), f"Expected {dtype} pixels. Received a PNG of another depth."),
    ]
    with tf.control_dependencies(checks):
        return tf.io.decode_png(content, channels, tf.as_dtype(dtype))


def _decode_jpeg(content, channels, dtype):
    shape = tf.cast(tf.io.extract_jpeg_shape(content), tf.int64)
    checks = [_check_size(shape[0], shape[1]), _check_bands(shape[2], channels)]
    with tf.control_dependencies([*checks, _check_scans(content, shape[0] * shape[1])]):
        # As Pillow does; TensorFlow's own choice is faster and less exact.
        pixels = tf.io.decode_jpeg(content, channels, dct_method="INTEGER_ACCURATE")
    return tf.cast(upright(pixels, orientation(content)), dtype)


def _check_bands(bands, channels):
    return tf.debugging.Assert(tf.equal(tf.cast(bands, tf.int64), channels), [f"Expected {channels} bands, not", bands])


def _check_size(height, width):
    message = [f"Expected an image of at most {MOST_PIXELS} pixels. Received", height, "x", width]
    return tf.debugging.Assert(height * width <= MOST_PIXELS, message)


def _check_scans(content, pixels):
    scans = tf.cast(tf.size(tf.strings.split(content, _SCAN)) - 1, tf.int64)
    message = [f"Expected a photograph of at most {MOST_SCANS} scans and {MOST_WORK} pixels in all. Received", scans]
    return tf.debugging.Assert((scans <= MOST_SCANS) & (scans * pixels <= MOST_WORK), message)


def _check(condition, message):
    return tf.debugging.Assert(condition, [message])
