import re
import struct
import time
import tracemalloc
import zlib

import h5py
import numpy as np
import pytest
import scipy.io

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.formats import mat73
from keras_dhnn.pipelines.formats.mat import open_mat
from keras_dhnn.pipelines.formats.mat5_writer import write_array, write_header

HEADER = 128


def numbers(dtype="uint8", shape=(2, 3, 4, 11)):
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def write73(path, **arrays):
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = array.T
    return path


def whole(array, items=4):
    """All of a MatArray, as MATLAB orders its axes."""
    return np.concatenate(list(array.slabs(items))).T


# --- what is read


@pytest.mark.parametrize("items", [1, 4, 11, 100])
@pytest.mark.parametrize("compressed", [False, True])
def test_mat5_slabs_are_what_scipy_reads(tmp_path, compressed, items):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"first": numbers(), "second": numbers("float64", (4, 9))}, do_compression=compressed)
    expected, file = scipy.io.loadmat(path), open_mat(path)
    for name in ("first", "second"):
        array = file.arrays[name]
        assert array.matlab_size == expected[name].shape
        assert array.dtype == expected[name].dtype
        slabs = list(array.slabs(items))
        assert max(map(len, slabs)) <= items
        np.testing.assert_array_equal(np.concatenate(slabs).T, expected[name])


@pytest.mark.parametrize("items", [1, 4, 11, 100])
@pytest.mark.parametrize("chunks", [None, (3, 4, 3, 2), (11, 1, 3, 2)])
def test_hdf5_slabs_are_what_was_written(tmp_path, chunks, items):
    path, expected = tmp_path / "a.mat", numbers()
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("x", data=expected.T, chunks=chunks, compression="gzip" if chunks else None)
    array = open_mat(path).arrays["x"]
    assert array.matlab_size == expected.shape
    slabs = list(array.slabs(items))
    assert max(map(len, slabs)) <= items
    np.testing.assert_array_equal(np.concatenate(slabs).T, expected)


def test_hdf5_chunks_too_large_for_a_slab_are_read_in_part(tmp_path, monkeypatch):
    path, expected = tmp_path / "a.mat", numbers()
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=expected.T, chunks=(11, 4, 3, 2))
    array = open_mat(path).arrays["x"]
    monkeypatch.setattr(mat73, "_MOST_CHUNK_BYTES", 100)
    np.testing.assert_array_equal(whole(array), expected)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32"])
def test_all_numeric_types(tmp_path, dtype):
    scipy.io.savemat(tmp_path / "5.mat", {"x": numbers(dtype)})
    write73(tmp_path / "73.mat", x=numbers(dtype))
    for name in ("5.mat", "73.mat"):
        array = open_mat(tmp_path / name).arrays["x"]
        assert array.dtype == dtype
        np.testing.assert_array_equal(whole(array), numbers(dtype))


def test_whole_doubles_stored_as_bytes_are_doubles(tmp_path):
    """As MATLAB stores one-hot labels."""
    expected = numbers("uint8", (4, 9))
    with open(tmp_path / "a.mat", "wb") as file:
        write_header(file, "made up")
        write_array(file, "y", expected.T.shape, "f8", [expected.T])
    array = open_mat(tmp_path / "a.mat").arrays["y"]
    assert array.dtype == next(array.slabs(3)).dtype == np.float64
    np.testing.assert_array_equal(whole(array), expected)


def test_numbers_in_the_tag_itself(tmp_path):
    """Up to four bytes stand where others have their length."""
    scipy.io.savemat(tmp_path / "a.mat", {"x": np.uint8([[1, 2, 3]]), "y": np.float64([[5]])})
    arrays = open_mat(tmp_path / "a.mat").arrays
    np.testing.assert_array_equal(whole(arrays["x"]), [[1, 2, 3]])
    np.testing.assert_array_equal(whole(arrays["y"]), [[5]])


