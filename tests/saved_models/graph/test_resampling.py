"""Resizing in the graph against Pillow."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.pipelines.formats.image_file import resize_stored
from keras_dhnn.saved_models.graph.resampling import MOST_SIDE, resize_bicubic

SQUARES = [(40, 16), (16, 40), (7, 200), (200, 7), (31, 32), (1, 9), (9, 1), (257, 256)]
# Images of UC Merced, which are nearly square, and smaller ones.
OTHERS = [(247, 253, 256, 256), (253, 247, 256, 256), (12, 20, 16, 16)]
SIZES = [(old, old, new, new) for old, new in SQUARES] + OTHERS


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize(("height", "width", "rows", "columns"), SIZES)
def test_8_bits_are_pillows_bit_for_bit(height, width, rows, columns, graph):
    images = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
    resize = tf.function(resize_bicubic) if graph else resize_bicubic
    expected = np.stack([resize_stored(image, rows, columns) for image in images])
    assert np.array_equal(resize(images, rows, columns), expected)


def test_black_and_white_are_cut_off_as_pillow_does():
    images = np.random.default_rng(0).choice([0, 255], (1, 50, 50, 1)).astype(np.uint8)
    assert np.array_equal(resize_bicubic(images, 21, 21)[0], resize_stored(images[0], 21, 21))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_other_types_are_pillows(dtype):
    images = np.random.default_rng(0).normal(9000, 4000, (1, 50, 50, 5)).clip(0, 30000).astype(dtype)
    for side in (21, 90):
        expected, got = resize_stored(images[0], side, side), resize_bicubic(images, side, side)[0].numpy()
        assert got.dtype == dtype
        assert np.abs(got.astype(float) - expected).max() <= (1 if dtype != "float32" else 2e-3)
        assert np.mean(got == expected) > 0.999


@pytest.mark.parametrize("batch", [1, 2])
def test_rows_that_are_resized_in_blocks_are_pillows_too(batch):
    images = np.random.default_rng(0).integers(0, 256, (batch, 2600, 2600, 1), np.uint8)  # in 2 or 4 blocks
    resized = tf.function(resize_bicubic)(images, 25, 25).numpy()
    assert np.array_equal(resized, np.stack([resize_stored(image, 25, 25) for image in images]))


@pytest.mark.parametrize("shape", [(1, MOST_SIDE + 1, 1, 1), (1, 1, MOST_SIDE + 1, 1)])
def test_a_side_whose_weights_would_take_memory_without_bound_is_refused(shape):
    resize = tf.function(resize_bicubic)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"at most {MOST_SIDE} pixels on a side"):
        resize(np.zeros(shape, np.uint8), 8, 8)
    assert resize(np.full(np.minimum(shape, MOST_SIDE), 7, np.uint8), 8, 8).numpy().ravel().tolist() == [7] * 64
