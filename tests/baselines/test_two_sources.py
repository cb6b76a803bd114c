"""CCA-ITQ and SCM: known correlations, constraints, linear-time sums against whole matrices, and two toy sources."""

import numpy as np
import pytest
from scipy import linalg
from sklearn.cross_decomposition import CCA
from sklearn.exceptions import NotFittedError

from keras_dhnn.baselines import CCAITQ, SCM
from keras_dhnn.baselines.scm import semantic_correlation
from keras_dhnn.baselines.two_sources import correlated, factor
from keras_dhnn.metrics.ranking import mean_average_precision
from tests.baselines.toys import clusters


def two_sources(spread=0.1, classes=4, n=240):
    """Vectors of two sources, 12 and 9 features, with other centres of the same classes; labels."""
    pan, labels = clusters(n, classes, 12, spread, seed=0)
    mul, _ = clusters(n, classes, 9, spread, seed=1)
    return {"pan": pan, "mul": mul}, labels


def across(hasher, x, labels):
    """Mean average precision of the second half's pan codes against the first half's mul codes; the first trains."""
    half = len(labels) // 2
    hasher.fit({source: v[:half] for source, v in x.items()}, labels[:half])
    queries = np.packbits(hasher.transform({"pan": x["pan"][half:]})["pan"] > 0, axis=1)
    database = np.packbits(hasher.transform({"mul": x["mul"][:half]})["mul"] > 0, axis=1)
    return mean_average_precision(queries, database, labels[half:], labels[:half], stable=False).expected


@pytest.mark.parametrize("method", [CCAITQ(8), SCM(8)], ids=str)
def test_classes_are_found_across_sources(method):
    x, labels = two_sources()
    assert across(method, x, labels) > 0.95


def test_orthogonal_bits_beyond_the_classes_say_little():
    x, labels = two_sources()
    assert 0.5 < across(SCM(8, "orthogonal"), x, labels) < 0.9


def test_correlations_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    shared = random.standard_normal((300, 2))
    x = np.c_[shared, random.standard_normal((300, 2))] @ random.standard_normal((4, 4))
    y = np.c_[shared + 0.5 * random.standard_normal((300, 2)), random.standard_normal((300, 1))]
    ours = CCAITQ(2, weight=0.0).fit({"pan": x, "mul": y}).correlations_
    a, b = CCA(2, max_iter=5000, tol=1e-12).fit_transform(x, y)
    np.testing.assert_allclose(ours, [np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(2)], atol=1e-6)


def test_rotation_keeps_the_canonical_variables_scale():
    x, _ = two_sources(spread=1.0)
    method = CCAITQ(8, weight=0.0).fit(x)
    outputs = (x["pan"] - method.means_["pan"]) @ method.projections_["pan"]
    variances = np.linalg.eigvalsh(outputs.T @ outputs / 240)
    np.testing.assert_allclose(variances[::-1], method.correlations_**2, atol=1e-9)


def test_orthogonal_directions_are_uncorrelated_and_the_best():
    x, labels = two_sources(spread=1.0)
    scm = SCM(3, "orthogonal", weight=0.0).fit(x, labels)
    first, second = (x[source] - scm.means_[source] for source in ("pan", "mul"))
    u, v = scm.projections_["pan"], scm.projections_["mul"]
    np.testing.assert_allclose(u.T @ first.T @ first @ u / 240, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(v.T @ second.T @ second @ v / 240, np.eye(3), atol=1e-9)
    similarity = np.where(labels[:, None] == labels, 1, -1)
    found = np.trace(u.T @ first.T @ similarity @ second @ v)
    random = np.random.default_rng(0)
    for _ in range(20):
        others = [d @ np.linalg.qr(random.standard_normal((3, 3)))[0] for d in (u, v)]
        assert np.trace(others[0].T @ first.T @ similarity @ second @ others[1]) <= found + 1e-6


def test_semantic_correlation_is_that_of_the_whole_matrix():
    x, labels = two_sources(n=20)
    similarity = np.where(labels[:, None] == labels, 1.0, -1.0)
    ours = semantic_correlation(x["pan"], x["mul"], np.eye(4)[labels])
    np.testing.assert_allclose(ours, x["pan"].T @ similarity @ x["mul"], atol=1e-9)


def test_sequential_bits_take_the_residue_of_those_before():
    x, labels = two_sources(classes=8, spread=0.3)
    similarity = np.where(labels[:, None] == labels, 1.0, -1.0)

    def missed(bits, method):
        codes = SCM(bits, method).fit(x, labels).transform(x)
        return np.square(codes["pan"].astype(float) @ codes["mul"].T / bits - similarity).mean()

    assert missed(9, "sequential") < 0.98 * missed(9, "orthogonal")
    first = SCM(9, "sequential").fit(x, labels).projections_["pan"][:, 0]
    np.testing.assert_allclose(first, SCM(1, "orthogonal").fit(x, labels).projections_["pan"][:, 0], atol=1e-9)


def test_factor_is_the_covariance_with_what_is_added():
    x, _ = clusters()
    lower = factor(x, 0.5)
    covariance = x.T @ x / 240
    np.testing.assert_allclose(lower @ lower.T, covariance + 0.5 * np.trace(covariance) / 12 * np.eye(12), atol=1e-9)


def test_rejects_what_does_not_fit():
    x, labels = two_sources()
    with pytest.raises(ValueError, match="two sources"):
        CCAITQ().fit({"pan": x["pan"]})
    with pytest.raises(ValueError, match="at most 9"):
        CCAITQ(10).fit(x)
    with pytest.raises(ValueError, match="at most 9"):
        SCM(10, "orthogonal").fit(x, labels)
    with pytest.raises(ValueError, match="Expected one of"):
        SCM(8, "both").fit(x, labels)
    with pytest.raises(ValueError, match="a label for each"):
        SCM(8).fit(x, labels[:5])
    with pytest.raises(ValueError, match="pan, mul"):
        SCM(8).fit(x, labels).transform({"sar": x["pan"]})
    with pytest.raises(NotFittedError):
        SCM(8).transform(x)


def test_where_divide_and_conquer_does_not_converge_directions_are_found_all_the_same(monkeypatch):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(50, 6)), random.normal(size=(50, 4))
    lower, other = factor(x, 0.1), factor(y, 0.1)
    u, agreements, v = correlated(x.T @ y, lower, other)
    decompose = linalg.svd

    def fails(matrix, lapack_driver="gesdd", **how):
        if lapack_driver == "gesdd":
            raise linalg.LinAlgError("SVD did not converge")
        return decompose(matrix, lapack_driver=lapack_driver, **how)

    monkeypatch.setattr(linalg, "svd", fails)
    ours, found, others = correlated(x.T @ y, lower, other)
    np.testing.assert_allclose(found, agreements, rtol=1e-12)
    np.testing.assert_allclose(ours @ np.diag(found) @ others.T, u @ np.diag(agreements) @ v.T, atol=1e-12)
