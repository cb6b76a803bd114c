import numpy as np

from keras_dhnn.pipelines.datasets import ucmd, ucmd_dual
from keras_dhnn.pipelines.store.prepare import prepare
from tests.fakes import write_ucmd


def test_pairs_are_made_of_the_images_that_ucmd_reads(tmp_path):
    info = prepare(ucmd_dual.open_archive(write_ucmd(tmp_path / "ucmd")), tmp_path / "data" / "ucmd-dual").info
    assert {source: str(spec) for source, spec in info.images.items()} == {
        "mul": "64 x 64 x 3 uint8",
        "pan": "256 x 256 x 1 uint8",
    }
    pairs = ucmd_dual.open_archive(tmp_path / "ucmd").read([])
    for pair, single in zip(pairs, ucmd.examples(tmp_path / "ucmd"), strict=True):
        image = single.images["image"].astype(float)
        assert (pair.id, pair.label) == (single.id, single.label)
        np.testing.assert_allclose(pair.images["pan"][..., 0], image.mean(axis=2), atol=0.51)
        np.testing.assert_allclose(pair.images["mul"][5, 9], image[20:24, 36:40].mean(axis=(0, 1)), atol=0.51)


def test_damaged_images_are_left_out_as_of_ucmd(tmp_path):
    write_ucmd(tmp_path, per_class=4)
    (tmp_path / "UCMerced_LandUse" / "Images" / "beach" / "beach01.tif").write_text("x")
    skipped = []
    assert len(list(ucmd_dual.open_archive(tmp_path, skip_damaged=True).read(skipped))) == 11
    assert [name for name, _ in skipped] == ["beach/beach01.tif"]
