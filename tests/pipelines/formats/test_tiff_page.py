import io
import random
import resource
import struct

import numpy as np
import pytest
import tifffile

from keras_dhnn.pipelines.formats.image_file import decode_image
from keras_dhnn.pipelines.formats.tiff_page import read_pages
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage

IMAGE = np.arange(20 * 30 * 3, dtype=np.uint16).reshape(20, 30, 3).astype(np.uint8)
ENOUGH = 1 << 20


def encode(image=IMAGE, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, image, **{"photometric": "rgb", "metadata": None} | options)
    return file.getvalue()


def decode_tiff(content, most_bytes):
    return decode_image(content, most_bytes).bands


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


@pytest.fixture
def scarce_memory():
    """Lets this process grow by 1 GiB only."""
    with open("/proc/self/statm", encoding="utf-8") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + (1 << 30), limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


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
    with pytest.raises(UnreadableImage, match="is no readable TIFF"):
        read_pages(content)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"rowsperstrip": 5}], ids=str)
def test_decode_rejects_a_truncated_file(options):
    content = encode(**options)
    with pytest.raises(UnreadableImage, match="truncated|no readable"):
        decode_tiff(content[: len(content) - 40], ENOUGH)


def test_decode_rejects_pixels_fewer_than_claimed():
    with pytest.raises(UnreadableImage, match="it has 1 strips or tiles, where 5 are"):
        decode_tiff(set_tag(encode(), 257, 100), ENOUGH)  # ImageLength


@pytest.mark.parametrize("tag", [256, 257], ids=["width", "height"])
def test_decode_rejects_a_huge_claim_before_decoding(tag):
    with pytest.raises(UnreadableImage, match=r"claims an image of .* at most 1,048,576 are read"):
        decode_tiff(set_tag(encode(compression="zlib"), tag, 2_000_000_000), ENOUGH)


def test_a_deflate_bomb_takes_no_more_than_it_claims(scarce_memory):
    bomb = encode(np.zeros((9_000, 9_000, 3), np.uint8), compression="zlib", rowsperstrip=9_000)
    lying = set_tag(set_tag(set_tag(bomb, 256, 20), 257, 20), 278, 20)  # width, height, rows per strip
    assert decode_tiff(lying, ENOUGH).shape == (20, 20, 3)


def test_decode_rejects_compression_that_it_cannot_bound():
    with pytest.raises(UnreadableImage, match="is compressed as JPEG2000; expected no compression"):
        decode_tiff(set_tag(encode(), 259, 34712), ENOUGH)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tag", [322, 323], ids=["width", "height"])
def test_decode_rejects_huge_tiles(tag, compression):
    content = set_tag(encode(tile=(16, 16), compression=compression), tag, 60_000)
    with pytest.raises(UnreadableImage, match="claims an image of|strips or tiles"):
        decode_tiff(content, ENOUGH)


def directory(entries, following=0):
    """A little-endian directory of `(tag, type, count, value)`."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


ONE_BYTE = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (273, 4, 1, 0), (279, 4, 1, 1)]


def test_a_cycle_of_directories_ends():
    content = b"II*\0" + struct.pack("<I", 8) + directory(ONE_BYTE, following=8)
    with pytest.raises(UnreadableImage, match="its list of images has no end: 1 were read"):
        read_pages(content)


def test_a_long_chain_of_directories_is_refused_in_time():
    size = len(directory(ONE_BYTE))
    chain = b"".join(directory(ONE_BYTE, 8 + size * (number + 1)) for number in range(20_000))
    with pytest.raises(UnreadableImage, match="its list of images has no end: 16384 were read"):
        read_pages(b"II*\0" + struct.pack("<I", 8) + chain)


def test_a_directory_of_many_entries_and_values_that_are_the_same_bytes_again_are_refused():
    many = [(tag, 1, 4, 0) for tag in range(1000, 1600)]
    with pytest.raises(UnreadableImage, match="a directory claims 600 entries"):
        read_pages(b"II*\0" + struct.pack("<I", 8) + directory(many))
    overlapping = [(tag, 1, 100_000, 8) for tag in range(1000, 1500)]
    with pytest.raises(UnreadableImage, match="a directory names what lies beyond its end"):
        read_pages(b"II*\0" + struct.pack("<I", 8) + directory(overlapping) + bytes(100_000))


def test_strips_that_are_the_same_bytes_again_and_again_are_refused():
    rows = 60_000
    body = bytes(40_000)
    places = struct.pack(f"<{rows}I", *[8] * rows), struct.pack(f"<{rows}I", *[len(body)] * rows)
    first = 8 + len(body)
    tags = [(256, 4, 1, 9), (257, 4, 1, rows), (258, 3, 1, 8), (259, 3, 1, 5), (273, 4, rows, first)]
    tags += [(278, 4, 1, 1), (279, 4, rows, first + len(places[0]))]
    content = b"II*\0" + struct.pack("<I", first + 2 * len(places[0])) + body + b"".join(places) + directory(tags)
    with pytest.raises(UnreadableImage, match="at most 16,384 on a side|the same bytes again and again"):
        decode_tiff(content, ENOUGH)


def test_a_packbits_bomb_takes_no_more_than_it_claims(scarce_memory):
    run = bytes([129, 0])  # 128 zeros
    packed = run * (8 << 20)  # 1 GiB
    tags = [(256, 4, 1, 20), (257, 4, 1, 20), (258, 3, 1, 8), (259, 3, 1, 32773), (273, 4, 1, 8), (278, 4, 1, 20)]
    tags += [(279, 4, 1, len(packed))]
    content = b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + directory(tags)
    assert (decode_tiff(content, ENOUGH) == 0).all()


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
        except UnreadableImage as error:
            assert not isinstance(error.__cause__, MemoryError), seed  # noqa: PT017


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_tile_that_is_larger_than_memory_is_refused_by_what_it_claims(compression):
    content = encode(tile=(32, 32), compression=compression)
    for tag in (322, 323):
        content = set_tag(content, tag, 2000)
    with pytest.raises(UnreadableImage, match=r"claims an image of \(20, 30, 3\), 12,000,000 bytes"):
        decode_tiff(content, ENOUGH)
