import io
import random
import resource
import struct

import numpy as np
import pytest
import tifffile

from keras_dhnn.pipelines.formats.tiff import UnreadableTiff, decode_tiff

IMAGE = np.arange(20 * 30 * 3, dtype=np.uint16).reshape(20, 30, 3).astype(np.uint8)
ENOUGH = 1 << 20


def encode(image=IMAGE, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, image, **{"photometric": "rgb", "metadata": None} | options)
    return file.getvalue()


def set_tag(content, code, value):
    """Overwrites the inline value of a tag of the first directory (little-endian)."""
    content = bytearray(content)
    (first,) = struct.unpack_from("<I", content, 4)
    for entry in range(struct.unpack_from("<H", content, first)[0]):
        at = first + 2 + 12 * entry
        if struct.unpack_from("<H", content, at)[0] == code:
            kind = struct.unpack_from("<H", content, at + 2)[0]
            struct.pack_into("<I" if kind == 4 else "<H", content, at + 8, value)
            return bytes(content)
    raise KeyError(code)


@pytest.mark.parametrize(
    "options",
    [{}, {"byteorder": ">"}, {"bigtiff": True}, {"rowsperstrip": 7}, {"tile": (16, 16)}, {"compression": "zlib"}]
    + [{"compression": "zlib", "predictor": True}, {"compression": "zlib", "rowsperstrip": 7}],
    ids=str,
)
def test_decode_returns_the_pixels(options):
    np.testing.assert_array_equal(decode_tiff(encode(**options), ENOUGH), IMAGE)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_decode_keeps_other_types(dtype):
    image = IMAGE.astype(dtype)
    decoded = decode_tiff(encode(image), ENOUGH)
    assert decoded.dtype == dtype
    np.testing.assert_array_equal(decoded, image)


@pytest.mark.parametrize("content", [b"", b"II*\0", b"this is a text file", b"II*\0\x08\0\0\0\xff\xff"])
def test_decode_rejects_what_is_no_tiff(content):
    with pytest.raises(UnreadableTiff, match="is no readable TIFF"):
        decode_tiff(content, ENOUGH)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"rowsperstrip": 5}], ids=str)
def test_decode_rejects_a_truncated_file(options):
    content = encode(**options)
    with pytest.raises(UnreadableTiff, match="is truncated|no readable"):
        decode_tiff(content[: len(content) - 40], ENOUGH)


def test_decode_rejects_pixels_fewer_than_claimed():
    with pytest.raises(UnreadableTiff, match="is truncated"):
        decode_tiff(set_tag(encode(), 257, 100), ENOUGH)  # ImageLength


@pytest.mark.parametrize("tag", [256, 257], ids=["width", "height"])
def test_decode_rejects_a_huge_claim_before_decoding(tag):
    with pytest.raises(UnreadableTiff, match=r"claims an image of .* at most 1,048,576 are read"):
        decode_tiff(set_tag(encode(compression="zlib"), tag, 2_000_000_000), ENOUGH)


def test_decode_rejects_a_deflate_bomb():
    bomb = encode(np.zeros((4000, 4000, 3), np.uint8), compression="zlib", rowsperstrip=4000)
    lying = set_tag(set_tag(set_tag(bomb, 256, 20), 257, 20), 278, 20)  # width, height, rows per strip
    with pytest.raises(UnreadableTiff, match="unpacks to more than"):
        decode_tiff(lying, ENOUGH)


def test_decode_rejects_compression_that_it_cannot_bound():
    with pytest.raises(UnreadableTiff, match="is compressed as JPEG2000; expected no compression"):
        decode_tiff(set_tag(encode(), 259, 34712), ENOUGH)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tag", [322, 323], ids=["width", "height"])
def test_decode_rejects_huge_tiles(tag, compression):
    content = set_tag(encode(tile=(16, 16), compression=compression), tag, 60_000)
    with pytest.raises(UnreadableTiff, match="claims an image of"):
        decode_tiff(content, ENOUGH)


def test_decode_rejects_samples_that_are_no_whole_bytes():
    with pytest.raises(UnreadableTiff, match="has samples of 1 bits"):
        decode_tiff(encode(np.zeros((8, 8), bool), photometric="minisblack"), ENOUGH)


@pytest.fixture
def scarce_memory():
    """Lets this process grow by 1 GiB only."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.usefixtures("scarce_memory")
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}], ids=str)
def test_decode_of_damaged_bytes_is_bounded_and_raises_nothing_else(options):
    content = encode(**options)
    for seed in range(300):
        chance, damaged = random.Random(seed), bytearray(content)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(min(len(damaged), 400))] = chance.randrange(256)
        try:
            decode_tiff(bytes(damaged), ENOUGH)
        except UnreadableTiff as error:
            assert not isinstance(error.__cause__, MemoryError), seed  # noqa: PT017
