import numpy as np
import pytest

from keras_dhnn.metrics import distances


@pytest.mark.parametrize("length", [1, 8, 12, 31, 32, 64])
def test_blocks_are_popcounts(length, monkeypatch):
    monkeypatch.setattr(distances, "CHUNK", 16)
    monkeypatch.setattr(distances, "BLOCK_BYTES", 3 * 50)
    rng = np.random.default_rng(length)
    queries, database = (rng.integers(0, 256, (n, length), dtype=np.uint8) for n in (10, 50))
    queries[0], database[0], database[1] = 0, 0, 255
    rows = []
    for start, block in distances.distance_blocks(queries, database):
        assert start == len(rows)
        rows.extend(block.copy())
    expected = np.unpackbits(queries[:, None] ^ database[None], axis=2).sum(axis=2)
    np.testing.assert_array_equal(rows, expected)
    assert rows[0][1] == 8 * length
