import numpy as np
import pytest

from keras_dhnn.pipelines.formats.tiff import UnreadableTiff, decode_tiff
from tests.pipelines import gdal_tiffs

ENOUGH = 1 << 20
NAMES = sorted(gdal_tiffs.FILES)


@pytest.mark.parametrize("name", NAMES)
def test_what_gdal_packed_is_unpacked(name):
    content, pixels = gdal_tiffs.load(name)
    image = decode_tiff(content, ENOUGH)
    assert image.dtype == pixels.dtype
    if image.shape[0] == pixels.shape[2]:
        image = np.moveaxis(image, 0, -1)
    np.testing.assert_array_equal(image.reshape(pixels.shape), pixels)


@pytest.mark.parametrize("name", ["lzw_strips", "lzw_float_differences", "zstd_tiles"])
def test_truncated_file_is_rejected(name):
    content, _ = gdal_tiffs.load(name)
    with pytest.raises(UnreadableTiff, match="is truncated|no readable TIFF"):
        decode_tiff(content[:-20], ENOUGH)


@pytest.mark.parametrize("name", ["lzw_strips", "lzw_float_differences", "zstd_tiles"])
def test_damaged_pixels_are_rejected_or_of_the_same_shape(name):
    content, pixels = gdal_tiffs.load(name)
    damaged = content[:-200] + b"\xff" * 200
    try:
        assert decode_tiff(damaged, ENOUGH).size == pixels.size
    except UnreadableTiff as error:
        assert "no readable TIFF" in str(error)  # noqa: PT017


def test_image_beyond_the_limit_is_rejected_before_it_is_unpacked():
    content, pixels = gdal_tiffs.load("lzw_strips")
    with pytest.raises(UnreadableTiff, match=r"claims an image of \(20, 24, 5\), 4,800 bytes; at most 4,000"):
        decode_tiff(content, 4000)
    assert decode_tiff(content, pixels.nbytes).nbytes == pixels.nbytes
