import pytest

from keras_dhnn.archive import Archive
from keras_dhnn.archive.relabelling import relabel
from tests.archives import make_archive, random_codes


def labels_of(archive):
    return {row["id"]: row["label"] for row in archive.rows(["id", "label"]).to_pylist()}


@pytest.mark.parametrize("parts", [1, 3])
def test_labels_change_and_nothing_else(tmp_path, parts):
    ids = [f"{number:02d}" for number in range(9)]
    archive = make_archive(tmp_path / "ar", random_codes(9), parts=parts, ids=ids, label=["old"] * 9)
    others = [name for name in archive.rows().column_names if name != "label"]
    before = archive.rows(others).sort_by("id")
    files = {part.name for part in archive.parts}
    assert relabel(archive, {"00": "new", "03": "old", "06": "new", "99": "new"}) == 2
    assert labels_of(archive) == dict.fromkeys(ids, "old") | {"00": "new", "06": "new"}
    assert archive.rows(others).sort_by("id").equals(before)
    # Of three files the two without any of these stay.
    assert len(files & {part.name for part in archive.parts}) == parts - 1
    assert labels_of(Archive.open(tmp_path / "ar")) == labels_of(archive)


def test_where_labels_are_the_same_no_file_is_written(tmp_path):
    archive = make_archive(tmp_path / "ar", random_codes(3), ids=["a", "b", "c"], label=["x"] * 3)
    parts = archive.parts
    assert relabel(archive, {"a": "x", "b": "x"}) == relabel(archive, {}) == relabel(archive, {"z": "y"}) == 0
    assert archive.parts == parts


@pytest.mark.parametrize("parts", [1, 4])
def test_tiles_have_their_own_label_or_that_of_their_scene(tmp_path, parts):
    ids = ["s.tif#32/0/0", "s.tif#32/0/32", "t.tif#32/0/0", "s.tif"]
    scenes = ["s.tif", "s.tif", "t.tif", None]
    archive = make_archive(tmp_path / "ar", random_codes(4), parts, ids=ids, scene=scenes, label=[None] * 4)
    assert relabel(archive, {"s.tif": "sea", "s.tif#32/0/0": "beach"}) == 3
    assert labels_of(archive) == dict(zip(ids, ["beach", "sea", None, "sea"], strict=True))
    assert archive.labelled() == 3
