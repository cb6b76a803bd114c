import numpy as np
import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.example import ImageSpec


def test_spec_of_image():
    spec = ImageSpec.of(np.zeros((5, 4, 13), np.uint16))
    assert spec == ImageSpec(5, 4, 13, "uint16")
    assert spec.shape == (5, 4, 13)
    assert spec.nbytes == 5 * 4 * 13 * 2
    assert str(spec) == "5 x 4 x 13 uint16"


def test_spec_of_big_endian_image_is_stored_little_endian():
    spec = ImageSpec.of(np.zeros((1, 1, 1), ">f4"))
    assert spec.dtype == "float32"
    assert spec.stored_dtype.str == "<f4"


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float64), np.zeros((4, 0, 3), np.uint8)],
    ids=["two dimensions", "float64", "empty"],
)
def test_spec_rejects_what_is_not_stored(image):
    with pytest.raises(DataError, match=r"Expected an image .* Found: shape"):
        ImageSpec.of(image)
