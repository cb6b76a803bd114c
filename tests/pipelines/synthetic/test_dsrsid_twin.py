import h5py
import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets import dsrsid
from keras_dhnn.pipelines.synthetic.dsrsid_twin import PAN_WEIGHTS, pair, write_dsrsid

AQUAFARM, CLOUD, FOREST, HIGH, LOW, FARM, RIVER, WATER = range(8)
PER_CLASS = 24


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    return write_dsrsid(tmp_path_factory.mktemp("twin"), size=19, seed=5)


@pytest.fixture(scope="module")
def drawn():
    """PAN (n, 256, 256), MUL (n, 64, 64, 4) and labels (n,)."""
    labels = np.repeat(np.arange(8), PER_CLASS)
    pairs = [pair(3, label, number) for label in range(8) for number in range(PER_CLASS)]
    return np.stack([pan[..., 0] for pan, _ in pairs]), np.stack([mul for _, mul in pairs]), labels


# --- the archive


def test_layout_is_that_of_the_original(twin):
    with h5py.File(twin) as file:
        assert {name: (data.shape, data.dtype.name) for name, data in file.items()} == {
            "PAN_IMAGES": ((19, 1, 256, 256), "uint8"),
            "MUL_IMAGES": ((19, 4, 64, 64), "uint8"),
            "LAND_COVER_TYPES": ((1, 19), "float64"),
        }
        assert file["LAND_COVER_TYPES"][0].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3] + [4, 4, 5, 5, 6, 6, 7, 7, 8, 8]
        assert file.userblock_size == 512
    assert twin.read_bytes()[124:128] == b"\x00\x02IM"


def test_our_reader_reads_the_pairs_that_were_drawn(twin):
    numbers = [0, 1, 2] * 3 + [0, 1] * 5
    examples = list(dsrsid.open_archive(twin).read([]))
    for example, number in zip(examples, numbers, strict=True):
        for source, image in zip(("pan", "mul"), pair(5, example.label, number), strict=True):
            np.testing.assert_array_equal(example.images[source], image)


def test_a_pair_depends_on_seed_class_and_number(drawn):
    np.testing.assert_array_equal(pair(3, RIVER, 1)[1], drawn[1][RIVER * PER_CLASS + 1])
    for other in (pair(4, RIVER, 1), pair(3, WATER, 1), pair(3, RIVER, 2)):
        assert np.mean(other[0] == pair(3, RIVER, 1)[0]) < 0.1


def test_progress_ends_at_the_size(tmp_path):
    seen = []
    write_dsrsid(tmp_path, size=16, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 16) for number in range(1, 17)]


def test_an_archive_is_never_written_over(twin):
    before = twin.read_bytes()
    with pytest.raises(DataError, match="DSRSID.mat exists"):
        write_dsrsid(twin.parent, size=16)
    assert twin.read_bytes() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_twin_leaves_nothing(tmp_path, error):
    def stop(done, total):
        raise error

    with pytest.raises(error):
        write_dsrsid(tmp_path / "twin", size=16, progress=stop)
    assert list((tmp_path / "twin").iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="Cannot write .*DSRSID.mat"):
        write_dsrsid(tmp_path / "file", size=16)


@pytest.mark.parametrize("size", [15, 80_001, 20.5])
def test_sizes_outside_of_their_range(tmp_path, size):
    with pytest.raises(ValueError, match=rf"`size`. Expected a whole number from 16 to 80000. Received: {size}"):
        write_dsrsid(tmp_path, size=size)


# --- what the images show


def shrunk(images):
    """(n, 256, 256) as means of 4 x 4 squares."""
    return images.reshape(len(images), 64, 4, 64, 4).mean(axis=(2, 4))


def test_both_images_show_the_same_ground_each_with_noise_of_its_own(drawn):
    pan, mul, _ = drawn
    alike = []
    for seen, grey in zip(shrunk(pan), mul @ PAN_WEIGHTS, strict=True):
        slope, offset = np.polyfit(grey.ravel(), seen.ravel(), 1)
        # Were one made from the other, only rounding would be left: 0.1 of a grey value.
        assert np.std(seen - slope * grey - offset) > 0.5
        alike.append(np.corrcoef(grey.ravel(), seen.ravel())[0, 1])
    assert np.median(alike) > 0.9


def test_water_is_dark_in_near_infrared_and_plants_are_bright(drawn):
    _, mul, labels = drawn
    ratios = np.median(mul[..., 3] / (mul[..., 1] + 1.0), axis=(1, 2))
    assert np.median(ratios[labels == WATER]) < 0.85
    assert np.median(ratios[labels == FOREST]) > 1.2


def test_colour_and_brightness_alone_do_not_tell_the_classes_apart(drawn):
    pan, mul, labels = drawn
    colours = np.concatenate([mul.mean(axis=(1, 2)), mul.std(axis=(1, 2))], axis=1)
    fit, held = np.arange(len(labels)) % 2 == 0, np.arange(len(labels)) % 2 == 1
    scores = {}
    for name, features in (("mul", colours), ("pan", np.stack([pan.mean((1, 2)), pan.std((1, 2))], 1))):
        scores[name] = LinearDiscriminantAnalysis().fit(features[fit], labels[fit]).score(features[held], labels[held])
    assert 0.2 < scores["mul"] < 0.85
    assert scores["pan"] < 0.6


def test_pixels_alone_do_not_either(drawn):
    pan, _, labels = drawn
    pixels = shrunk(pan).reshape(len(pan), -1)
    near = KNeighborsClassifier(2).fit(pixels, labels).kneighbors(pixels, return_distance=False)[:, 1]
    assert np.mean(labels[near] == labels) < 0.6
