"""Figures are written whole or not at all."""

import errno

import pytest
from matplotlib.figure import Figure
from PIL import Image

from keras_dhnn.errors import SettingError
from keras_dhnn.report.figures.saving import save_figure
from tests.full_disk import full_disk


def test_the_suffix_says_the_format(tmp_path):
    for name, kind in (("a.png", "PNG"), ("b.JPG", "JPEG"), ("c", "PNG")):
        save_figure(Figure(figsize=(2, 1)), tmp_path / name, 50)
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.size) == (kind, (100, 50))
    with pytest.raises(SettingError, match=r"d\.xyz is no picture by its name\. Expected one that ends in \.png"):
        save_figure(Figure(), tmp_path / "d.xyz", 50)


def test_a_full_disk_is_named_and_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.png"
    for before in (None, b"before"):
        if before is not None:
            path.write_bytes(before)
        with full_disk(), pytest.raises(OSError, match="File too large") as caught:
            save_figure(Figure(), path, 50)
        assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
        assert [one.read_bytes() for one in tmp_path.iterdir()] == ([] if before is None else [before])
