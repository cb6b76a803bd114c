"""Decoding in the graph against the reading of files at preparation."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.pipelines.formats.image_file import read_image
from keras_dhnn.saved_models.graph.decoding import MOST_SCANS, decode_files, decodes


def encode(pixels, mode, kind, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind, **options)
    return file.getvalue()


def decode(content, channels, dtype="uint8"):
    return decode_files(tf.constant([content]), 20, 20, channels, dtype)


def noise(channels=3, side=33):
    # Smooth enough for a JPEG file to look like a photograph.
    small = np.random.default_rng(0).integers(0, 256, (8, 8, channels), np.uint8)
    large = np.asarray(tf.image.resize(small, (side, side), "bicubic")).clip(0, 255).astype(np.uint8)
    return large[..., 0] if channels == 1 else large


TURNED = Image.Exif()
TURNED[0x0112] = 6
RGB = {
    "jpeg that lies on its side": encode(noise(side=40), "RGB", "JPEG", exif=TURNED),
    "png": encode(noise(), "RGB", "PNG"),
    "png of the stored size": encode(noise(side=20), "RGB", "PNG"),
    "png with opacity": encode(noise(4), "RGBA", "PNG"),
    "png with palette": encode(noise(), "P", "PNG"),
    "jpeg": encode(noise(), "RGB", "JPEG", quality=75),
    "jpeg without subsampling": encode(noise(), "RGB", "JPEG", quality=95, subsampling=0),
    "progressive jpeg": encode(noise(side=160), "RGB", "JPEG", progressive=True),
    "jpeg of odd sides": encode(noise(side=37), "RGB", "JPEG", quality=30),
}
GREY = {
    "png": encode(noise(1), "L", "PNG"),
    "png with opacity": encode(noise(1), "LA", "PNG"),
    "png of two colours": encode(noise(1), "1", "PNG"),
    "jpeg": encode(noise(1), "L", "JPEG"),
}


@pytest.mark.parametrize(
    ("channels", "content"),
    [(3, content) for content in RGB.values()] + [(1, content) for content in GREY.values()],
    ids=[f"colour {kind}" for kind in RGB] + [f"grey {kind}" for kind in GREY],
)
def test_pixels_are_those_of_preparation(tmp_path, channels, content):
    (tmp_path / "file").write_bytes(content)
    expected = read_image(tmp_path / "file", ImageSpec(20, 20, channels, "uint8"))
    got = tf.function(decode)(content, channels)
    assert np.array_equal(got[0], expected)


def test_16_bits(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65536, (20, 20), np.uint16)
    Image.fromarray(pixels).save(tmp_path / "file.png")
    content = (tmp_path / "file.png").read_bytes()
    assert np.array_equal(decode(content, 1, "uint16")[0, ..., 0], pixels)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Expected uint8 pixels"):
        decode(content, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="PNG file of 16 bits"):
        decode(GREY["jpeg"], 1, "uint16")


def test_no_files_are_no_images():
    assert decode_files(tf.constant([], tf.string), 20, 20, 3, "uint8").shape == (0, 20, 20, 3)


def test_other_bands_are_refused():
    for content in (GREY["png"], GREY["jpeg"]):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"Expected 3 bands, not"):
            decode(content, 3)


def test_what_files_can_hold():
    assert [decodes(3, "uint8"), decodes(1, "uint16"), decodes(4, "uint8"), decodes(3, "float32")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_photograph_of_thousands_of_scans_is_refused_and_a_progressive_one_is_not():
    file = io.BytesIO()
    image = np.random.default_rng(0).integers(0, 256, (24, 16, 3)).astype(np.uint8)
    Image.fromarray(image).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    place = content.rindex(b"\xff\xda")
    assert decode_files(tf.constant([content]), 24, 16, 3, "uint8").shape == (1, 24, 16, 3)
    left = MOST_SCANS - content.count(b"\xff\xda")
    most, bomb = (content[:-2] + (left + more) * content[place:-2] + content[-2:] for more in (0, 1))
    assert decode_files(tf.constant([most]), 24, 16, 3, "uint8").shape == (1, 24, 16, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 64 scans"):
        decode_files(tf.constant([bomb]), 24, 16, 3, "uint8")


def test_an_image_may_have_as_many_pixels_as_the_limit_says_and_no_more():
    def png(height):
        file = io.BytesIO()
        Image.new("L", (4096, height)).save(file, "PNG", compress_level=1)
        return tf.constant([file.getvalue()])

    assert not decode_files(png(4096), 20, 20, 1, "uint8").numpy().any()
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"at most {1 << 24} pixels"):
        decode_files(png(4097), 20, 20, 1, "uint8")


def test_limits_are_those_of_preparation():
    from keras_dhnn.pipelines.formats import image_file, picture_bounds
    from keras_dhnn.saved_models.graph import decoding, resampling

    of_graph = decoding.MOST_SCANS, decoding.MOST_WORK, resampling.MOST_SIDE
    assert of_graph == (picture_bounds.MOST_SCANS, picture_bounds.MOST_WORK, image_file.MOST_SIDE)
