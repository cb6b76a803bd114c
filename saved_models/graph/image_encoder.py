"""Turn the images of one source into packed hash codes, in a graph."""

from collections.abc import Callable, Iterable

import tensorflow as tf

from keras_dhnn.saved_models.graph.decoding import decode_files, decodes, to_size
from keras_dhnn.saved_models.graph.image_form import ImageForm

_BIT_VALUES = [128, 64, 32, 16, 8, 4, 2, 1]


class ImageEncoder(tf.Module):
    """Turn pixels or image files of any size into codes: decoding, resizing and network in one graph.

    Of no image there is no code.

    Args:
        network: function from `(B, h, w, C)` float32 images to `(B, l)` hash outputs.
        variables: list of the variables that it uses.
        spec: height, width, channels and dtype of the data set's images, as attributes (`ImageSpec`).
        resize: function from `(B, height, width, C)` images to those that the network takes.
        queries: as `network`, of images that search, where it is another.

    Attributes:
        encode: tf.function from `images` (B, H, W, C) float32, in the stored units, to `(B, l / 8)` uint8.
        outputs: tf.function from the same images to the real outputs `(B, l)` float32 that codes are the signs of.
        encode_uint8: the same as `encode` of uint8; only where images are stored so.
        encode_bytes: the same of `image_bytes` (B,), image files; only where these may be PNG or JPEG.
        searching: the `ImageEncoder` of images that search; only where `queries` was given.
    """

    def __init__(
        self,
        network: Callable[[tf.Tensor], tf.Tensor],
        variables: Iterable[tf.Variable],
        spec: ImageForm,
        resize: Callable[[tf.Tensor], tf.Tensor],
        queries: Callable[[tf.Tensor], tf.Tensor] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.weights = list(variables)
        if queries is not None:
            self.searching = ImageEncoder(queries, variables, spec, resize)
        shape = (None, None, None, spec.channels)

        def hashed(images: tf.Tensor) -> tf.Tensor:
            # Convolutions that TensorFlow fuses fail on a batch of none: it is computed of a blank image, and left out.
            count = tf.shape(images)[0]
            lacking = tf.cast(count == 0, tf.int32)
            return network(resize(tf.pad(images, [[0, lacking], [0, 0], [0, 0], [0, 0]])))[:count]

        def codes(images: tf.Tensor) -> tf.Tensor:
            return pack_bits(hashed(images))

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, "images")])
        def outputs(images: tf.Tensor) -> tf.Tensor:
            # Of no number, whatever is computed is none, and its bits would look like an answer.
            images = tf.debugging.check_numerics(images, "Expected pixels that are finite")
            return hashed(_to_stored_size(images, spec))

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, "images")])
        def encode(images: tf.Tensor) -> tf.Tensor:
            return pack_bits(outputs(images))

        self.outputs, self.encode = outputs, encode
        if spec.dtype == "uint8":

            @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8, "images")])
            def encode_uint8(images: tf.Tensor) -> tf.Tensor:
                return codes(to_size(images, spec.height, spec.width))

            self.encode_uint8 = encode_uint8
        if decodes(spec.channels, spec.dtype):

            @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "image_bytes")])
            def encode_bytes(image_bytes: tf.Tensor) -> tf.Tensor:
                return codes(decode_files(image_bytes, *spec.shape, spec.dtype))

            self.encode_bytes = encode_bytes


def pack_bits(outputs: tf.Tensor) -> tf.Tensor:
    """Return packed codes of hash outputs, as `codes.pack`.

    Args:
        outputs: `(B, l)` real, l a multiple of 8 that is known when the graph is made.

    Returns:
        `(B, l / 8)` uint8.
    """
    bits = tf.cast(outputs >= 0, tf.int32)
    octets = tf.reshape(bits, (-1, outputs.shape[1] // 8, 8))
    return tf.cast(tf.reduce_sum(octets * _BIT_VALUES, axis=2), tf.uint8)


def _to_stored_size(images, spec):
    """Return float32 images as they are if they have the stored size, else resized in the stored type."""
    dtype = tf.as_dtype(spec.dtype)
    fits = tf.reduce_all(tf.shape(images)[1:3] == [spec.height, spec.width])

    def resized() -> tf.Tensor:
        whole = images if dtype.is_floating else tf.clip_by_value(tf.round(images), float(dtype.min), float(dtype.max))
        return tf.cast(to_size(tf.cast(whole, dtype), spec.height, spec.width), tf.float32)

    return tf.ensure_shape(tf.cond(fits, lambda: images, resized), (None, *spec.shape))
