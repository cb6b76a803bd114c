import imagehash
import numpy as np
import pytest
from PIL import Image

from keras_dhnn.evaluation.leakage import lookalikes
from keras_dhnn.evaluation.leakage.fingerprints import take_fingerprints
from keras_dhnn.evaluation.leakage.lookalikes import find_lookalikes
from keras_dhnn.evaluation.leakage.symmetries import turned
from tests.evaluation.leakage.pictures import edited, prepare_pictures, terrain


def brute_force(hashes, threshold):
    """{(i, j): (distance, symmetries at that distance)}."""
    bits, found = np.unpackbits(hashes, axis=2), {}
    for i in range(len(hashes)):
        for j in range(i + 1, len(hashes)):
            distances = (bits[i, 0] != bits[j]).sum(axis=1)
            if distances.min() <= threshold:
                found[i, j] = distances.min(), set(np.flatnonzero(distances == distances.min()))
    return found


@pytest.mark.parametrize("rows", [1, 7, 1024])
def test_pairs_are_those_of_brute_force(monkeypatch, rows):
    monkeypatch.setattr(lookalikes, "_ROWS", rows)
    random = np.random.default_rng(0)
    hashes = random.integers(0, 256, (40, 8, 4), np.uint8)
    hashes[20:30] = hashes[:10] ^ (random.random((10, 8, 4)) < 0.1)  # some that are near
    hashes[30:35, 3] = hashes[:5, 0]
    expected = brute_force(hashes, 6)
    pairs, distances, symmetries = find_lookalikes(hashes, 6)
    assert len(expected) >= 15
    assert [tuple(pair) for pair in pairs] == sorted(expected)
    for pair, distance, symmetry in zip(pairs, distances, symmetries, strict=True):
        assert expected[tuple(pair)][0] == distance
        assert symmetry in expected[tuple(pair)][1]


def test_nearest_symmetry_is_kept():
    hashes = np.full((2, 8, 4), 255, np.uint8)
    hashes[0, 0], hashes[1, 2], hashes[1, 5], hashes[1, 6] = 0, 7, 1, 3
    pairs, distances, symmetries = find_lookalikes(hashes, 12)
    assert (pairs.tolist(), distances.tolist(), symmetries.tolist()) == ([[0, 1]], [4], [5])


def test_threshold_is_still_near():
    hashes = np.zeros((2, 8, 4), np.uint8)
    hashes[1] = 0b111
    assert len(find_lookalikes(hashes, 12)[0]) == 1
    assert len(find_lookalikes(hashes, 11)[0]) == 0


def test_no_lookalikes():
    pairs, distances, symmetries = find_lookalikes(np.arange(16, dtype=np.uint8).reshape(2, 8, 1) * 17, 0)
    assert pairs.shape == (0, 2)
    assert distances.shape == symmetries.shape == (0,)


def test_hashes_are_those_of_imagehash(tmp_path):
    image = terrain(0, 64)
    hashes = take_fingerprints(prepare_pictures(tmp_path / "made", [image])).hashes
    for symmetry in (0, 5):
        view = Image.fromarray(np.ascontiguousarray(turned(image, symmetry))).convert("L")
        np.testing.assert_array_equal(np.unpackbits(hashes[0, symmetry]), imagehash.phash(view, 16).hash.ravel())


def test_edited_copies_look_alike_and_others_do_not(tmp_path):
    images = [terrain(seed) for seed in range(6)]
    images += [np.ascontiguousarray(turned(edited(image), seed)) for seed, image in enumerate(images)]
    hashes = take_fingerprints(prepare_pictures(tmp_path / "made", images)).hashes
    pairs, _, symmetries = find_lookalikes(hashes, 40)
    np.testing.assert_array_equal(pairs, [(i, i + 6) for i in range(6)])
    for (first, second), symmetry in zip(pairs, symmetries, strict=True):
        views = images[first], turned(images[second], symmetry)
        assert np.corrcoef(*(view.mean(axis=2).ravel() for view in views))[0, 1] > 0.9
