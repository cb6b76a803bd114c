import numpy as np
import pytest
import scipy.io
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets import sat4
from keras_dhnn.pipelines.synthetic import sat4_twin
from keras_dhnn.pipelines.synthetic.sat4_scenes import patches
from keras_dhnn.pipelines.synthetic.sat4_twin import chunk, with_noise, write_sat4

BARREN, TREES, GRASS, NONE = range(4)
RED, GREEN, BLUE, NIR = range(4)


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    """A twin of 1,201 + 300 patches, so that its last chunk is not full."""
    return write_sat4(tmp_path_factory.mktemp("twin"), size=1501, seed=5, label_noise=0.2)


@pytest.fixture(scope="module")
def drawn():
    """3,000 patches (n, band, column, row) and their labels."""
    parts = [chunk(7, 0, number) for number in range(3)]
    return np.concatenate([images for _, images in parts]), np.concatenate([labels for labels, _ in parts])


# --- the archive


def test_layout_is_that_of_the_original(twin):
    found = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(twin)}
    assert twin.name == "sat-4-full.mat"
    assert found["train_x"] == ((28, 28, 4, 1201), "uint8")
    assert found["test_x"] == ((28, 28, 4, 300), "uint8")
    assert found["train_y"] == ((4, 1201), "double")
    assert found["annotations"] == ((4, 2), "cell")
    assert [row[1].item() for row in scipy.io.loadmat(twin)["annotations"]] == list(sat4.CLASSES)


def test_our_reader_reads_what_scipy_reads(twin):
    found, archive = scipy.io.loadmat(twin), sat4.open_archive(twin)
    blocks = list(archive.blocks())
    images = np.concatenate([block.images["image"] for block in blocks])
    labels, truth = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("labels", "true_labels"))
    for part, items in (("train", slice(0, 1201)), ("test", slice(1201, None))):
        np.testing.assert_array_equal(images[items], found[f"{part}_x"].transpose(3, 0, 1, 2))
        np.testing.assert_array_equal(np.eye(4)[labels[items]], found[f"{part}_y"].T)
        np.testing.assert_array_equal(np.eye(4)[truth[items]], found[f"{part}_y_true"].T)


def test_a_patch_depends_on_seed_part_and_number_only(twin, tmp_path):
    larger = scipy.io.loadmat(write_sat4(tmp_path / "larger", size=3000, seed=5))
    other = scipy.io.loadmat(write_sat4(tmp_path / "other", size=1501, seed=6))
    found = scipy.io.loadmat(twin)
    for part, count in (("train", 1201), ("test", 300)):
        np.testing.assert_array_equal(found[f"{part}_x"], larger[f"{part}_x"][..., :count])
        np.testing.assert_array_equal(found[f"{part}_y_true"], larger[f"{part}_y"][:, :count])
        assert np.mean(found[f"{part}_x"] == other[f"{part}_x"]) < 0.1
    assert np.mean(found["train_x"][..., :300] == found["test_x"]) < 0.1


def test_without_noise_there_are_no_other_labels(tmp_path):
    path = write_sat4(tmp_path, size=10)
    assert {name for name, _, _ in scipy.io.whosmat(path)} == {"train_x", "train_y", "test_x", "test_y", "annotations"}
    assert next(sat4.open_archive(path).blocks()).true_labels is None


def test_progress_ends_at_the_size(tmp_path):
    seen = []
    write_sat4(tmp_path, size=1501, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1000, 1501), (1201, 1501), (1501, 1501)]


