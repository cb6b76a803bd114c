"""Chunks that are not what HDF5 takes them for; what whole files say is in test_mat.py."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from keras_dhnn.pipelines.formats.hdf5_chunks import read_rows

READ = """
import sys
import h5py
from keras_dhnn.pipelines.formats.hdf5_chunks import read_rows
with h5py.File(sys.argv[1]) as file:
    read_rows(file["x"], 0, 10)
"""


def overfull(path, nbytes):
    """Write an array in a chunk of 8,000 bytes, with another number of them in its place."""
    with h5py.File(path, "w") as file:
        array = file.create_dataset("x", shape=(10, 800), dtype="u1", chunks=(10, 800), compression="gzip")
        array.id.write_direct_chunk((0, 0), b"A" * nbytes)


@pytest.mark.parametrize("nbytes", [7_999, 1_000_000])
def test_a_chunk_without_filters_has_its_own_size(tmp_path, nbytes):
    """HDF5 writes all that is stored into the room for one chunk, and the process ends: so it has one of its own."""
    path = tmp_path / "over.mat"
    overfull(path, nbytes)
    content = path.read_bytes()
    # The message of filters becomes one that HDF5 does not look at.
    filters = bytes.fromhex("0b00") + content[content.index(bytes.fromhex("2000010000000101")) :][:8]
    assert content.count(filters) == 1
    path.write_bytes(content.replace(filters, b"\x1b" + filters[1:]))
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"ValueError: a chunk is stored in {nbytes:,} bytes, where 8,000 are expected" in done.stderr


def test_a_packed_chunk_takes_no_multiple_of_its_size(tmp_path):
    overfull(tmp_path / "over.mat", 1_000_000)
    with h5py.File(tmp_path / "over.mat") as file, pytest.raises(ValueError, match="stored in 1,000,000 bytes"):
        read_rows(file["x"], 0, 10)


def test_what_cannot_be_packed_is_read(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 800), np.uint8)
    with h5py.File(tmp_path / "noise.mat", "w") as file:
        file.create_dataset("x", data=noise, chunks=(10, 800), compression="gzip")
        file.create_dataset("y", data=noise, chunks=(10, 800))
        for name in ("x", "y"):
            np.testing.assert_array_equal(read_rows(file[name], 5, 20), noise[5:])
