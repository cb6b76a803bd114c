"""Rasters that GDAL wrote, in every way that it has: what is decoded is what GDAL itself reads, or it is refused."""

import io
import itertools

import numpy as np
import pytest
import tifffile
from PIL import Image

from keras_dhnn.pipelines.formats.image_file import decode_image
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage

rasterio = pytest.importorskip("rasterio", reason="rasterio (extra `test`) writes what is compared")
from rasterio.enums import ColorInterp, MaskFlags  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
HEIGHT, WIDTH = 37, 53  # no multiples of a strip or a tile
COMPRESSIONS = ("none", "lzw", "deflate", "zstd", "packbits")
LAYOUTS = {
    "one strip": {"blockysize": 64},
    "strips": {"blockysize": 16},
    "tiles": {"tiled": True, "blockxsize": 16, "blockysize": 32},
    "tile": {"tiled": True, "blockxsize": 256, "blockysize": 256},
}
KINDS = [("uint8", 8), ("uint8", 5), ("uint16", 16), ("uint16", 12), ("int16", 16), ("float32", 32)]
KINDS += [("uint8", 1), ("uint8", 4), ("uint32", 20), ("int8", 8), ("uint32", 32), ("int32", 32), ("float64", 64)]


def values(shape, dtype, bits, seed=0):
    random = np.random.default_rng(seed)
    if dtype.startswith("f"):
        return random.normal(0, 1000, shape).astype(dtype)
    low = -(1 << (bits - 1)) if dtype.startswith("i") else 0
    # From 1: 0 is what some cases call empty. Numbers beyond 2^24 are not kept as float32.
    return random.integers(max(low, -30_000), min(low + (1 << bits) - 1, 1 << 24), shape, endpoint=True).astype(dtype)


