from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_dhnn.metrics import distances


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("blocks_of", [1, 3, 8, 100])
@pytest.mark.parametrize("length", [1, 8, 12, 15, 16, 31, 32, 64, 264])
def test_blocks_are_popcounts(length, blocks_of, workers, monkeypatch):
    monkeypatch.setattr(distances, "CHUNK", 16)
    monkeypatch.setattr(distances, "LEAST_ROWS", 1)
    monkeypatch.setattr(distances, "BLOCK_BYTES", blocks_of * 50)
    rng = np.random.default_rng(length)
    queries, database = (rng.integers(0, 256, (n, length), dtype=np.uint8) for n in (10, 50))
    # The largest distances, in all digits of a number.
    queries[:5], database[:5], database[5:9] = 0, 0, 255
    rows = []
    with ThreadPoolExecutor(workers) as pool:
        for start, block in distances.distance_blocks(queries, database, pool.map, workers):
            assert start == len(rows)
            assert len(block) <= blocks_of
            rows.extend(block.copy())
    expected = np.unpackbits(queries[:, None] ^ database[None], axis=2).sum(axis=2)
    np.testing.assert_array_equal(rows, expected)
    assert rows[0][5] == rows[4][8] == 8 * length
