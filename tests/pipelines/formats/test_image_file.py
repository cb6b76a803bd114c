import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.pipelines.formats.image_file import MOST_SIDE, decode_image, read_image, resize_stored
from keras_dhnn.pipelines.formats.picture_bounds import jpeg2000_bits
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage
from tests.pipelines import gdal_tiffs

RAMP = np.linspace(0, 250, 40)
# Smooth, so that JPEG keeps it; red, green and blue differ, and so do the four corners.
RGB = np.stack(np.broadcast_arrays(RAMP[:30, None], RAMP[None], 255 - RAMP[None]), -1).astype(np.uint8)
DEEP = np.random.default_rng(0).integers(0, 60_000, (30, 40, 3), np.uint16)


def picture(image, kind, mode=None, **options):
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


def tiff(image, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, image, **options)
    return file.getvalue()


def with_opacity(image):
    return np.dstack([image, np.full(image.shape[:2], 90, np.uint8)])


EXACT = {
    "PNG": picture(RGB, "PNG"),
    "PNG with opacity": picture(with_opacity(RGB), "PNG"),
    "WebP": picture(RGB, "WEBP", lossless=True),
    "WebP with opacity": picture(with_opacity(RGB), "WEBP", lossless=True, exact=True),
    "TIFF": picture(RGB, "TIFF"),
    "TIFF, LZW": picture(RGB, "TIFF", compression="tiff_lzw"),
    "TIFF, CMYK": picture(RGB, "TIFF", "CMYK"),
    "BMP": picture(RGB, "BMP"),
}
NEAR = {
    "JPEG": picture(RGB, "JPEG", quality=95),
    "JPEG, CMYK": picture(RGB, "JPEG", "CMYK", quality=95),
    "JPEG in TIFF": picture(RGB, "TIFF", compression="jpeg", quality=95),
    "PNG with a palette": picture(Image.fromarray(RGB).quantize(256), "PNG"),
    "TIFF with a palette": picture(Image.fromarray(RGB).quantize(256), "TIFF"),
}


@pytest.mark.parametrize("name", EXACT)
def test_colours_are_exact_where_the_format_keeps_them(name):
    decoded = decode_image(EXACT[name])
    np.testing.assert_array_equal(decoded.image(3), RGB)
    assert decoded.bands.dtype == np.uint8
    assert decoded.empty is None


@pytest.mark.parametrize("name", NEAR)
def test_colours_are_near_where_it_does_not(name):
    image = decode_image(NEAR[name]).image(3)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - RGB).mean() < 6


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_stays_one_band(mode):
    decoded = decode_image(picture(RGB, "PNG", mode))
    assert decoded.bands.shape == (30, 40, 1)
    if mode == "L":
        np.testing.assert_array_equal(decoded.bands[..., 0], np.asarray(Image.fromarray(RGB).convert("L")))


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_photographs_are_turned_upright(orientation):
    quarters = {3: 2, 6: 3, 8: 1}[orientation]
    exif = Image.Exif()
    exif[0x112] = orientation
    image = decode_image(picture(RGB, "JPEG", quality=95, exif=exif)).bands
    upright = np.rot90(RGB, quarters)
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).mean() < 6


def test_png_of_16_bits_keeps_them():
    import tensorflow as tf

    np.testing.assert_array_equal(decode_image(picture(DEEP[..., 0], "PNG")).bands, DEEP[..., :1])
    np.testing.assert_array_equal(decode_image(tf.io.encode_png(DEEP).numpy()).bands, DEEP)


@pytest.mark.parametrize(
    ("stored", "dtype"),
    [("uint8", "uint8"), ("uint16", "uint16"), ("int16", "int16"), ("float32", "float32")]
    + [("int32", "float32"), ("float64", "float32"), ("float16", "float32"), ("int8", "float32")],
)
def test_types_that_are_kept_and_types_that_become_float32(stored, dtype):
    pixels = np.arange(-60, 60).reshape(10, 12).astype(stored)
    decoded = decode_image(tiff(pixels, photometric="minisblack"))
    assert decoded.bands.dtype == dtype
    assert decoded.stored == stored
    np.testing.assert_array_equal(decoded.bands[..., 0], pixels)