def write(path, pixels, *, bits=None, mask=None, colours=None, gaps=False, **options):
    """`(C, H, W)` pixels as a GeoTIFF."""
    count, height, width = pixels.shape
    options = {"driver": "GTiff", "dtype": pixels.dtype, "count": count, "height": height, "width": width} | options
    if bits and bits != pixels.dtype.itemsize * 8:
        options["nbits"] = bits
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", sparse_ok=gaps, **options) as file,
    ):
        if colours:
            file.colorinterp = colours
        if gaps:  # only the upper left is ever written
            part = rasterio.windows.Window(0, 0, width // 2, height // 2)
            file.write(pixels[:, : height // 2, : width // 2], window=part)
        else:
            file.write(pixels)
        if mask is not None:
            file.write_mask(mask)
    return path.read_bytes()


def check(path, content, tolerance=0):
    """Compare a decoded file with what rasterio reads."""
    with rasterio.open(path) as file:
        expected = np.moveaxis(file.read(), 0, -1)
        masks = np.moveaxis(file.read_masks(), 0, -1) > 0
        alpha = file.colorinterp[-1] == ColorInterp.alpha
        flags = file.mask_flag_enums[0]
    decoded = decode_image(content)
    kept = expected.dtype.name if expected.dtype.name in ("uint8", "uint16", "int16", "float32") else "float32"
    assert decoded.stored == expected.dtype.name
    assert decoded.bands.dtype == kept
    np.testing.assert_allclose(decoded.bands.astype(float), expected.astype(kept), rtol=0, atol=tolerance)
    assert decoded.alpha == alpha
    if MaskFlags.alpha in flags:
        assert alpha
        decoded, masks = decoded.without_opacity(expected.shape[2] - 1), masks[..., :-1]
    empty = np.zeros(masks.shape, bool) if decoded.empty is None else decoded.empty
    if expected.dtype.kind == "f":
        masks = masks & np.isfinite(expected[..., : masks.shape[2]])
    np.testing.assert_array_equal(~empty, masks)
    return decoded


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind[0]}-{kind[1]}")
def test_compression_bands_interleave_layout_and_depth(tmp_path, compression, kind):
    for count, interleave, layout in itertools.product((1, 3, 4, 8, 13), ("pixel", "band"), LAYOUTS):
        if kind[1] == 1 and count == 1:
            continue  # black and white, which is a picture: below
        pixels = values((count, HEIGHT, WIDTH), *kind)
        options = {"compress": compression, "interleave": interleave, **LAYOUTS[layout]}
        content = write(tmp_path / "a.tif", pixels, bits=kind[1], **options)
        check(tmp_path / "a.tif", content)


@pytest.mark.parametrize("compression", ["lzw", "zstd"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
def test_predictors(tmp_path, compression, kind):
    for count, interleave, layout in itertools.product((1, 3, 13), ("pixel", "band"), LAYOUTS):
        for predictor in (2, 3) if kind.startswith("float") else (2,):
            pixels = values((count, HEIGHT, WIDTH), kind, min(np.dtype(kind).itemsize * 8, 24))
            options = {"compress": compression, "interleave": interleave, "predictor": predictor, **LAYOUTS[layout]}
            check(tmp_path / "a.tif", write(tmp_path / "a.tif", pixels, **options))


@pytest.mark.parametrize("compression", ["lzw"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("nodata", [None, 0, 255, -9999, -32768, 1.5, -3.4028234663852886e38, float("nan")])
def test_nodata_masks_alpha_and_gaps(tmp_path, compression, kind, nodata):
    limits = np.iinfo(kind) if not kind.startswith("f") else None
    if nodata is not None and limits is not None and not (nodata == nodata // 1 and limits.min <= nodata <= limits.max):
        pytest.skip("the type has no such value")
    mask = np.random.default_rng(1).random((HEIGHT, WIDTH)) > 0.3
    for count, interleave, layout, extra in itertools.product(
        (1, 4), ("pixel", "band"), ("strips", "tiles"), (None, "mask", "alpha", "no alpha", "gaps")
    ):
        pixels = values((count, HEIGHT, WIDTH), kind, 8 if kind == "uint8" else 12)
        if nodata is not None:
            pixels[:, :5, :9] = nodata
            pixels[0, 10, 10] = nodata
        options = {"compress": compression, "interleave": interleave, "nodata": nodata, **LAYOUTS[layout]}
        if extra == "mask" and nodata is None:
            options["mask"] = mask
        elif extra in ("alpha", "no alpha") and count > 1:
            last = ColorInterp.alpha if extra == "alpha" else ColorInterp.undefined
            options["colours"] = [ColorInterp.gray, *[ColorInterp.undefined] * (count - 2), last]
        elif extra == "gaps":
            options["gaps"] = True
        check(tmp_path / "a.tif", write(tmp_path / "a.tif", pixels, **options))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["little", "big"])
def test_byte_orders_and_bigtiff(tmp_path, big, order):
    for kind, compression in itertools.product([("uint16", 16), ("float32", 32), ("uint16", 11)], COMPRESSIONS):
        options = {"bigtiff": "YES" if big else "NO", "endianness": order, "compress": compression}
        pixels = values((3, HEIGHT, WIDTH), *kind)
        check(tmp_path / "a.tif", write(tmp_path / "a.tif", pixels, bits=kind[1], **options))


@pytest.mark.parametrize("photometric", ["ycbcr", "rgb", "minisblack", "rgb and alpha"])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
def test_jpeg_in_tiff(tmp_path, photometric, with_mask, interleave):
    if photometric == "ycbcr" and interleave == "band":
        pytest.skip("GDAL writes no such file")
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    count = {"minisblack": 1, "rgb and alpha": 4}.get(photometric, 3)
    pixels = np.stack([x + y * band for band in range(1, count + 1)]).astype(np.uint8)
    mask = (x > 9) if with_mask else None
    for layout in LAYOUTS.values():
        options = {
            "compress": "jpeg",
            "photometric": photometric[:10].split()[0],
            "interleave": interleave,
            "mask": mask,
            **layout,
        }
        if count == 4:
            options |= {"colours": [*map(ColorInterp, (3, 4, 5, 6))], "mask": None}
        # Libraries of JPEG enlarge colours that are stored at half the size each in its own way: that of rasterio's
        # wheels (libjpeg 9) by a cosine transform, Pillow's (libjpeg-turbo) by interpolation, plain JPEG files alike.
        tolerance = 8 if photometric == "ycbcr" else 0
        check(tmp_path / "a.tif", write(tmp_path / "a.tif", pixels, **options), tolerance)


def test_jpeg_in_tiff_is_what_a_jpeg_file_of_the_same_stream_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH)).astype(np.uint8)
    content = write(tmp_path / "a.tif", pixels, compress="jpeg", photometric="ycbcr", interleave="pixel", blockysize=64)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[0]
        (place,), (size,) = page.dataoffsets, page.databytecounts
        stream = page.jpegtables[:-2] + content[place + 2 : place + size]  # less the end of one, the start of the other
    with Image.open(io.BytesIO(stream)) as image:
        np.testing.assert_array_equal(decode_image(content).bands, np.asarray(image))


@pytest.mark.parametrize("compression", ["lzma", "lerc", "webp"])
def test_other_compressions_are_refused_with_a_cure_that_works(tmp_path, compression):
    pixels = values((3, HEIGHT, WIDTH), "uint8", 8)
    content = write(tmp_path / "a.tif", pixels, compress=compression, webp_lossless=True)
    with pytest.raises(UnreadableImage, match="is compressed as .* gdal_translate -co COMPRESS=LZW"):
        decode_image(content)
    with rasterio.open(tmp_path / "a.tif") as file:
        cured = write(tmp_path / "b.tif", file.read(), compress="lzw")
    check(tmp_path / "b.tif", cured)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_are_refused(tmp_path, dtype):
    with pytest.raises(UnreadableImage, match="complex numbers; expected whole or real ones"):
        decode_image(write(tmp_path / "a.tif", np.ones((1, 8, 8), dtype)))


@pytest.mark.parametrize("driver", ["PNG", "BMP", "JP2OpenJPEG", "WEBP"])
def test_other_formats(tmp_path, driver):
    cases = [("uint8", 1), ("uint8", 3), ("uint16", 1), ("uint16", 3)] if driver != "WEBP" else [("uint8", 3)]
    for dtype, count in cases if driver != "BMP" else cases[:2]:
        pixels = values((count, HEIGHT, WIDTH), dtype, 12 if dtype == "uint16" else 8)
        lossless = (
            {"quality": 100, "reversible": "YES"}
            if driver == "JP2OpenJPEG"
            else {"lossless": True}
            if driver == "WEBP"
            else {}
        )
        content = write(tmp_path / "a.x", pixels, driver=driver, **lossless)
        if driver == "JP2OpenJPEG" and (dtype, count) == ("uint16", 3):
            with pytest.raises(UnreadableImage, match="several of 8, of one size and unsigned, are read"):
                decode_image(content)
        else:
            check(tmp_path / "a.x", content)


def test_a_thumbnail_before_the_image_is_not_the_image():
    import io

    import tifffile

    file = io.BytesIO()
    image = values((HEIGHT, WIDTH), "uint16", 16)
    with tifffile.TiffWriter(file) as writer:
        writer.write(image[::4, ::4], subfiletype=1, metadata=None)
        writer.write(image, metadata=None)
    np.testing.assert_array_equal(decode_image(file.getvalue()).bands[..., 0], image)
