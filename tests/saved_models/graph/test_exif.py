"""Orientation of photographs against Pillow."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from keras_dhnn.saved_models.graph.exif import orientation, upright


def photograph(turned, order="<", before=0):
    """A JPEG file of 8 x 12 pixels whose second-last tag, of `before` and two others, says the orientation."""
    tags = [(0x0100 + n, n) for n in range(before)] + [(0x0112, turned), (0x0128, 2)]
    entries = b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    header = mark + struct.pack(f"{order}IH", 8, len(tags))
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", exif=b"Exif\0\0" + header + entries + b"\0\0\0\0")
    return file.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_photographs_stand_as_pillow_turns_them(turned, order):
    content = photograph(turned, order, before=3)
    image = Image.open(io.BytesIO(content))
    assert image.getexif()[0x0112] == turned

    @tf.function
    def turn(content, pixels):
        return upright(pixels, orientation(content))

    assert np.array_equal(turn(tf.constant(content), np.asarray(image)), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", photograph(6)[:20], photograph(6)[:38], photograph(99)])
def test_without_an_orientation_nothing_turns(content):
    assert tf.function(orientation)(tf.constant(content)) == 1
