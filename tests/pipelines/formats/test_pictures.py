import io
import warnings

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from keras_dhnn.pipelines.formats.image_file import decode_image
from keras_dhnn.pipelines.formats.pictures import open_picture
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage

BANDS = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)


def written(kind, **options):
    file = io.BytesIO()
    Image.fromarray(BANDS).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_bounds_are_ours_and_not_pillows(kind, monkeypatch):
    """Pillow would warn from 89,478,485 pixels on, and refuse twice as many in words that have no cure."""
    options = {"TIFF": {"compression": "tiff_lzw"}, "WEBP": {"lossless": True}}.get(kind, {})
    content = written(kind, **options)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(decode_image(content).bands, BANDS)
        with pytest.raises(UnreadableImage, match="at most 188"):
            decode_image(content, 188)
    assert Image.MAX_IMAGE_PIXELS == 5


def test_pillows_bound_is_back_after_a_file_that_is_none(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with open_picture(written("PNG"), ("PNG",)) as image:  # as another thread may be at it
        with pytest.raises(UnidentifiedImageError), open_picture(b"no image", ("PNG",)):
            pass
        np.testing.assert_array_equal(np.asarray(image), BANDS)
    assert Image.MAX_IMAGE_PIXELS == 5
