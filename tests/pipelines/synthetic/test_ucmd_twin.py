import numpy as np
import pytest
import tifffile
from sklearn.preprocessing import StandardScaler

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets.ucmd import examples
from keras_dhnn.pipelines.synthetic import ucmd_twin
from keras_dhnn.pipelines.synthetic.canvas import SIDE, Canvas
from keras_dhnn.pipelines.synthetic.scenes import SCENES
from keras_dhnn.pipelines.synthetic.ucmd_twin import UCMD_CLASSES, expose, has_odd_size, ucmd_image, write_ucmd

ORIGINAL_CLASSES = [
    *("agricultural", "airplane", "baseballdiamond", "beach", "buildings", "chaparral", "denseresidential", "forest"),
    *("freeway", "golfcourse", "harbor", "intersection", "mediumresidential", "mobilehomepark", "overpass"),
    *("parkinglot", "river", "runway", "sparseresidential", "storagetanks", "tenniscourt"),
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_ucmd(tmp_path_factory.mktemp("twin"), per_class=3, classes=4, seed=5)


# --- the archive


def test_classes_are_those_of_the_original():
    assert list(UCMD_CLASSES) == sorted(ORIGINAL_CLASSES) == ORIGINAL_CLASSES


def test_layout_is_that_of_the_original(archive):
    found = sorted(str(path.relative_to(archive.parent)) for path in archive.rglob("*") if path.is_file())
    assert found == [
        f"UCMerced_LandUse/Images/{name}/{name}{number:02d}.tif" for name in ORIGINAL_CLASSES[:4] for number in range(3)
    ]


def test_files_are_uncompressed_rgb_tiff_as_in_the_original(archive):
    """As measured on the original: one strip, little-endian, no compression, interleaved."""
    for path in archive.rglob("*.tif"):
        with tifffile.TiffFile(path) as file:
            (page,) = file.pages
            assert (page.compression, page.photometric, page.planarconfig) == (1, 2, 1)
            assert (file.byteorder, page.dtype, page.rowsperstrip) == ("<", np.uint8, page.shape[0])
            assert page.shape[2] == 3


def test_our_reader_reads_it(archive):
    read = list(examples(archive.parent))
    assert [example.label for example in read] == np.repeat(range(4), 3).tolist()
    assert {example.images["image"].shape for example in read} == {(256, 256, 3)}


def test_files_hold_the_images(archive):
    for label, number in ((0, 0), (0, 1), (3, 2)):
        name = UCMD_CLASSES[label]
        stored = tifffile.imread(archive / "Images" / name / f"{name}{number:02d}.tif")
        np.testing.assert_array_equal(stored, ucmd_image(5, label, number))


def test_44_of_2100_images_have_another_size():
    odd = [(label, number) for label in range(21) for number in range(100) if has_odd_size(label, number)]
    assert len(odd) == 44
    assert (0, 1) in odd  # so that the smallest twin has one
    for label, number in odd[:6]:
        height, width, _ = ucmd_image(0, label, number).shape
        assert (height, width) != (256, 256)
        assert min(height, width) >= 242
        assert max(height, width) <= 257
    assert ucmd_image(0, 0, 0).shape == (256, 256, 3)


def test_progress_is_told_after_each_image(tmp_path):
    told = []
    write_ucmd(tmp_path, per_class=2, classes=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_interrupted_archive_is_not_there_and_can_be_written_again(tmp_path):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_ucmd(tmp_path, per_class=2, classes=2, progress=interrupt)
    assert not list(tmp_path.iterdir())
    (tmp_path / ".UCMerced_LandUse.partial" / "Images" / "left").mkdir(parents=True)  # of a killed run
    assert len(list(write_ucmd(tmp_path, per_class=2, classes=2).rglob("*.tif"))) == 4


def test_write_rejects_a_place_that_is_taken(archive):
    with pytest.raises(DataError, match=r"UCMerced_LandUse exists"):
        write_ucmd(archive.parent, per_class=1)


@pytest.mark.parametrize(("name", "value"), [("per_class", 0), ("per_class", 10_001), ("classes", 0), ("classes", 22)])
def test_write_rejects_counts_out_of_bounds(tmp_path, name, value):
    with pytest.raises(ValueError, match=f"argument `{name}`. Expected a whole number from 1 .*Received: {value}"):
        write_ucmd(tmp_path, **{name: value})


# --- the images


def test_image_depends_on_seed_class_and_number_only():
    image = ucmd_image(1, 2, 3)
    ucmd_image(1, 2, 4)
    np.testing.assert_array_equal(ucmd_image(1, 2, 3), image)
    for other in (ucmd_image(0, 2, 3), ucmd_image(1, 3, 3), ucmd_image(1, 2, 4)):
        assert not np.array_equal(other, image)


def test_no_two_images_share_their_chance(monkeypatch):
    """Else the images of one number would be alike in light and colour across the classes."""
    drawn = []
    monkeypatch.setattr(ucmd_twin, "SCENES", [lambda canvas: drawn.append(canvas.rng.random())] * 21)
    for seed, label, number in np.ndindex(2, 21, 5):
        ucmd_image(seed, label, number)
    assert len(set(drawn)) == 2 * 21 * 5


@pytest.mark.parametrize("label", range(21), ids=UCMD_CLASSES)
def test_every_scene_draws_finite_varied_pictures(label):
    for number in range(3):
        canvas = Canvas(np.random.default_rng([9, label, number]))
        SCENES[label](canvas)
        assert canvas.planes.dtype == np.float32
        assert canvas.planes.shape == (3, SIDE, SIDE)
        assert np.isfinite(canvas.planes).all()
        assert canvas.planes.min() > -40
        assert canvas.planes.max() < 420  # before exposure
        assert expose(canvas.planes, canvas.rng).std() > 2


def test_expose_varies_light_and_keeps_the_scene():
    scene = np.float32(np.random.default_rng(0).uniform(40, 160, (3, 1, SIDE)) * np.ones((1, SIDE, 1)))
    seen = [expose(scene, np.random.default_rng(seed)) for seed in range(12)]
    assert np.ptp([image.mean() for image in seen]) > 35
    for image in seen:
        assert image.dtype == np.uint8
        assert np.corrcoef(image.mean(1).ravel(), scene.mean(1).ravel())[0, 1] > 0.8


@pytest.fixture(scope="module")
def sample():
    """12 images of each class as (labels, training mask, band means, texture)."""
    images = [ucmd_image(0, label, number)[:242, :242] for label in range(21) for number in range(12)]
    training = np.tile(np.arange(12) < 8, 21)
    means = np.array([image.mean((0, 1)) for image in images])
    return np.repeat(range(21), 12), training, means, np.array([texture(image) for image in images])


def texture(image):
    """Strength and peak of ten rings of the spectrum: 20 numbers that no brightness, colour or rotation changes."""
    grey = image.astype(np.float32).mean(2)
    spectrum = np.abs(np.fft.rfft2((grey - grey.mean()) / grey.std()))
    radius = np.hypot(np.fft.fftfreq(242)[:, None], np.fft.rfftfreq(242))
    rings = [spectrum[(low <= radius) & (radius < 1.5 * low)] for low in 0.008 * 1.5 ** np.arange(10)]
    return np.log([[ring.mean(), ring.max() / ring.mean()] for ring in rings]).ravel()


def centroid_accuracy(features, labels, training):
    features = StandardScaler().fit(features[training]).transform(features)
    centroids = np.array([features[training & (labels == label)].mean(0) for label in range(21)])
    nearest = np.linalg.norm(features[~training, None] - centroids, axis=2).argmin(1)
    return np.mean(nearest == labels[~training])


def test_colour_means_alone_do_not_separate_the_classes(sample):
    labels, training, means, _ = sample
    accuracy = centroid_accuracy(means, labels, training)
    assert 1 / 21 < accuracy < 0.4  # measured: 0.13


def test_form_does_separate_them(sample):
    """Twenty numbers of texture, without a look at colour, do much better: there is something to learn."""
    labels, training, means, textures = sample
    accuracy = centroid_accuracy(textures, labels, training)
    assert accuracy > 0.5  # measured: 0.62
    assert accuracy > 2 * centroid_accuracy(means, labels, training)


def test_images_of_a_class_differ_in_colour_and_orientation(sample):
    labels, _, means, _ = sample
    within = np.mean([means[labels == label].std(0).mean() for label in range(21)])
    between = np.std([means[labels == label].mean(0) for label in range(21)], axis=0).mean()
    assert within > 12
    assert within > 0.8 * between


def test_module_says_synthetic():
    assert "no score" in ucmd_twin.__doc__.lower()
