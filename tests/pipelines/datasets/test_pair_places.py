import numpy as np
import pytest
import tifffile

from keras_dhnn.pipelines.datasets import dual
from keras_dhnn.pipelines.store.prepare import prepare

UTM_32 = (1, 1, 0, 1, 3072, 0, 1, 32632)
UTM_33 = (1, 1, 0, 1, 3072, 0, 1, 32633)


def write(path, side, pixel, left, top, keys=UTM_32):
    path.parent.mkdir(parents=True, exist_ok=True)
    ground = [(33550, "d", 3, (pixel, pixel, 0.0)), (33922, "d", 6, (0.0, 0.0, 0.0, left, top, 0.0))]
    tags = [*ground, (34735, "H", len(keys), keys)] if keys else []
    pixels = np.random.default_rng(side).integers(0, 255, (side, side), np.uint8)
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=None, extratags=tags)


# Of the partner: where its upper left corner lies, 320 m of ground being that of the first, and its reference system.
@pytest.mark.parametrize(
    ("left", "top", "keys", "apart"),
    [
        (500_000, 5_000_000, UTM_32, False),
        (500_010, 4_999_990, UTM_32, False),
        (500_319, 5_000_319, UTM_32, False),
        (500_320, 5_000_000, UTM_32, True),
        (500_000, 5_000_320, UTM_32, True),
        (500_000, 4_999_680, UTM_32, True),
        (900_000, 5_000_000, UTM_32, True),
        (900_000, 5_000_000, UTM_33, False),
        (900_000, 5_000_000, None, False),
    ],
)
def test_pairs_that_share_no_ground_are_named(tmp_path, left, top, keys, apart):
    for number in range(8):
        name = f"class{number % 2}/{number}.tif"
        write(tmp_path / "optical" / name, 32, 10.0, 500_000, 5_000_000)
        moved = number in (3, 5)
        place = (left, top, keys) if moved else (500_000, 5_000_000)
        write(tmp_path / "radar" / name, 16, 20.0, *place)
    archive = dual.open_archive({source: tmp_path / source for source in ("optical", "radar")})
    notes = [note for note in archive.origin["notes"] if "different ground" in note]
    assert len(notes) == apart
    if apart:
        assert "Of 8 pairs that were looked at, 2 show different ground" in notes[0]
        assert "class1/3.tif, class1/5.tif." in notes[0]
    assert prepare(archive, tmp_path / "data").info.count == 8, "it is said, and they are prepared"
