import time
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import entropy

from keras_dhnn.codes import hamming_distances, pack, unpack
from keras_dhnn.metrics import code_health as module
from keras_dhnn.metrics.code_health import code_health


@pytest.fixture(params=[8, 64, 96])
def outputs(request):
    """Outputs whose bits are unbalanced and correlated, with many equal codes."""
    rng = np.random.default_rng(request.param)
    distinct = rng.normal(0.3, 1, (30, request.param))
    distinct[:, 1] = distinct[:, 0]
    return distinct[rng.integers(0, 30, 200)]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 64)


def test_bits_against_numpy(outputs):
    health, signs = code_health(pack(outputs)), unpack(pack(outputs))
    np.testing.assert_allclose(health.bit_balance, (signs > 0).mean(axis=0))
    np.testing.assert_allclose(health.bit_entropy, [entropy([p, 1 - p], base=2) for p in health.bit_balance])
    np.testing.assert_allclose(health.bit_correlation, np.corrcoef(signs.T), atol=1e-12)


def test_codes_against_numpy(outputs):
    distinct, sizes = np.unique(pack(outputs), axis=0, return_counts=True)
    health = code_health(pack(outputs))
    assert (health.codes, health.distinct_codes) == (200, len(distinct))
    assert health.code_entropy == pytest.approx(entropy(sizes / 200, base=2))


def test_quantization_gap_against_numpy(outputs):
    expected = np.abs(outputs - np.where(outputs >= 0, 1, -1)).mean()
    assert code_health(pack(outputs), outputs=outputs).quantization_gap == pytest.approx(expected)
    assert code_health(pack(outputs)).quantization_gap is None


def test_class_distances_against_all_pairs(outputs):
    codes = pack(outputs)
    labels = np.random.default_rng(0).choice(["a", "b", "c"], 200)
    distances = hamming_distances(codes, codes)
    pairs = list(combinations(range(200), 2))
    health = code_health(codes, labels)
    within = [distances[i, j] for i, j in pairs if labels[i] == labels[j]]
    between = [distances[i, j] for i, j in pairs if labels[i] != labels[j]]
    assert health.distance_within == pytest.approx(np.mean(within))
    assert health.distance_between == pytest.approx(np.mean(between))


def test_a_collapse_is_one_code_with_dead_bits():
    scalars = code_health(np.full((50, 8), 170, np.uint8), labels=np.arange(50) % 2).scalars()
    assert scalars["distinct_codes"] == 1
    assert scalars["dead_bits"] == 64
    assert scalars["mean_bit_imbalance"] == 1
    zeros = (
        "code_entropy",
        "mean_bit_entropy",
        "mean_absolute_correlation",
        "distance_within",
        "distance_between",
    )
    assert all(scalars[name] == 0 for name in zeros)


def test_ideal_codes_are_balanced_and_uncorrelated():
    every_byte = np.arange(256, dtype=np.uint8)[:, None]
    scalars = code_health(every_byte).scalars()
    assert scalars["code_entropy"] == scalars["distinct_codes"] / 32 == 8
    assert scalars["mean_bit_imbalance"] == scalars["largest_absolute_correlation"] == 0
    assert scalars["mean_bit_entropy"] == 1


def test_a_bit_and_its_complement_correlate_fully():
    health = code_health(np.array([[0b01], [0b10], [0b10]], np.uint8))
    assert health.bit_correlation[6, 7] == pytest.approx(-1)
    assert health.scalars()["dead_bits"] == 6


def test_distances_that_no_pair_has_are_none():
    one = code_health(np.zeros((1, 1), np.uint8), [5])
    assert one.distance_within is None
    assert one.distance_between is None
    assert code_health(np.zeros((3, 1), np.uint8), [1, 2, 3]).distance_within is None
    assert code_health(np.zeros((3, 1), np.uint8), [2, 2, 2]).distance_between is None


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("codes", {"codes": np.zeros((3, 2))}),
        ("labels", {"labels": [0, 1]}),
        ("labels", {"labels": np.eye(3, dtype=int)}),
        ("outputs", {"outputs": np.zeros((3, 8))}),
    ],
)
def test_rejects(name, arguments):
    with pytest.raises(ValueError, match=f"argument `{name}`"):
        code_health(**{"codes": np.zeros((3, 2), np.uint8), **arguments})


def test_half_a_million_codes_take_seconds(monkeypatch):
    monkeypatch.undo()
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (499_000, 8), dtype=np.uint8)
    start = time.process_time()
    code_health(codes, rng.integers(0, 20, 499_000))
    assert time.process_time() - start < 5
