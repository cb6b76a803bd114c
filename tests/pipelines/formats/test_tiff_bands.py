import io

import numpy as np
import pytest
import tifffile

from keras_dhnn.pipelines.formats.tiff import UnreadableTiff
from keras_dhnn.pipelines.formats.tiff_bands import decode_bands
from tests.pipelines import gdal_tiffs

ENOUGH = 1 << 22
BANDS = np.random.default_rng(0).integers(0, 10_000, (40, 60, 13), np.uint16)


def encode(image, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, image, **options)
    return file.getvalue()


def planes(image):
    return np.ascontiguousarray(np.moveaxis(image, -1, 0))


GREY = {"photometric": "minisblack"}
STORED = {
    "bands side by side": (BANDS, GREY | {"planarconfig": "contig"}),
    "planes": (planes(BANDS), GREY | {"planarconfig": "separate"}),
    # What `tifffile.imwrite(path, image)` does with such arrays: a page for each entry of the first axis.
    "pages of bands": (planes(BANDS), {}),
    "pages of rows": (BANDS, {}),
    "pages without a note": (planes(BANDS), GREY | {"metadata": None}),
    "ImageJ": (planes(BANDS), {"imagej": True}),
}


@pytest.mark.parametrize("name", STORED)
def test_bands_come_last_however_they_are_stored(name):
    image, options = STORED[name]
    bands, alpha, nodata = decode_bands(encode(image, **options), ENOUGH)
    np.testing.assert_array_equal(bands, BANDS)
    assert not alpha
    assert nodata is None


def test_one_band_has_an_axis_too():
    np.testing.assert_array_equal(decode_bands(encode(BANDS[..., 0]), ENOUGH)[0], BANDS[..., :1])


def test_overviews_are_no_bands():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(BANDS, photometric="minisblack", planarconfig="contig", metadata=None)
        writer.write(BANDS[::2, ::2], photometric="minisblack", planarconfig="contig", subfiletype=1, metadata=None)
        writer.write(np.ones((40, 60), bool), photometric="minisblack", subfiletype=4, metadata=None)
    np.testing.assert_array_equal(decode_bands(file.getvalue(), ENOUGH)[0], BANDS)


def test_gdals_nodata_and_opacity_are_found():
    content, pixels = gdal_tiffs.load("nodata_and_alpha")
    bands, alpha, nodata = decode_bands(content, ENOUGH)
    np.testing.assert_array_equal(bands, pixels)
    assert alpha
    assert nodata == 7


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (
            np.zeros((40, 60, 17), np.uint8),
            GREY | {"planarconfig": "contig"},
            r"\(40, 60, 17\); expected one image",
        ),
        (np.zeros((3, 40, 60, 3), np.uint8), {"photometric": "rgb"}, r"holds images of shape \(3, 40, 60, 3\)"),
    ],
    ids=["17 bands", "several pictures"],
)
def test_what_is_not_one_image_of_bands_is_rejected(image, options, message):
    with pytest.raises(UnreadableTiff, match=message):
        decode_bands(encode(image, **options), ENOUGH)


def test_pages_that_claim_too_much_together_are_rejected():
    content = encode(planes(BANDS))
    with pytest.raises(UnreadableTiff, match=r"claims 13 pages of \(40, 60\); at most 60,000 bytes"):
        decode_bands(content, 60_000)
