import numpy as np
import pytest

from keras_dhnn.unlabelled.cells import make_cells
from keras_dhnn.unlabelled.neighbours import nearest_neighbours
from keras_dhnn.unlabelled.standard import standard_features
from tests.unlabelled.blobs import blobs


def sorted_by_numpy(units, k):
    similarities = units @ units.T
    np.fill_diagonal(similarities, -2)
    return np.argsort(-similarities, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("block", [64 << 20, 4 * 300 * 7])
def test_all_pairs_give_what_sorting_gives(monkeypatch, block):
    monkeypatch.setattr("keras_dhnn.unlabelled.neighbours._BLOCK_BYTES", block)
    units = standard_features(blobs(5, 60)[0])
    found = nearest_neighbours(units, 6)
    np.testing.assert_array_equal(found.numbers, sorted_by_numpy(units, 6))
    expected = np.take_along_axis(units @ units.T, found.numbers.astype(int), axis=1)
    np.testing.assert_allclose(found.similarities, expected, atol=1e-6)


def test_near_cells_find_nearly_all_of_them():
    units = standard_features(blobs(40, 150, noise=1.0)[0])
    done = []
    found = nearest_neighbours(units, 10, exact=100, progress=done.append)
    expected = sorted_by_numpy(units, 10)
    recall = np.mean([len(np.intersect1d(*rows)) / 10 for rows in zip(found.numbers, expected, strict=True)])
    assert recall > 0.95
    assert done[-1] == len(units)
    assert not np.any(found.numbers == np.arange(len(units))[:, None])


def test_duplicates_are_neighbours_and_not_oneself():
    units = standard_features(np.repeat(blobs(4, 1)[0], 5, axis=0))
    found = nearest_neighbours(units, 4)
    assert np.all(found.numbers // 5 == np.arange(20)[:, None] // 5)
    assert not np.any(found.numbers == np.arange(20)[:, None])


def test_cells_hold_each_item_once():
    cells = make_cells(standard_features(blobs(10, 200)[0]))
    items = np.concatenate([cells.items(cell) for cell in range(len(cells.near))])
    np.testing.assert_array_equal(np.sort(items), np.arange(2000))


@pytest.mark.parametrize("k", [0, 20])
def test_it_rejects_k_that_is_not_below_the_items(k):
    with pytest.raises(ValueError, match="fewer than the items"):
        nearest_neighbours(standard_features(blobs(2, 10)[0]), k)
