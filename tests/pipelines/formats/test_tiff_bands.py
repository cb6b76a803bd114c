import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from keras_dhnn.pipelines.formats.image_file import decode_image
from keras_dhnn.pipelines.formats.tiff_bands import decode_bands
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage
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
    "pages of bands, one time": (planes(BANDS)[None], {}),
    "pages of rows": (BANDS, {}),
    "pages without a note": (planes(BANDS), GREY | {"metadata": None}),
    "ImageJ": (planes(BANDS), {"imagej": True}),
}


@pytest.mark.parametrize("name", STORED)
def test_bands_come_last_however_they_are_stored(name):
    image, options = STORED[name]
    decoded = decode_bands(encode(image, **options), ENOUGH)
    np.testing.assert_array_equal(decoded.bands, BANDS)
    assert not decoded.alpha
    assert decoded.nodata is None
    assert decoded.valid is None


def test_bands_are_last_where_both_ends_are_as_long():
    np.testing.assert_array_equal(decode_bands(encode(BANDS[:13]), ENOUGH).bands, BANDS[:13])


def test_one_band_has_an_axis_too():
    np.testing.assert_array_equal(decode_bands(encode(BANDS[..., 0]), ENOUGH).bands, BANDS[..., :1])


def test_overviews_are_no_bands_and_a_mask_says_what_is_valid():
    file, mask = io.BytesIO(), np.random.default_rng(1).random((40, 60)) > 0.5
    with tifffile.TiffWriter(file) as writer:
        writer.write(BANDS, photometric="minisblack", planarconfig="contig", metadata=None)
        writer.write(BANDS[::2, ::2], photometric="minisblack", planarconfig="contig", subfiletype=1, metadata=None)
        writer.write(mask, photometric="minisblack", subfiletype=4, metadata=None)
        writer.write(np.ones((20, 30), bool), photometric="minisblack", subfiletype=5, metadata=None)
    decoded = decode_bands(file.getvalue(), ENOUGH)
    np.testing.assert_array_equal(decoded.bands, BANDS)
    np.testing.assert_array_equal(decoded.valid, mask)


def test_gdals_nodata_and_opacity_are_found():
    content, pixels = gdal_tiffs.load("nodata_and_alpha")
    decoded = decode_bands(content, ENOUGH)
    np.testing.assert_array_equal(decoded.bands, pixels)
    assert decoded.alpha
    assert decoded.nodata == 7


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (
            np.zeros((40, 60, 257), np.uint8),
            GREY | {"planarconfig": "contig"},
            r"\(40, 60, 257\); expected one image",
        ),
        (np.zeros((3, 40, 60, 3), np.uint8), {"photometric": "rgb"}, r"holds images of shape \(3, 40, 60, 3\)"),
    ],
    ids=["257 bands", "several pictures"],
)
def test_what_is_not_one_image_of_bands_is_rejected(image, options, message):
    with pytest.raises(UnreadableImage, match=message):
        decode_bands(encode(image, **options), ENOUGH)


def test_pages_that_claim_too_much_together_are_rejected():
    content = encode(planes(BANDS))
    with pytest.raises(UnreadableImage, match=r"claims 13 pages of \(40, 60, 1\); at most 60,000 bytes"):
        decode_bands(content, 60_000)


def test_a_thumbnail_that_comes_first_is_not_the_image():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(BANDS[::4, ::4, 0], photometric="minisblack", subfiletype=1, metadata=None)
        writer.write(BANDS[..., 0], photometric="minisblack", metadata=None)
    decoded = decode_bands(file.getvalue(), ENOUGH)
    np.testing.assert_array_equal(decoded.bands, BANDS[..., :1])
    assert decoded.page == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_where_0_is_white_pixels_are_as_the_file_shows_them(dtype):
    image = np.arange(40 * 60).reshape(40, 60).astype(dtype)
    decoded = decode_bands(encode(image, photometric="miniswhite", metadata=None), ENOUGH)
    np.testing.assert_array_equal(decoded.bands[..., 0], np.iinfo(dtype).max - image)


def test_more_than_16_bands_are_read():
    image = np.random.default_rng(0).integers(0, 99, (20, 24, 120)).astype(np.uint16)
    np.testing.assert_array_equal(decode_bands(encode(image, **GREY, planarconfig="contig"), ENOUGH).bands, image)


def with_palette(index, colours, nodata=None, **options):
    """A file of indices, and of colours `(n, 3)` of 16 bits."""
    tags = [] if nodata is None else [(42113, "s", 0, str(nodata), True)]
    return encode(index, photometric="palette", colormap=colours.T, extratags=tags, **options)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "predictor": True}, {"tile": (16, 16)}])
def test_indices_become_the_colours_that_they_stand_for(dtype, options):
    rng, count = np.random.default_rng(0), np.iinfo(dtype).max + 1
    index, colours = rng.integers(0, count, (30, 40)).astype(dtype), rng.integers(0, 1 << 16, (count, 3), np.uint16)
    content = with_palette(index, colours, **options)
    decoded = decode_bands(content, ENOUGH)
    np.testing.assert_array_equal(decoded.bands, (colours >> 8)[index])
    assert (decoded.bands.dtype, decoded.valid, decoded.nodata, decoded.alpha) == (np.uint8, None, None, False)
    if dtype == np.uint8:
        np.testing.assert_array_equal(decoded.bands, np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))


def test_colours_of_8_bits_are_taken_as_they_are():
    """As GDAL does: the standard has them times 256."""
    index, colours = (
        np.arange(256, dtype=np.uint8).reshape(16, 16),
        np.arange(768, dtype=np.uint16).reshape(256, 3) % 251,
    )
    np.testing.assert_array_equal(decode_bands(with_palette(index, colours), ENOUGH).bands, colours[index])


def test_the_index_of_empty_pixels_is_no_value_of_a_colour():
    index = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colours = np.stack([np.roll(np.arange(256), 3 * band) for band in range(3)], -1).astype(np.uint16) << 8
    decoded = decode_bands(with_palette(index, colours, nodata=7), ENOUGH)
    assert np.argwhere(~decoded.valid).tolist() == [[0, 7]]
    whole = decode_image(with_palette(index, colours, nodata=7))
    assert np.argwhere(whole.empty).tolist() == [[0, 7, 0], [0, 7, 1], [0, 7, 2]]


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_indices_without_their_colours_are_refused(damage):
    index, colours = np.arange(256, dtype=np.uint8).reshape(16, 16), np.full((256, 3), 9 << 8, np.uint16)
    content = with_palette(index, colours)
    tag = struct.pack("<HHI", 320, 3, 768)
    assert content.count(tag) == 1
    other = struct.pack("<HHI", *((321, 3, 768) if damage == "gone" else (320, 3, 765)))
    with pytest.raises(UnreadableImage, match="8 bits of indices without their colours"):
        decode_bands(content.replace(tag, other), ENOUGH)


def test_what_the_colours_take_is_bounded():
    index, colours = np.zeros((1000, 1000), np.uint8), np.full((256, 3), 9 << 8, np.uint16)
    with pytest.raises(UnreadableImage, match="3,000,000 bytes; at most 2,000,000 are read"):
        decode_bands(with_palette(index, colours, compression="zlib"), 2_000_000)