def test_big_endian_mat5(tmp_path):
    expected, name = np.uint16([[1, 2, 300], [4, 5, 6]]), b"x".ljust(8, b"\0")
    content = struct.pack(">IIII", 6, 8, 11, 0) + struct.pack(">IIii", 5, 8, 2, 3) + struct.pack(">II", 1, 1) + name
    content += struct.pack(">II", 4, 12) + expected.T.astype(">u2").tobytes() + bytes(4)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    (tmp_path / "a.mat").write_bytes(header + struct.pack(">II", 14, len(content)) + content)
    np.testing.assert_array_equal(scipy.io.loadmat(tmp_path / "a.mat")["x"], expected)
    array = open_mat(tmp_path / "a.mat").arrays["x"]
    assert array.dtype == np.dtype("=u2")
    np.testing.assert_array_equal(whole(array), expected)


def test_what_is_not_real_numbers_is_listed_and_not_read(tmp_path):
    variables = {"text": "abc", "cell": np.array(["a", 1], object), "struct": {"a": 1}, "complex": np.array([[1j]])}
    scipy.io.savemat(tmp_path / "5.mat", variables | {"x": numbers()})
    file = open_mat(tmp_path / "5.mat")
    assert file.others == {name: {"text": "char"}.get(name, name) for name in variables}
    assert list(file.arrays) == ["x"]
    with h5py.File(tmp_path / "73.mat", "w") as file:
        file["text"] = np.uint16([[97]])
        file["text"].attrs["MATLAB_class"] = np.bytes_("char")
        file["#refs#/a"] = 1
        file["complex"] = np.array([[1j]])
        file["elsewhere"] = h5py.ExternalLink("5.mat", "/x")
        file["x"] = numbers().T
    file = open_mat(tmp_path / "73.mat")
    assert file.others == {"text": "char", "#refs#": "group", "complex": "other", "elsewhere": "link"}
    assert list(file.arrays) == ["x"]


def test_memory_is_that_of_a_slab(tmp_path):
    expected = numbers(shape=(50, 50, 4, 2000))  # 20 MB
    scipy.io.savemat(tmp_path / "plain.mat", {"x": expected})
    scipy.io.savemat(tmp_path / "packed.mat", {"x": expected}, do_compression=True)
    for name in ("plain.mat", "packed.mat"):
        tracemalloc.start()
        count = sum(len(slab) for slab in open_mat(tmp_path / name).arrays["x"].slabs(10))  # 0.1 MB
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == 2000
        assert peak < 3e6


# --- what is refused


@pytest.mark.parametrize("content", [b"", b"no such file", bytes(200), b"PK\3\4" + bytes(300)])
def test_another_kind_of_file(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"Expected a MATLAB file of version 5 or 7.3 .*a.mat is neither"):
        open_mat(tmp_path / "a.mat")


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"Cannot read .*a.mat: No such file"):
        open_mat(tmp_path / "a.mat")


@pytest.mark.parametrize("kind", ["plain", "packed", "hdf5"])
def test_a_file_cut_short_anywhere(tmp_path, kind):
    path, expected = tmp_path / "a.mat", numbers(shape=(2, 3, 4, 200))
    if kind == "hdf5":
        write73(path, x=expected, y=expected)
    else:
        scipy.io.savemat(path, {"x": expected, "y": expected}, do_compression=kind == "packed")
    content = path.read_bytes()
    for length in np.linspace(0, len(content) - 1, 60).astype(int):
        path.write_bytes(content[:length])
        try:
            arrays = open_mat(path).arrays
            read = {name: whole(array) for name, array in arrays.items()}
        except DataError:
            continue
        # Between two variables a shorter file is a whole one.
        assert "y" not in read
        assert all(np.array_equal(array, expected) for array in read.values())


def test_a_file_cut_short_says_so(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"x": numbers()})
    content = (tmp_path / "a.mat").read_bytes()
    (tmp_path / "a.mat").write_bytes(content[:-100])
    with pytest.raises(DataError, match=r"cut short: it has \d+ bytes, and .* up to byte \d+. Fetch it again"):
        open_mat(tmp_path / "a.mat")


