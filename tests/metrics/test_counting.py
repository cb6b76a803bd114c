import tracemalloc

import numpy as np
import pytest

from keras_dhnn.metrics import counting
from keras_dhnn.metrics.counting import RankingCounts, rank, relevance
from tests.metrics.brute_force import queries
from tests.metrics.test_ranking import random_collection


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("spread", [None, 0.02])
def test_counts_are_those_of_every_pair(multi_label, spread):
    *codes, query_labels, database_labels = random_collection(0, 15, 400, 16, spread=spread)
    if multi_label:
        sets = np.random.default_rng(0).integers(0, 2, (4, 6))
        query_labels, database_labels = sets[query_labels], sets[database_labels]
    arguments = (*codes, query_labels, database_labels)
    assert_counts_every_pair(arguments, np.arange(15) - 1)


def test_counts_of_many_distinct_codes_are_those_of_every_pair(monkeypatch):
    # More than 256 codes a bin, and an odd number: bytes are counted in pairs, in several chunks, and one is left over.
    monkeypatch.setattr("keras_dhnn.metrics.counting._CHUNK", 1000)
    assert_counts_every_pair(random_collection(1, 6, 5001, 16), np.arange(6) - 1)


def assert_counts_every_pair(arguments, own):
    counts = rank(*arguments, exclude_self=own)
    levels = counts.by_gain.shape[1]
    for i, (distances, gains) in enumerate(queries(*arguments, own)):
        expected = np.zeros((levels, 17), int)
        np.add.at(expected, (gains, distances), 1)
        np.testing.assert_array_equal(counts.by_gain[i], expected)


def test_equal_codes_are_measured_once(monkeypatch):
    measured = []

    def spy(queries, database, *threads):
        measured.append((len(queries), len(database)))
        return counting_blocks(queries, database, *threads)

    counting_blocks = counting.distance_blocks
    monkeypatch.setattr(counting, "distance_blocks", spy)
    codes = np.repeat(np.array([[0], [255], [7]], np.uint8), 10, axis=0)
    rank(codes, codes, np.repeat([0, 1, 1], 10), np.repeat([0, 1, 1], 10))
    # The third code under two labels makes two groups, since they count as different gains.
    rank(codes, codes, np.arange(30) % 2, np.repeat([0, 1, 2], 10))
    assert measured == [(3, 3), (6, 3)]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "items"), [(1_000, 499_000), (5_000, 75_000)])
def test_memory_stays_under_500_mib(number, items):
    collection = random_collection(0, number, items, 64, classes=10)
    tracemalloc.start()
    rank(*collection)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500 * 2**20


@pytest.mark.slow
def test_ten_thousand_queries_of_ten_million_items_run():
    rng = np.random.default_rng(0)
    distinct = rng.integers(0, 256, (100_000, 8), dtype=np.uint8)
    numbers = rng.integers(0, 100_000, 10_000_000)
    codes, labels = distinct[numbers], numbers % 10
    counts = rank(codes[:10_000], codes, labels[:10_000], labels, stable_at=())
    assert (counts.by_gain.sum(axis=(1, 2)) == 10_000_000).all()


@pytest.mark.parametrize(
    ("queries", "database", "expected"),
    [
        (np.array([2**60]), np.array([2**60 + 1, 2**60], np.uint64), [0, 1]),
        (np.array([2**63 + 1], np.uint64), np.array([2**62, -1]), [0, 0]),
        (np.array([3], np.int8), np.array([3, 259], np.uint64), [1, 0]),
    ],
)
def test_integers_of_any_type_are_compared_exactly(queries, database, expected):
    labels = relevance(queries, database)
    assert labels.gains(labels.queries[0], labels.database).tolist() == expected


def test_texts_and_numbers_are_no_labels_of_one_kind():
    with pytest.raises(ValueError, match="`database_labels`. Expected labels of the same kind as the queries'"):
        relevance(["1"], [1])


def test_relevant_is_what_shares_any_label():
    """By hand: two queries, distances 0 and 1, items that share 0, 1 or 2 labels."""
    by_gain = np.array([[[5, 1], [2, 0], [0, 3]], [[0, 4], [0, 0], [1, 1]]])
    counts = RankingCounts(by_gain, {})
    assert counts.items.tolist() == [[7, 4], [1, 5]]
    assert counts.relevant.tolist() == [[2, 3], [1, 1]]
    assert counts.totals.tolist() == [5, 2]
