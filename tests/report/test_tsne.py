import numpy as np

from keras_dhnn.report.tsne import project, sample


def test_sample_is_bounded_seeded_and_sorted():
    items = np.arange(100, 200)
    np.testing.assert_array_equal(sample(items, 0, most=100), items)
    some = sample(items, 0, most=30)
    assert len(np.unique(some)) == 30
    assert (np.diff(some) > 0).all()
    assert np.isin(some, items).all()
    np.testing.assert_array_equal(some, sample(items, 0, most=30))
    assert (some != sample(items, 1, most=30)).any()


def clustered(seed=0, classes=3, each=40, bits=32):
    """Outputs whose codes lie within few bits of one of three far-apart codes."""
    random = np.random.default_rng(seed)
    centres = random.choice([-1.0, 1.0], (classes, bits))
    labels = np.repeat(np.arange(classes), each)
    outputs = centres[labels] * np.where(random.random((len(labels), bits)) < 0.05, -1, 1)
    return outputs, labels


def test_codes_of_a_class_are_neighbours():
    outputs, labels = clustered()
    points = project(outputs, seed=0)
    assert points.shape == (120, 2)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(120)
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.95


def test_one_seed_gives_one_picture():
    outputs, _ = clustered()
    np.testing.assert_array_equal(project(outputs, 0), project(outputs, 0))


def test_only_signs_count():
    outputs, _ = clustered()
    np.testing.assert_array_equal(project(outputs, 0), project(3 * outputs, 0))


def test_equal_codes_form_a_disc_of_points_that_do_not_hide_each_other():
    outputs = np.repeat(clustered(each=2)[0], 50, axis=0)
    points = project(outputs, 0)
    for first in range(0, 300, 50):
        disc = points[first : first + 50] - points[first]
        assert np.linalg.norm(disc, axis=1).max() < 0.25 * np.ptp(points, axis=0).max()
    apart = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(300)
    assert apart[:50, :50].min() > 0


def test_few_distinct_codes_still_make_a_picture():
    for distinct in (1, 3, 4):
        outputs = np.resize(np.tril(np.full((4, 8), 2.0))[:distinct] - 1, (20, 8))
        points = project(outputs, 0)
        assert np.isfinite(points).all()
        assert len(np.unique(points.round(6), axis=0)) == 20