@pytest.mark.parametrize("kind", ["plain", "packed", "hdf5"])
def test_damage_is_a_data_error_or_other_numbers_never_a_crash(tmp_path, kind):
    path, random = tmp_path / "a.mat", np.random.default_rng(1)
    if kind == "hdf5":
        write73(path, x=numbers(), y=numbers("float64", (4, 9)))
    else:
        scipy.io.savemat(path, {"x": numbers(), "y": numbers("float64", (4, 9))}, do_compression=kind == "packed")
    content = path.read_bytes()
    refused = 0
    for _ in range(150):
        changed = bytearray(content)
        for place in random.integers(HEADER, len(content), 3):
            changed[place] = random.integers(256)
        path.write_bytes(changed)
        tracemalloc.start()
        try:
            for array in open_mat(path).arrays.values():
                for _ in array.slabs(4):
                    pass
        except DataError:
            refused += 1
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5e6
    assert refused > 10


def test_a_wrong_checksum_of_a_compressed_variable(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"x": numbers()}, do_compression=True)
    content = bytearray((tmp_path / "a.mat").read_bytes())
    content[-1] ^= 1
    (tmp_path / "a.mat").write_bytes(content)
    array = open_mat(tmp_path / "a.mat").arrays["x"]
    with pytest.raises(DataError, match=r"a.mat is damaged \(.*incorrect data check"):
        whole(array)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_size_that_the_numbers_do_not_fill(tmp_path, compressed):
    """A variable that claims a terabyte is refused before memory is taken."""
    scipy.io.savemat(tmp_path / "a.mat", {"x": numbers(shape=(2, 3, 5, 7))})
    content = bytearray((tmp_path / "a.mat").read_bytes())
    place = content.index(struct.pack("<4i", 2, 3, 5, 7))
    content[place : place + 16] = struct.pack("<4i", 10_000, 10_000, 100, 100)
    if compressed:
        packed = zlib.compress(bytes(content[HEADER:]))
        content = content[:HEADER] + struct.pack("<II", 15, len(packed)) + packed
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(DataError, match="variable 'x' of size 10000 x 10000 x 100 x 100 holds 210 bytes"):
        open_mat(tmp_path / "a.mat")


def test_a_compressed_variable_that_claims_more_than_deflate_can_hold(tmp_path):
    content = zlib.compress(struct.pack("<II", 14, 1 << 31) + bytes(1000))
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (tmp_path / "a.mat").write_bytes(header + struct.pack("<II", 15, len(content)) + content)
    with pytest.raises(DataError, match="a compressed element holds no variable"):
        open_mat(tmp_path / "a.mat")


