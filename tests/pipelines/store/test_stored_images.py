import numpy as np

from keras_dhnn.pipelines.datasets.dual import open_archive
from keras_dhnn.pipelines.store.prepare import prepare
from keras_dhnn.pipelines.store.stored_images import colours, read_images
from tests.fakes import write_pairs


def test_each_source_shows_red_green_and_blue_of_its_own(tmp_path):
    root = write_pairs(tmp_path, {"ms": ((8, 8, 13), "uint8"), "optical": ((16, 16, 3), "uint8")})
    archive = open_archive({name: root / name for name in ("optical", "ms")}, rgb_bands={"ms": (4, 3, 2)})
    info = prepare(archive, tmp_path / "data" / "mine").info
    (_, optical), (_, ms) = (next(read_images(info, [0], source)) for source in (None, "ms"))
    np.testing.assert_array_equal(colours(optical, info), optical)
    np.testing.assert_array_equal(colours(ms, info, "ms"), ms[..., [3, 2, 1]])
