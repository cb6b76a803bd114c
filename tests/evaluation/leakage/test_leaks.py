import itertools

import numpy as np
import pytest

from keras_dhnn.evaluation.leakage.leaks import find_leaks
from keras_dhnn.evaluation.leakage.pairs import KINDS, Pair
from keras_dhnn.pipelines.splits import Split


def random_pairs(random, count):
    """Copies of originals, and lookalikes and overlaps among originals, as `find_pairs` gives them."""
    original = np.arange(count)
    for image in range(1, count):
        if random.random() < 0.3:
            original[image] = original[random.integers(image)]
    pairs = [Pair("copy", int(original[i]), i, 0) for i in range(count) if original[i] != i]
    originals = np.unique(original)
    for one, other in itertools.combinations(originals.tolist(), 2):
        if random.random() < 0.1:
            pairs.append(Pair(KINDS[1 + random.integers(2)], one, other, 0))
    return pairs, original


def shows_the_same(pairs, original, one, other, kind):
    """Whether image `other` is a pair of that kind with `one`, by looking at all pairs."""
    if kind == "copy":
        return one != other and original[one] == original[other]
    ends = {original[one], original[other]}
    return any(pair.kind == kind and {pair.first, pair.second} == ends for pair in pairs)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("turns", [1, 4])
def test_affected_queries_are_those_of_brute_force(seed, turns):
    random, count = np.random.default_rng(seed), 20
    pairs, original = random_pairs(random, count)
    items = random.permutation(turns * count)
    queries, database = items[: turns * 5], items[turns * 5 : turns * 15]
    split = Split("paper", 0, turns, queries, database, database[:0])
    leaks = find_leaks(pairs, split, count)
    for place, query in enumerate(split.queries):
        images = set(split.database // turns)
        assert leaks.itself[place] == (query // turns in images)
        for kind in KINDS:
            expected = any(shows_the_same(pairs, original, query // turns, other, kind) for other in images)
            assert leaks.by_kind[kind][place] == expected, (query, kind)
    parts = [leaks.itself, *leaks.by_kind.values()]
    np.testing.assert_array_equal(leaks.any, np.any(parts, axis=0))


@pytest.mark.parametrize("seed", range(5))
def test_pairs_across_are_those_of_brute_force(seed):
    random, count = np.random.default_rng(seed), 20
    pairs, original = random_pairs(random, count)
    items = random.permutation(count)
    split = Split("grouped", 0, 1, items[:6], items[6:], items[:0])
    leaks = find_leaks(pairs, split, count)
    for pair, across in zip(pairs, leaks.across, strict=True):
        ends = [{pair.first}, {pair.second}]
        if pair.kind != "copy":
            ends = [set(np.flatnonzero(original == end)) for end in (pair.first, pair.second)]
        sides = [(bool(end & set(items[:6])), bool(end & set(items[6:]))) for end in ends]
        assert across == ((sides[0][0] and sides[1][1]) or (sides[1][0] and sides[0][1]))


def test_nothing_leaks_without_pairs():
    split = Split("grouped", 0, 4, np.arange(8), np.arange(8, 40), np.arange(0))
    leaks = find_leaks([], split, 10)
    assert not leaks.any.any()
    assert leaks.across.shape == (0,)