def test_an_archive_is_never_written_over(twin):
    before = twin.read_bytes()
    with pytest.raises(DataError, match=r"sat-4-full.mat exists. Expected a place to write a synthetic archive to"):
        write_sat4(twin.parent, size=10)
    assert twin.read_bytes() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_twin_leaves_nothing(tmp_path, monkeypatch, error):
    def stop(done, total):
        raise error

    with pytest.raises(error):
        write_sat4(tmp_path / "twin", size=10, progress=stop)
    assert list((tmp_path / "twin").iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="Cannot write .*sat-4-full.mat"):
        write_sat4(tmp_path / "file", size=10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 9}, r"`size`. Expected a whole number from 10 to 500000. Received: 9"),
        ({"size": 500_001}, r"`size`"),
        ({"size": 10.5}, r"`size`"),
        ({"label_noise": 1.0}, r"`label_noise`. Expected a share from 0 to below 1. Received: 1.0"),
        ({"label_noise": -0.1}, r"`label_noise`"),
    ],
)
def test_arguments_outside_of_their_range(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        write_sat4(tmp_path, **arguments)


# --- label noise


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.99])
def test_noise_replaces_its_share_of_labels_by_each_other_class_alike(share):
    labels = np.random.default_rng(0).integers(0, 4, 40_000)
    noisy = with_noise(labels, share, seed=1, part=0)
    wrong = noisy != labels
    assert abs(wrong.mean() - share) < 0.01
    shifts = np.bincount((noisy - labels)[wrong] % 4, minlength=4)
    assert shifts[0] == 0
    np.testing.assert_allclose(shifts[1:], wrong.sum() / 3, atol=4 * np.sqrt(wrong.sum()))


def test_what_is_wrong_at_less_noise_is_equally_wrong_at_more():
    labels = np.random.default_rng(0).integers(0, 4, 5000)
    few, many = (with_noise(labels, share, seed=1, part=0) for share in (0.1, 0.4))
    wrong = few != labels
    np.testing.assert_array_equal(few[wrong], many[wrong])


def test_noise_differs_by_seed_and_part():
    labels = np.zeros(5000, int)
    one, seed, part = (with_noise(labels, 0.4, *key) for key in ((1, 0), (2, 0), (1, 1)))
    assert np.mean(one != seed) > 0.3
    assert np.mean(one != part) > 0.3


# --- what the patches show


def test_patches_are_bytes_and_depend_on_the_generator_only():
    labels = np.arange(40) % 4
    one, same, other = (patches(np.random.default_rng(seed), labels) for seed in (0, 0, 1))
    assert one.shape == (40, 4, 28, 28)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, same)
    assert np.mean(one == other) < 0.1


@pytest.mark.parametrize("labels", [[0], [3], [1, 1], [0, 2]])
def test_few_patches_or_classes(labels):
    assert patches(np.random.default_rng(0), np.array(labels)).shape == (len(labels), 4, 28, 28)


def test_classes_come_with_their_shares(drawn):
    shares = np.bincount(drawn[1], minlength=4) / len(drawn[1])
    np.testing.assert_allclose(shares, sat4_twin.SHARES, atol=0.04)


def test_plants_are_bright_in_near_infrared_and_bare_soil_is_not(drawn):
    images, labels = drawn
    means = images.mean((2, 3))
    ratio = means[:, NIR] / means[:, RED]
    median = [np.median(ratio[labels == label]) for label in range(4)]
    assert median[BARREN] < 1.25
    assert median[TREES] > 1.5
    assert median[GRASS] > 1.4
    assert np.median(means[labels == TREES, RED]) < 0.7 * np.median(means[labels == BARREN, RED])


def test_pixels_are_neither_dark_nor_saturated(drawn):
    images = drawn[0]
    assert 60 < images.mean() < 180
    assert np.mean(images == 255) < 0.05
    assert np.mean(images == 0) < 0.02
    assert (images.std((0, 2, 3)) > 25).all()


def test_band_means_tell_classes_apart_only_in_part(drawn):
    """A linear classifier on them is above chance, and far below a network: 0.97 after 8 epochs on 16,000 patches."""
    images, labels = drawn
    means = images.mean((2, 3))
    score = LinearDiscriminantAnalysis().fit(means[:2000], labels[:2000]).score(means[2000:], labels[2000:])
    assert 0.5 < score < 0.75


def test_texture_tells_more(drawn):
    images, labels = drawn
    steps = np.abs(np.diff(images.astype(int)))
    features = np.concatenate([images.mean((2, 3)), images.std((2, 3)), steps.mean((2, 3))], axis=1)
    score = LinearDiscriminantAnalysis().fit(features[:2000], labels[:2000]).score(features[2000:], labels[2000:])
    assert score > 0.78