def test_empty_pixels_get_the_lowest_value_of_their_band():
    pixels = np.random.default_rng(0).uniform(5, 9, (10, 12, 2)).astype(np.float32)
    holes = pixels.copy()
    holes[0, 0, 0], holes[1, 1, 0], holes[2, 2, 1], holes[3, 3, 1] = np.nan, np.inf, -9999, -3.4e38
    decoded = decode_image(tiff(holes, photometric="minisblack", planarconfig="contig"))
    assert np.argwhere(decoded.empty).tolist() == [[0, 0, 0], [1, 1, 0], [2, 2, 1], [3, 3, 1]]
    expected = np.where(decoded.empty, np.where(decoded.empty, np.inf, pixels).min((0, 1)), pixels)
    np.testing.assert_array_equal(decoded.image(2), expected)


def test_a_band_without_any_value_becomes_zero():
    decoded = decode_image(tiff(np.full((4, 5), np.nan, np.float32)))
    np.testing.assert_array_equal(decoded.image(1), np.zeros((4, 5, 1)))


def test_the_files_own_nodata_value_is_empty():
    pixels = np.arange(100, 220, dtype=np.uint16).reshape(10, 12)
    tag = (42113, "s", 0, "130", True)
    decoded = decode_image(tiff(pixels, extratags=[tag]))
    assert np.argwhere(decoded.empty).tolist() == [[2, 6, 0]]
    assert decoded.image(1)[2, 6, 0] == 100


def test_opacity_of_a_tiff_is_a_band_until_it_is_the_one_too_many():
    content, pixels = gdal_tiffs.load("nodata_and_alpha")
    decoded = decode_image(content)
    np.testing.assert_array_equal(decoded.bands, pixels)
    empty = (pixels[..., :3] == 7) | (pixels[..., 3:] == 0)
    np.testing.assert_array_equal(decoded.image(4)[..., :3], np.where(pixels[..., :3] == 7, 0, pixels[..., :3]))
    np.testing.assert_array_equal(decoded.without_opacity(3).empty, empty)
    lowest = np.where(empty, 255, pixels[..., :3]).min((0, 1))
    np.testing.assert_array_equal(decoded.image(3), np.where(empty, lowest, pixels[..., :3]))


def test_other_numbers_of_bands_are_rejected():
    with pytest.raises(UnreadableImage, match="has 1 band, not 3"):
        decode_image(picture(RGB, "PNG", "L")).image(3)
    with pytest.raises(UnreadableImage, match="has 3 bands, not 2"):
        decode_image(EXACT["TIFF"]).image(2)  # not opacity: nothing to drop


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no image of a known format"),
        (b"This is a text.", "no image of a known format"),
        (picture(RGB, "GIF"), "no image of a known format"),
        (EXACT["PNG"][:100], "cannot be decoded"),
        (NEAR["JPEG"][:400], "cannot be decoded"),
        (EXACT["TIFF"][:400], "truncated|no readable TIFF"),
        (tiff(np.zeros((4, 5), np.complex64)), "complex numbers; expected"),
    ],
    ids=["empty", "text", "GIF", "cut PNG", "cut JPEG", "cut TIFF", "complex"],
)
def test_damaged_files_and_foreign_ones_are_rejected(content, message):
    with pytest.raises(UnreadableImage, match=message):
        decode_image(content)


@pytest.mark.parametrize("content", [EXACT["PNG"], NEAR["JPEG"], NEAR["JPEG in TIFF"], EXACT["TIFF, LZW"]])
def test_too_large_images_are_rejected_before_they_are_decoded(content):
    with pytest.raises(UnreadableImage, match=r"claims"):
        decode_image(content, most_bytes=3000)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_resizing_keeps_type_range_and_does_not_alias(dtype):
    stripes = np.zeros((64, 64, 2), dtype)
    stripes[:, ::2] = np.iinfo(dtype).max if dtype != "float32" else 1
    half = resize_stored(stripes, 32, 32)
    assert half.dtype == dtype
    middle = stripes.max() / 2
    np.testing.assert_allclose(half[:, 2:-2].astype(float), middle, atol=max(2e-2 * middle, 1 if middle > 1 else 0))
    edge = np.zeros((8, 8, 1), dtype)
    edge[:, 4:] = stripes.max()
    large = resize_stored(edge, 32, 32)  # bicubic overshoots: integers must not wrap around
    assert np.all(np.diff(large[0, 8:24, 0].astype(float)) >= -0.1 * stripes.max())
    if dtype.startswith("u"):
        assert large.min() == 0
        assert large.max() == stripes.max()


