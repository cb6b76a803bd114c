"""ITQ against SciPy's and FAISS's, its own promise of a falling objective, and data whose best rotation is known."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from sklearn.decomposition import PCA

from keras_dhnn.baselines.itq import ITQ, fit_rotation, principal_directions, random_rotation


def gaussian(n=600, d=24, seed=0):
    """Vectors `(n, d)` float32 with falling variances along random axes, away from the origin."""
    random = np.random.default_rng(seed)
    scales = np.linspace(3, 0.3, d)
    return (random.standard_normal((n, d)) * scales @ random_rotation(d, seed + 1) + 5).astype(np.float32)


def test_objective_never_rises():
    objective = ITQ(bits=16).fit(gaussian().astype(np.float64)).objective_
    assert (np.diff(objective) <= 1e-12).all()
    assert objective[-1] < 0.98 * objective[0]


def test_codes_are_those_of_scipys_procrustes_solution():
    x = gaussian().astype(np.float64)
    components = PCA(16, svd_solver="full").fit_transform(x)
    itq = ITQ(bits=16, seed=0).fit(x)
    components *= np.sign((components * ((x - itq.mean_) @ principal_directions(x - itq.mean_, 16))).sum(axis=0))
    rotation = random_rotation(16, 0)
    for _ in range(50):
        rotation, _ = orthogonal_procrustes(components, np.where(components @ rotation >= 0, 1.0, -1.0))
    np.testing.assert_array_equal(itq.transform(x), np.where(components @ rotation >= 0, 1, -1))


def test_quantization_loss_is_below_that_of_faiss():
    """FAISS 1.15 sets R = U S of V^T B = U diag S^T, without the transpose, so that its objective does not fall."""
    faiss = pytest.importorskip("faiss", reason="faiss-cpu, of the extra test, is the reference")
    x = gaussian()
    components = np.ascontiguousarray((x - x.mean(axis=0)) @ principal_directions(x - x.mean(axis=0), 16))
    reference = faiss.ITQMatrix(16)
    faiss.copy_array_to_vector(random_rotation(16, 0).ravel(), reference.init_rotation)
    reference.max_iter = 0
    reference.train(components)
    np.testing.assert_allclose(reference.apply(components), components @ random_rotation(16, 0), atol=1e-4)
    reference.max_iter = 50
    reference.train(components)
    theirs = reference.apply(components)
    assert ITQ(bits=16, seed=0).fit(x).objective_[-1] < np.square(np.abs(theirs) - 1).mean()


def test_corners_of_a_turned_cube_are_found():
    corners = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T
    turned = np.repeat(corners, 8, axis=0) @ random_rotation(4, 7)
    best = min(fit_rotation(turned, random_rotation(4, seed), 50)[1][-1] for seed in range(10))
    assert best == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("rows", "columns", "count"), [(300, 20, 5), (40, 200, 5), (40, 200, 39), (20, 20, 19)], ids=str
)
def test_principal_directions_are_those_of_scikit_learn(rows, columns, count):
    x = np.random.default_rng(0).normal(size=(rows, columns)) * np.linspace(3, 0.1, columns)
    ours = principal_directions(x - x.mean(axis=0), count)
    theirs = PCA(count, svd_solver="full").fit(x).components_.T
    np.testing.assert_allclose(np.abs((ours * theirs).sum(axis=0)), 1, atol=1e-9)
    np.testing.assert_allclose(ours.T @ ours, np.eye(count), atol=1e-9)


def test_directions_beyond_those_that_the_rows_span_are_orthogonal_to_them():
    random = np.random.default_rng(0)
    x = (random.normal(size=(40, 10)) @ random.normal(size=(10, 200))).astype(np.float32)
    ours = principal_directions(x - x.mean(axis=0), 20)
    theirs = PCA(10, svd_solver="full").fit(x).components_.T
    np.testing.assert_allclose(np.linalg.norm(theirs.T @ ours[:, :10], axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(ours.T @ ours, np.eye(20), atol=1e-5)


def test_float32_stays_float32():
    x = gaussian()
    itq = ITQ(bits=8).fit(x)
    assert itq.projection_.dtype == itq.mean_.dtype == np.float32
    assert (itq.transform(x) == ITQ(bits=8).fit(x.astype(np.float64)).transform(x)).mean() > 0.99


def test_more_bits_than_rows_are_given():
    assert ITQ(bits=24).fit(gaussian(n=10)).transform(gaussian(n=3, seed=2)).shape == (3, 24)


@pytest.mark.parametrize(("bits", "message"), [(25, "at most .* 24 feature"), (0, "above 0"), (8.0, "above 0")])
def test_fit_rejects_bits(bits, message):
    with pytest.raises(ValueError, match=message):
        ITQ(bits=bits).fit(gaussian())