def test_an_hdf5_array_that_claims_more_than_is_stored(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("x", (10**9, 4, 28, 28), "u1", chunks=(100, 4, 28, 28))
    with pytest.raises(DataError, match=r"incomplete: x claims 3,136,000,000,000 bytes, and 0 are stored"):
        open_mat(tmp_path / "a.mat")


def test_hdf5_chunks_beyond_memory(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("x", (10**9, 4), "u1", chunks=(10**9, 1))
    with pytest.raises(DataError, match=r"x in .* is stored in chunks of 1,000,000,000 bytes; at most"):
        open_mat(tmp_path / "a.mat")


def test_array_names_what_is_there(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"train_images": numbers(), "text": "abc"})
    expected = r"Expected a numeric variable train_x .*Found: train_images \(2 x 3 x 4 x 11\), text \(char\)"
    with pytest.raises(DataError, match=expected):
        open_mat(tmp_path / "a.mat").array("train_x", (None, 4))


@pytest.mark.parametrize("shape", [(None, 4, 3), (12, 4, 3, 2), (None, 3, 4, 2)])
def test_array_of_another_shape(tmp_path, shape):
    scipy.io.savemat(tmp_path / "a.mat", {"x": numbers()})
    expected = " x ".join("N" if length is None else str(length) for length in shape[::-1])
    with pytest.raises(DataError, match=re.escape(f"to have MATLAB's size {expected}. Found: 2 x 3 x 4 x 11.")):
        open_mat(tmp_path / "a.mat").array("x", shape)
    assert open_mat(tmp_path / "a.mat").array("x", (None, 4, 3, 2)).name == "x"


# --- what is written


def test_written_arrays_are_what_scipy_reads(tmp_path):
    x, y = numbers(), numbers("uint8", (4, 11))
    with open(tmp_path / "a.mat", "wb") as file:
        write_header(file, "made up")
        write_array(file, "x", x.T.shape, "u1", np.array_split(x.T, 3))
        write_array(file, "odd", (1, 3), "u1", [np.uint8([[1, 2, 3]])])
        write_array(file, "y", y.T.shape, "f8", [y.T])
    found = scipy.io.loadmat(tmp_path / "a.mat", mat_dtype=True)
    np.testing.assert_array_equal(found["x"], x)
    np.testing.assert_array_equal(found["odd"], [[1], [2], [3]])
    np.testing.assert_array_equal(found["y"], y)
    assert found["y"].dtype == np.float64


def test_slabs_that_do_not_make_up_the_array(tmp_path):
    with open(tmp_path / "a.mat", "wb") as file, pytest.raises(ValueError, match="`slabs`. Expected 12 bytes.*: 8"):
        write_array(file, "x", (3, 4), "u1", [np.zeros((2, 4), np.uint8)])


@pytest.mark.parametrize(
    "options", [{}, {"shuffle": True}, {"fletcher32": True}, {"shuffle": True, "fletcher32": True}]
)
@pytest.mark.parametrize("chunks", [(3, 2, 5, 4), (1, 4, 7, 6), (10, 4, 7, 6), None])
def test_chunks_however_packed_are_what_was_written(tmp_path, options, chunks):
    array = np.random.default_rng(0).integers(0, 999, (10, 4, 7, 6)).astype(">u2")
    with h5py.File(tmp_path / "a.mat", "w") as file:
        packed = {"compression": "gzip", **options} if chunks else {}
        dataset = file.create_dataset("x", array.shape, array.dtype, chunks=chunks, fillvalue=7, **packed)
        dataset[:4], dataset[8:] = array[:4], array[8:]
        expected = dataset[:]
    for items in (1, 3, 10):
        found = np.concatenate(list(open_mat(tmp_path / "a.mat").arrays["x"].slabs(items)))
        np.testing.assert_array_equal(found, expected)


def test_a_chunk_that_unpacks_to_more_than_it_claims_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        dataset = file.create_dataset("x", (4, 100), "u1", chunks=(2, 100), compression="gzip")
        dataset[:] = 1
        dataset.id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 25), 9))
    tracemalloc.start()
    with pytest.raises(DataError, match="a chunk unpacks to more or less than its 200 bytes"):
        list(open_mat(tmp_path / "a.mat").arrays["x"].slabs(2))
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_filters_that_cannot_be_bounded_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("x", data=np.zeros((4, 4)), compression="lzf")
    with pytest.raises(DataError, match="is packed by the filters .* expected deflate"):
        open_mat(tmp_path / "a.mat")


def test_thousands_of_empty_variables_are_refused_before_all_are_read(tmp_path):
    header = b"MATLAB 5.0".ljust(124) + b"\x00\x01IM"
    (tmp_path / "a.mat").write_bytes(header + struct.pack("<II", 14, 0) * 3_000_000)
    start = time.perf_counter()
    with pytest.raises(DataError, match="holds more than 10000 variables"):
        open_mat(tmp_path / "a.mat")
    assert time.perf_counter() - start < 5
    (tmp_path / "a.mat").write_bytes(header + struct.pack("<II", 14, 0) * 10_000)
    assert open_mat(tmp_path / "a.mat").arrays == {}
    with h5py.File(tmp_path / "b.mat", "w") as file:
        for number in range(10_001):
            file.create_group(str(number))
    with pytest.raises(DataError, match="holds more than 10000 variables"):
        open_mat(tmp_path / "b.mat")