def test_read_image_resizes_to_the_spec(tmp_path):
    path = tmp_path / "größe.jpg"
    path.write_bytes(NEAR["JPEG"])
    image = read_image(path, ImageSpec(60, 80, 3, "uint8"))
    assert image.shape == (60, 80, 3)
    assert np.abs(image[::2, ::2].astype(int) - RGB).mean() < 8


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ImageSpec(8, 8, 4, "uint8"), r"x.png has 3 bands, not 4. Expected 8 x 8 x 4 uint8, as the data set's images"),
        (
            ImageSpec(8, 8, 3, "uint16"),
            r"x.png has pixels of uint8, not uint16\. .* Convert it, for example: gdal_translate -ot UInt16 IN OUT",
        ),
        (ImageSpec(8, 8, 2, "uint8"), r"has 3 bands, not 2. .* Convert it, .*: gdal_translate -b 1 -b 2 IN OUT.tif"),
    ],
)
def test_read_image_names_what_does_not_fit(tmp_path, spec, message):
    (tmp_path / "x.png").write_bytes(EXACT["PNG"])
    with pytest.raises(DataError, match=message):
        read_image(tmp_path / "x.png", spec)


def test_grey_among_colours_is_told_how_to_become_red_green_and_blue(tmp_path):
    Image.new("L", (6, 6), 9).save(tmp_path / "grey.png")
    message = r"has 1 band, not 3. .* Convert it, for example: gdal_translate -b 1 -b 1 -b 1 IN OUT.tif"
    with pytest.raises(DataError, match=message):
        read_image(tmp_path / "grey.png", ImageSpec(6, 6, 3, "uint8"))
    rasterio = pytest.importorskip("rasterio")
    # What that command writes: a copy whose bands are none of them red, green or blue.
    how = {"driver": "GTiff", "width": 6, "height": 6, "count": 3, "dtype": "uint8", "photometric": "MINISBLACK"}
    with rasterio.open(tmp_path / "rgb.tif", "w", **how) as file:
        file.write(np.full((3, 6, 6), 9, np.uint8))
    assert (read_image(tmp_path / "rgb.tif", ImageSpec(6, 6, 3, "uint8")) == 9).all()


def test_read_image_of_nothing(tmp_path):
    with pytest.raises(DataError, match=r"Cannot read .*missing.png: No such file"):
        read_image(tmp_path / "missing.png", ImageSpec(8, 8, 3, "uint8"))


@pytest.mark.parametrize(("width", "height"), [(MOST_SIDE + 1, 1), (1, MOST_SIDE + 1)])
@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_long_sides_are_refused_since_resizing_takes_memory_for_them(width, height, name):
    content = picture(np.zeros((height, width), np.uint8), name)
    with pytest.raises(UnreadableImage, match="at most 16,384 on a side are read. Shrink it"):
        decode_image(content)


def test_both_limits_of_sides_are_one():
    from keras_dhnn.saved_models.graph import resampling

    assert resampling.MOST_SIDE == MOST_SIDE


@pytest.mark.parametrize(
    ("mode", "claimed"), [("L", "81,000,000"), ("RGB", "243,000,000"), ("I;16", "162,000,000"), ("P", "243,000,000")]
)
def test_bytes_are_counted_as_they_are(mode, claimed):
    content = picture(Image.new(mode, (9000, 9000)), "PNG")
    with pytest.raises(
        UnreadableImage, match=f"claims 9000 x 9000 pixels, {claimed} bytes; at most 80,000,000 are read"
    ):
        decode_image(content, 80_000_000)
    if mode == "L":
        assert decode_image(content).bands.shape == (9000, 9000, 1)


def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded():
    content = picture(RGB, "JPEG", progressive=True)
    assert 2 < content.count(b"\xff\xda") < 20
    place = content.rindex(b"\xff\xda")
    with pytest.raises(UnreadableImage, match="is a JPEG image of 3009 scans of 1,200 pixels"):
        decode_image(content[:place] + 3000 * content[place:-2] + content[-2:])
    decode_image(content)


@pytest.mark.parametrize("bits", [9, 12, 16])
def test_jpeg_2000_keeps_the_files_own_values(bits):
    pytest.importorskip("rasterio")
    from rasterio.io import MemoryFile

    pixels = np.random.default_rng(0).integers(0, 1 << bits, (1, 30, 40)).astype(np.uint16)
    options = {"driver": "JP2OpenJPEG", "quality": 100, "reversible": "YES", "nbits": bits}
    with MemoryFile() as file:
        with file.open(width=40, height=30, count=1, dtype="uint16", **options) as dataset:
            dataset.write(pixels)
        np.testing.assert_array_equal(decode_image(file.read()).bands[..., 0], pixels[0])


