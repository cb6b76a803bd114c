import numpy as np
import pytest

from keras_dhnn.pipelines.formats.image_file import decode_image
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage
from tests.pipelines import gdal_tiffs

ENOUGH = 1 << 20
NAMES = sorted(gdal_tiffs.FILES)


@pytest.mark.parametrize("name", NAMES)
def test_what_gdal_packed_is_unpacked(name):
    content, pixels = gdal_tiffs.load(name)
    image = decode_image(content, ENOUGH).bands
    assert image.dtype == pixels.dtype
    np.testing.assert_array_equal(image, pixels)


@pytest.mark.parametrize("name", ["lzw_strips", "lzw_float_differences", "zstd_tiles"])
def test_truncated_file_is_rejected(name):
    content, _ = gdal_tiffs.load(name)
    with pytest.raises(UnreadableImage, match="truncated|no readable TIFF"):
        decode_image(content[:-20], ENOUGH)


@pytest.mark.parametrize("name", ["lzw_strips", "lzw_float_differences", "zstd_tiles"])
def test_damaged_pixels_are_rejected_or_of_the_same_shape(name):
    content, pixels = gdal_tiffs.load(name)
    damaged = content[:-200] + b"\xff" * 200
    try:
        assert decode_image(damaged, ENOUGH).bands.size == pixels.size
    except UnreadableImage as error:
        assert "no readable TIFF" in str(error)  # noqa: PT017


def test_image_beyond_the_limit_is_rejected_before_it_is_unpacked():
    content, pixels = gdal_tiffs.load("lzw_strips")
    with pytest.raises(UnreadableImage, match=r"claims an image of \(20, 24, 5\), 4,800 bytes; at most 4,000"):
        decode_image(content, 4000)
    assert decode_image(content, pixels.nbytes).bands.nbytes == pixels.nbytes
