import numpy as np
import pytest

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.pipelines.datasets.survey import survey_images
from keras_dhnn.pipelines.formats.image_file import Decoded


def decoded(shape=(10, 12, 3), dtype="uint16", low=0, high=1000, seed=0, **fields):
    pixels = np.random.default_rng(seed).integers(low, high, shape).astype(dtype)
    return Decoded(**{"bands": pixels, "empty": None, "stored": dtype, "alpha": False} | fields)


def survey(images, **options):
    """Of a dict of Decoded or DamagedFile."""

    def decode(name):
        if isinstance(images[name], Exception):
            raise images[name]
        return images[name]

    return survey_images(list(images), decode, **options)


def test_most_of_the_images_decide():
    images = {f"{n}.tif": decoded() for n in range(5)} | {"grey.tif": decoded((10, 12, 1), "uint8")}
    found = survey(images, mixed=True)
    assert (found.channels, found.dtype, found.side) == (3, "uint16", 11)


def test_several_kinds_are_counted_and_named():
    images = {f"{n}.tif": decoded() for n in range(5)}
    images |= {"grey.tif": decoded((10, 12, 1)), "eight.png": decoded(dtype="uint8", high=255)}
    with pytest.raises(DataError) as error:
        survey(images)
    for text in ("5 of 3 bands, uint16, such as 0.tif", "1 of 1 band, uint16, such as grey.tif", "eight.png"):
        assert text in str(error.value)
    assert "--skip-damaged" in str(error.value)


def test_damaged_images_are_passed_over_unless_there_is_no_other():
    damaged = DamagedFile("x.tif", "is cut")
    assert survey({"x.tif": damaged, "y.tif": decoded()}).channels == 3
    with pytest.raises(DamagedFile, match=r"x.tif: is cut"):
        survey({"x.tif": damaged})


def test_pixels_are_a_sample_of_each_band_without_empty_ones_and_borders():
    image = decoded((100, 100, 2), "float32", low=5)
    image.bands[:50] = 0  # a border: zero in all bands
    empty = np.zeros(image.bands.shape, bool)
    empty[80:, :, 1] = True
    image.bands[80:, :, 1] = -9999
    first, second = survey({"x": image._replace(empty=empty)}).pixels
    assert first.min() >= 5
    assert second.min() >= 5
    assert 400 < len(first) < 620  # of 1,024 draws, half on the border
    assert len(second) < 0.7 * len(first)


def test_a_zero_in_some_bands_is_a_value():
    image = decoded((50, 50, 2), low=5)
    image.bands[..., 0] = 0
    assert survey({"x": image}).pixels[0].max() == 0


def test_sample_is_of_512_images_and_depends_on_the_seed():
    looked = []

    def decode(name):
        looked.append(name)
        return decoded((4, 4, 1), low=name, high=name + 1)

    one = survey_images(range(1000), decode, seed=0)
    assert len(set(looked)) == len(looked) == 512
    again, other = (survey_images(range(1000), decode, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(one.pixels[0], again.pixels[0])
    assert not np.array_equal(one.pixels[0], other.pixels[0])


def test_8_bits_need_no_pixels():
    assert survey({"x": decoded(dtype="uint8", high=255)}).pixels is None


def marked(opacity, colours=3):
    image = decoded((10, 10, colours + 1), "uint8", high=255, alpha=True)
    image.bands[..., -1] = opacity
    return image


def test_opacity_that_is_a_mask_is_left_out():
    mask = np.where(np.arange(100).reshape(10, 10) < 30, 0, 255)
    found = survey({"a": marked(mask), "b": marked(255), "c": decoded((10, 10, 3), "uint8", high=255)})
    assert found.channels == 3
    assert "Band 4 is marked as opacity and is a mask: it is left out." in found.notes


def test_opacity_that_holds_more_is_near_infrared():
    found = survey({"a": marked(np.arange(100).reshape(10, 10)), "b": marked(255)})
    assert found.channels == 4
    assert any("is kept as a band" in note for note in found.notes)


def test_notes_on_types_and_shapes():
    found = survey({"a": decoded(dtype="float32", stored="float64")})
    assert found.notes == (
        "Pixels of float64 are stored as float32.",
        "Images that are not square are stretched to a square.",
    )
