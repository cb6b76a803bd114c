import numpy as np
import pytest

from keras_dhnn.archive import dedupe
from keras_dhnn.archive.dedupe import find_groups
from keras_dhnn.archive.near_pairs import pairs_within, substrings
from keras_dhnn.codes import hamming_distances, to_words
from tests.archives import make_archive, random_codes


def near_codes(count, bits, seed=0):
    """Codes of which many are a few bits apart."""
    codes, rng = random_codes(count, bits, seed=seed, distinct=count // 3), np.random.default_rng(seed)
    flips = rng.random((count, bits)) < 1.5 / bits
    return codes ^ np.packbits(flips, axis=1)


@pytest.mark.parametrize("bits", [8, 64, 96, 256])
@pytest.mark.parametrize("radius", [0, 1, 3, 6])
def test_pairs_are_those_of_all_distances(bits, radius):
    codes = near_codes(300, bits)
    firsts, seconds = pairs_within(to_words(codes), bits, radius)
    every = hamming_distances(codes, codes)
    assert every[firsts, seconds].max() <= radius
    distinct, first = np.unique(codes, axis=0, return_index=True)
    between = hamming_distances(distinct, distinct)
    expected = {
        tuple(sorted((first[i], first[j]))) for i, j in zip(*np.nonzero(np.triu(between <= radius, 1)), strict=True)
    }
    unequal = every[firsts, seconds] > 0
    found = list(zip(firsts[unequal], seconds[unequal], strict=True))
    assert sorted(found) == sorted(expected)  # each once


@pytest.mark.parametrize("bits", [8, 16])
def test_from_radius_0_to_more_than_all_bits_pairs_are_those_of_all_distances(bits):
    codes = random_codes(20, bits)
    codes = np.unique(np.concatenate([codes, ~codes[:10]]), axis=0)
    left, right = np.triu_indices(len(codes), 1)
    every = (codes[left] ^ codes[right])[..., None] >> np.arange(8) & 1
    every = every.sum(axis=(1, 2))
    assert every.max() == bits
    for radius in range(bits + 3):
        near = every <= radius
        firsts, seconds = pairs_within(to_words(codes), bits, radius)
        found = sorted(zip(firsts.tolist(), seconds.tolist(), strict=True))
        assert found == list(zip(left[near].tolist(), right[near].tolist(), strict=True))


def test_substrings_are_the_codes_bits():
    words = to_words(np.array([[0b10000001, 0b00000010]], np.uint8))
    assert substrings(words, 16, 2).tolist() == [[0b10000001], [0b01000000]]
    assert substrings(words, 16, 4).tolist() == [[1], [8], [0], [4]]


def test_groups_are_connected(tmp_path):
    codes = random_codes(60, 64)
    codes[10] = codes[11] = codes[12]
    codes[20] = codes[21] ^ np.array([1, 0, 0, 0, 0, 0, 0, 0], np.uint8)
    codes[22] = codes[20] ^ np.array([0, 2, 0, 0, 0, 0, 0, 0], np.uint8)
    ids = [f"{n:03d}" for n in range(60)]
    archive = make_archive(tmp_path / "a", codes, ids=ids)
    assert [(group.ids, group.widest) for group in find_groups(archive)] == [(["010", "011", "012"], 0)]
    groups = find_groups(archive, radius=1)
    assert [(group.ids, group.widest) for group in groups] == [(["010", "011", "012"], 0), (["020", "021", "022"], 2)]


def chain(apart):
    """Codes of which each is so many bits from the one before, others than those that changed before."""
    bits, at = np.zeros((len(apart) + 1, 64), np.uint8), 0
    for number, count in enumerate(apart, 1):
        bits[number] = bits[number - 1]
        bits[number, at : at + count], at = 1, at + count
    return np.packbits(bits, axis=1)


@pytest.mark.parametrize("apart", [(3, 2, 1), (1, 3, 2), (2,) * 30])
def test_ends_of_a_chain_are_as_far_apart_as_its_steps_together(tmp_path, monkeypatch, apart):
    ids = [f"{number:02d}" for number in range(len(apart) + 1)]
    archive = make_archive(tmp_path / "a", chain(apart), ids=ids)
    monkeypatch.setattr(dedupe, "_BLOCK", 7)
    assert [(group.ids, group.widest) for group in find_groups(archive, radius=3)] == [(ids, sum(apart))]


def test_widest_is_the_largest_of_all_distances(tmp_path):
    codes = near_codes(300, 64)
    archive = make_archive(tmp_path / "a", codes, ids=[f"{number:03d}" for number in range(300)])
    groups = find_groups(archive, radius=6)
    assert len(groups) > 10
    for group in groups:
        own = codes[np.array(group.ids, int)]
        assert group.widest == hamming_distances(own, own).max()