def test_tiles_of_jpeg_2000_are_counted_from_its_own_corner():
    content = picture(RGB, "JPEG2000", tile_size=(8, 8), irreversible=False)
    place = content.index(b"\xff\x4f\xff\x51")
    # Of 40 x 30 pixels 5 x 4 tiles; its corner moved as far as it goes, there is as much of the picture as before.
    assert jpeg2000_bits(content) == 8
    moved = bytearray(content)
    width, height = 1 << 20, 1 << 20
    moved[place + 8 : place + 24] = struct.pack(">4I", width, height, width - 40, height - 30)
    assert jpeg2000_bits(bytes(moved)) == 8
    moved[place + 16 : place + 24] = bytes(8)
    with pytest.raises(UnreadableImage, match=r"is a JPEG 2000 file of 17,179,869,184 tiles; at most 16,384"):
        jpeg2000_bits(bytes(moved))
    moved[place + 8 : place + 16] = struct.pack(">2I", 8 * 128, 8 * 128 - 7)
    assert jpeg2000_bits(bytes(moved)) == 8  # 16,384 of them, the last row one pixel high


def test_grey_of_16_bits_with_opacity_keeps_one_band():
    pytest.importorskip("rasterio")
    from rasterio.io import MemoryFile

    pixels = np.stack([DEEP[..., 0], np.full((30, 40), 40_000, np.uint16)])
    with MemoryFile() as file:
        with file.open(driver="PNG", width=40, height=30, count=2, dtype="uint16") as dataset:
            dataset.write(pixels)
        content = file.read()
    assert content[24:26] == bytes([16, 4])
    np.testing.assert_array_equal(decode_image(content).bands, pixels[0, ..., None])


def test_nodata_of_8_bits_is_empty():
    pixels = np.random.default_rng(0).integers(0, 255, (10, 12)).astype(np.uint8)
    pixels[2, 3] = 255
    decoded = decode_image(tiff(pixels, photometric="minisblack", extratags=[(42113, "s", 0, "255", True)]))
    assert np.argwhere(decoded.empty).tolist() == [[2, 3, 0]]
    assert decoded.image(1)[2, 3, 0] == np.delete(pixels.ravel(), 27).min()


def test_a_value_that_looks_like_a_fill_is_a_measurement_among_its_like():
    pixels = np.arange(-32768, 32767, 5, dtype=np.int16)[: 100 * 131].reshape(100, 131)
    assert (pixels == -32768).any()
    assert decode_image(tiff(pixels, photometric="minisblack")).empty is None
    pixels = np.arange(500, 620, dtype=np.int16).reshape(10, 12)
    pixels[0, 0] = -9999
    assert np.argwhere(decode_image(tiff(pixels, photometric="minisblack")).empty).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("name", ["/dev/zero", "fifo"])
def test_what_never_ends_or_never_begins_is_refused(tmp_path, name):
    import os

    path = tmp_path / name
    if name == "fifo":
        os.mkfifo(path)
    with pytest.raises(DataError, match=f"{path} is a (named pipe|device). Expected a file"):
        read_image(path, ImageSpec(8, 8, 3, "uint8"))


def test_an_address_is_refused_with_the_cure():
    from pathlib import Path

    with pytest.raises(DataError, match=r"is an address. Expected a path on this machine: download it first"):
        read_image(Path("https://example.org/a.png"), ImageSpec(8, 8, 3, "uint8"))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_picture_that_is_clear_throughout_holds_nothing(mode, kind):
    if (mode, kind) in (("P", "WEBP"), ("LA", "WEBP")):
        pytest.skip("WebP has no such pictures")
    image = Image.new("RGBA", (9, 8), (10, 20, 30, 0))
    seen = image.copy()
    seen.putpixel((3, 4), (200, 100, 50, 255))
    for one, nothing in ((image, True), (seen, False)):
        file = io.BytesIO()
        (one.quantize(4) if mode == "P" else one.convert(mode)).save(file, kind, lossless=True)
        decoded = decode_image(file.getvalue())
        assert decoded.holds_nothing == nothing
        if not nothing:
            assert decoded.empty is None


def test_a_mask_of_an_image_that_is_to_be_turned_is_refused():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        turned = (274, "H", 1, 6, True)
        image = np.zeros((20, 30), np.uint8)
        writer.write(image > 0, photometric="minisblack", extratags=[turned], metadata=None)
        writer.write(image == 0, photometric="minisblack", subfiletype=4, metadata=None)
    with pytest.raises(UnreadableImage, match="a mask of another size"):
        decode_image(file.getvalue())
