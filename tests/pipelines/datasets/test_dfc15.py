"""DFC15's layout: labels of the table, the split of the folders."""

import csv

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.experiment.presets import load_preset
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.pipelines.datasets import dfc15
from keras_dhnn.pipelines.store.prepare import prepare
from keras_dhnn.pipelines.store.stored_images import read_images

CLASSES = ("impervious", "water", "clutter", "vegetation", "building", "tree", "boat", "car")
ROWS = {
    "images_tr/0001.png": (1, 0, 0, 1, 0, 0, 0, 1),
    "images_tr/0002.png": (0, 1, 0, 0, 0, 0, 1, 0),
    "images_tr/0003.png": (0, 1, 0, 0, 0, 0, 0, 0),
    "images_test/0004.png": (0, 0, 1, 1, 1, 1, 0, 0),
    "images_test/0005.png": (0, 1, 0, 0, 0, 0, 0, 0),
}


def write_archive(root, rows=ROWS, columns=CLASSES, side=40):
    random = np.random.default_rng(0)
    for name in ROWS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (side, side, 3)).astype(np.uint8)).save(root / name)
    with open(root / "multilabel.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image\\label", *columns])
        table.writerows([name.split("/")[1], *flags] for name, flags in rows.items())
    return root


def test_images_labels_and_split_are_those_of_the_archive(tmp_path):
    root = write_archive(tmp_path / "dfc15")
    info = prepare(dfc15.open_archive(root), tmp_path / "data" / "dfc15").info
    assert list(info.ids) == sorted(ROWS)
    assert info.label_sets.classes == CLASSES
    np.testing.assert_array_equal(info.label_sets.sets, [ROWS[name] for name in info.ids])
    for number, image in read_images(info, np.arange(info.count)):
        with Image.open(root / info.ids[number]) as file:
            np.testing.assert_array_equal(image, np.asarray(file))
    split = draw_split(load_preset("dfc15", info).data, 0, info)
    assert set(info.ids[split.queries]) == {"images_test/0004.png", "images_test/0005.png"}
    assert set(info.ids[split.database]) == {f"images_tr/000{number}.png" for number in (1, 2, 3)}


def test_classes_keep_their_numbers_in_a_part_where_one_has_no_image(tmp_path):
    rows = {name: (*flags[:6], 0, flags[7]) for name, flags in ROWS.items()}
    info = prepare(dfc15.open_archive(write_archive(tmp_path / "dfc15", rows)), tmp_path / "data" / "dfc15").info
    assert info.label_sets.classes == CLASSES
    np.testing.assert_array_equal(info.label_sets.sets, [rows[name] for name in info.ids])


def test_other_tables_make_another_data_set(tmp_path):
    one = write_archive(tmp_path / "one")
    before = dfc15.open_archive(one).origin
    assert dfc15.open_archive(one).origin == before
    small = dfc15.open_archive(one, image_size=16).origin
    assert small["fingerprint"] != before["fingerprint"]
    assert small["files"] == before["files"]
    table = (one / "multilabel.csv").read_text()
    (one / "multilabel.csv").write_text(table.replace("0003.png,0,1", "0003.png,1,0"))
    after = dfc15.open_archive(one).origin
    assert after["fingerprint"] != before["fingerprint"]
    assert after["files"] != before["files"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": {**ROWS, "images_tr/0009.png": (1,) + (0,) * 7}}, "1 of 6 rows name no image"),
        ({"columns": ("roads", *CLASSES[1:])}, "expected columns impervious, .* car. Found: roads.$"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(change, message, tmp_path):
    with pytest.raises(DataError, match=message):
        dfc15.open_archive(write_archive(tmp_path, **change))


def test_what_is_no_archive_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"Expected a folder with multilabel.csv, images_tr/<image>"):
        dfc15.open_archive(tmp_path)
    write_archive(tmp_path)
    for name in ROWS:
        (tmp_path / name).unlink()
    with pytest.raises(DataError, match="There is no image in images_tr or images_test"):
        dfc15.open_archive(tmp_path)


def test_the_twin_is_read_as_the_archive_is(tmp_path):
    from keras_dhnn.pipelines.synthetic.dfc15_twin import dfc15_image, write_dfc15

    archive = dfc15.open_archive(write_dfc15(tmp_path, size=6, seed=1))
    assert archive.count == 6
    assert [name for name, part in archive.annotations.parts.items() if part == "test"] == ["images_test/00004.png"]
    image, labels = dfc15_image(1, 4)
    assert image.shape == (600, 600, 3)
    assert archive.annotations.labels["images_test/00004.png"] == tuple(CLASSES[label] for label in sorted(labels))
    with pytest.raises(SettingError, match="whole number from 5"):
        write_dfc15(tmp_path / "more", size=4)
