"""Images to codes in a graph, by a network that TensorFlow cannot compute of an empty batch."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.codes import pack
from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.saved_models.graph.image_encoder import ImageEncoder

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (3, 4, 4, 3), np.uint8)
PLANE = RANDOM.normal(size=(48, 16)).astype(np.float32)


def network(images):
    with tf.control_dependencies([tf.debugging.assert_positive(tf.shape(images)[0], "Incompatible shapes")]):
        return tf.reshape(images - 128.0, (-1, 48)) @ PLANE


@pytest.fixture(scope="module")
def encoder():
    return ImageEncoder(network, [], ImageSpec(4, 4, 3, "uint8"), lambda images: tf.cast(images, tf.float32))


@pytest.fixture(scope="module")
def outputs():
    return (IMAGES.astype(np.float32) - 128).reshape(3, 48) @ PLANE


@pytest.mark.parametrize("count", [0, 1, 3])
def test_codes_are_those_of_the_network_for_any_number_of_images(encoder, outputs, count):
    files = [tf.io.encode_png(image).numpy() for image in IMAGES[:count]]
    codes = pack(outputs[:count])
    np.testing.assert_allclose(encoder.outputs(IMAGES[:count].astype(np.float32)), outputs[:count], rtol=1e-4, atol=0.1)
    np.testing.assert_array_equal(encoder.encode(IMAGES[:count].astype(np.float32)), codes)
    np.testing.assert_array_equal(encoder.encode_uint8(IMAGES[:count]), codes)
    np.testing.assert_array_equal(encoder.encode_bytes(tf.constant(files, tf.string, (count,))), codes)


@pytest.mark.parametrize("shape", [(0, 0, 0, 3), (0, 9, 5, 3)])
def test_of_no_images_of_any_size_there_is_no_code(encoder, shape):
    assert encoder.encode(np.zeros(shape, np.float32)).shape == (0, 2)
    assert encoder.encode_uint8(np.zeros(shape, np.uint8)).shape == (0, 2)
