"""How a compressed stream ends; what it holds is tested by the files that are read through it (test_mat.py)."""

import zlib

import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.formats.byte_stream import InflatedBytes


def stream(tmp_path, packed):
    (tmp_path / "x.mat").write_bytes(packed)
    return InflatedBytes(open(tmp_path / "x.mat", "rb"), 0, len(packed))


@pytest.mark.parametrize("padding", [0, 1, 8])
def test_a_stream_may_end_with_a_few_bytes_of_padding(tmp_path, padding):
    inflated = stream(tmp_path, zlib.compress(b"content!" + bytes(padding)))
    assert inflated.take(8) == b"content!"
    inflated.finish()


@pytest.mark.parametrize("padding", [9, 1 << 20])
def test_more_than_that_is_refused(tmp_path, padding):
    inflated = stream(tmp_path, zlib.compress(b"content!" + bytes(padding)))
    inflated.take(8)
    with pytest.raises(DataError, match="x.mat"):
        inflated.finish()


def test_a_stream_without_its_checksum_is_cut_short(tmp_path):
    inflated = stream(tmp_path, zlib.compress(b"content!")[:-4])
    assert inflated.take(8) == b"content!"
    with pytest.raises(DataError, match="x.mat"):
        inflated.finish()
