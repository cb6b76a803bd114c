import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from keras_dhnn.codes import pack
from keras_dhnn.evaluation import float_features
from keras_dhnn.evaluation.float_features import cosine_map
from keras_dhnn.metrics.ranking import mean_average_precision


@pytest.fixture
def made():
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, 300)
    features = random.normal(size=(300, 20)) + random.normal(size=(5, 20))[labels]
    items = random.permutation(300)
    return features, labels, items[:60], items[60:]


def by_sklearn(features, labels, queries, database):
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    scores = [average_precision_score(labels[database] == labels[q], unit[database] @ unit[q]) for q in queries]
    return np.mean(scores)


def test_equals_scikit_learn_where_nothing_ties(made):
    assert cosine_map(*made) == pytest.approx(by_sklearn(*made), abs=1e-5)


def test_lengths_of_features_do_not_matter(made):
    features, *rest = made
    lengths = np.random.default_rng(1).uniform(0.1, 100, (300, 1))
    assert cosine_map(features * lengths, *rest) == pytest.approx(cosine_map(features, *rest), abs=1e-5)


def test_what_is_searched_may_have_features_of_its_own(made):
    features, labels, queries, database = made
    other = features[:, ::-1] + 0.1
    joined = np.concatenate([features, other])
    expected = by_sklearn(joined, np.concatenate([labels, labels]), queries, 300 + database)
    assert cosine_map(features, labels, queries, database, other) == pytest.approx(expected, abs=1e-5)


def test_ties_count_as_in_the_ranking_by_hamming_distance():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    signs = np.where(random.random((200, 16)) < 0.5, -1.0, 1.0)  # 16 bits: cosines are exact, and tie
    signs[100:] = signs[:100]
    queries, database = np.arange(0, 200, 5), np.setdiff1d(np.arange(200), np.arange(0, 200, 5))
    codes = pack(signs)
    oracle = mean_average_precision(codes[queries], codes[database], labels[queries], labels[database])
    assert oracle.optimistic - oracle.pessimistic > 0.1
    assert cosine_map(signs, labels, queries, database) == pytest.approx(oracle.expected, abs=1e-12)


def test_blocks_do_not_change_the_score(made, monkeypatch):
    whole = cosine_map(*made)
    monkeypatch.setattr(float_features, "BLOCK_BYTES", 4 * 240 * 7)
    assert cosine_map(*made) == pytest.approx(whole, abs=1e-12)


def test_features_of_zero_rank_at_random():
    labels = np.array([0, 0, 1, 1, 1])
    # One of four is relevant, at each rank with probability 1/4.
    expected = np.mean([1, 1 / 2, 1 / 3, 1 / 4])
    assert cosine_map(np.zeros((5, 3)), labels, [0], [1, 2, 3, 4]) == pytest.approx(expected)


def test_queries_with_nothing_relevant_count_zero():
    features, labels = np.eye(4), np.array([0, 0, 7, 0])
    assert cosine_map(features, labels, [0, 2], [1, 3]) == 0.5


@pytest.mark.parametrize(("queries", "database"), [([], [1]), ([0], [])])
def test_nothing_to_search_is_rejected(queries, database):
    with pytest.raises(ValueError, match="`queries` and `database`. Expected at least one item each"):
        cosine_map(np.eye(2), np.array([0, 1]), queries, database)
