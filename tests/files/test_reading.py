import os
import zipfile

import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.files import (
    check_kind,
    open_regular,
    read_arrays,
    read_bytes,
    read_json,
    read_lines,
    write_arrays,
    write_json,
)

REMEDY = "Do this."


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {
        "whole": np.arange(12, dtype=np.int64).reshape(3, 4),
        "by_columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "texts": np.array(["a", "ähm", ""]),
        "text": np.array("one"),
        "none": np.zeros((0, 3), np.uint8),
        "empty_texts": np.array([], str),
        "big_endian": np.arange(3, dtype=">i4"),
        "yes": np.array([True, False]),
        "large": np.random.default_rng(0).integers(0, 9, (3 << 20) + 1).astype(np.uint8),
    }
    for compressed in (False, True):
        write_arrays(tmp_path / "a.npz", arrays, compressed=compressed)
        found = read_arrays(tmp_path / "a.npz", {"whole": ("i", 2), "texts": ("U", 1)}, remedy=REMEDY)
        with np.load(tmp_path / "a.npz", allow_pickle=False) as expected:
            assert found.keys() == set(expected.files) == arrays.keys()
            for name in arrays:
                np.testing.assert_array_equal(found[name], expected[name], strict=True)
                assert found[name].flags.writeable


def hostile(tmp_path, header, content=b"", method=zipfile.ZIP_DEFLATED):
    """A .npz whose one member says what it likes."""
    header = header.encode().ljust(117) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as file:
        file.writestr("a.npy", member)
    return tmp_path / "a.npz"


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -16)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<U999999999', 'fortran_order': False, 'shape': (9999,)}",
        "[" * 60,
        "x",
    ],
)
def test_a_header_that_claims_what_is_not_there_is_refused_by_the_files_name(tmp_path, header):
    path = hostile(tmp_path, header, bytes(16))
    with pytest.raises(DataError, match=r"a\.npz is damaged: .*\. Do this\."):
        read_arrays(path, remedy=REMEDY)


def test_arrays_that_unpack_to_too_much_are_refused_before_they_do(tmp_path):
    write_arrays(tmp_path / "a.npz", {"a": np.zeros(1 << 22, np.uint8)}, compressed=True)
    assert (tmp_path / "a.npz").stat().st_size < 1 << 13
    with pytest.raises(DataError, match="claim more than 1,048,576 bytes"):
        read_arrays(tmp_path / "a.npz", remedy=REMEDY, most_bytes=1 << 20)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with pytest.raises(DataError, match="a way that NumPy does not use"):
            read_arrays(hostile(tmp_path, "x", method=method), remedy=REMEDY)


def test_a_flipped_bit_of_an_array_is_noticed(tmp_path):
    write_arrays(tmp_path / "a.npz", {"a": np.arange(100, dtype=np.uint8)})
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[content.index(bytes(range(50, 60)))] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.npz is damaged: Bad CRC"):
        read_arrays(tmp_path / "a.npz", remedy=REMEDY)


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"b": ("u", 1)}, "lacks the array 'b'"),
        ({"a": ("f", 1)}, r"'a' has shape \(3,\) and type uint8"),
        ({"a": ("u", 2)}, r"'a' has shape \(3,\) and type uint8"),
    ],
)
def test_arrays_of_another_kind_are_refused(tmp_path, kinds, message):
    write_arrays(tmp_path / "a.npz", {"a": np.zeros(3, np.uint8)})
    with pytest.raises(DataError, match=message):
        read_arrays(tmp_path / "a.npz", kinds, remedy=REMEDY)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is damaged: Expecting value"),
        (b"{", "is damaged: Expecting property name"),
        (b"[1]", "its content is list; expected dict"),
        (b"\xef\xbb\xbf{}", "begins with a byte order mark; expected UTF-8"),
        ("{}".encode("utf-16"), "begins with a byte order mark; expected UTF-8"),
        (b'{"\xff": 1}', "utf-8"),
        (b"[" * 100_000, r"a\.json is damaged"),
        (b'{"a": ' + b"9" * 5000 + b"}", r"a\.json is damaged"),
    ],
)
def test_damaged_json_is_named(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_json(tmp_path / "a.json", remedy=REMEDY)
    assert str(tmp_path / "a.json") in str(caught.value)
    assert str(caught.value).endswith(REMEDY)


def test_json_comes_back_as_it_was(tmp_path):
    write_json(tmp_path / "a.json", {"ä": [1, None]})
    assert read_json(tmp_path / "a.json", {"ä": [(int, type(None))]}, remedy=REMEDY) == {"ä": [1, None]}
    with pytest.raises(DataError, match=r"There is no file .*b\.json\. Do this\."):
        read_json(tmp_path / "b.json", remedy=REMEDY)
    with pytest.raises(DataError, match="Expected at most 3"):
        read_json(tmp_path / "a.json", remedy=REMEDY, most_bytes=3)


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ({"a": {"b": [1, "2"]}}, {"a": {"b": [int]}}, r"its content\['a'\]\['b'\]\[1\] is str; expected int"),
        ({"a": 1}, {"a": int, "b": int}, "lacks 'b'"),
        ({"a": 1, "b": None}, {str: int}, r"\['b'\] is NoneType; expected int"),
        (True, int, "is bool; expected int"),
        ("1", (int, float), "is str; expected int or float or int"),
    ],
)
def test_a_part_of_another_kind_is_named(value, kind, message):
    with pytest.raises(ValueError, match=message):
        check_kind(value, kind)


def test_values_of_a_kind_are_accepted():
    check_kind({"a": 1, "b": [0.5, 2], "more": object()}, {"a": int, "b": [float]})


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises((DataError, IsADirectoryError)):
        open_regular(tmp_path / "x")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_devices_are_refused(device):
    with pytest.raises(DataError, match=f"{device} is a device. Expected a file"):
        read_bytes(device, 10)


def test_no_more_is_read_than_is_allowed(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(DataError, match="has 5 bytes. Expected at most 4"):
        read_bytes(tmp_path / "a", 4)


def test_lines_end_where_a_line_ends_and_nowhere_else(tmp_path):
    for content, lines in (
        ("", []),
        ("a\n", ["a"]),
        ("a\r\nb\u2028c\n\x85d", ["a", "b\u2028c", "\x85d"]),
        ("\ufeffa\n\nb", ["a", "", "b"]),
    ):
        (tmp_path / "a.txt").write_bytes(content.encode())
        assert read_lines(tmp_path / "a.txt") == lines
    (tmp_path / "a.txt").write_bytes("ä".encode("utf-16"))
    with pytest.raises(DataError, match=r"a\.txt is no text in UTF-8 .* Save it in that encoding"):
        read_lines(tmp_path / "a.txt")
