"""Trees of images without classes, and data sets seen with labels of a file."""

import numpy as np
import pytest

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.pipelines.datasets import folder, images
from keras_dhnn.pipelines.labels import UNLABELLED, Labels
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.prepare import prepare
from tests.fakes import zip_folder
from tests.pipelines.datasets.test_folder import write_collection, write_image

CLASSES = ("a", "b/deep/er", "b/other", "ü")


@pytest.fixture
def root(tmp_path):
    root = write_collection(tmp_path / "tree", CLASSES, per_class=5)
    write_image(root / "at the top.png", np.zeros((20, 24, 3), np.uint8))
    write_image(root / ".hidden" / "x.png", np.zeros((20, 24, 3), np.uint8))
    (root / "a" / "notes.txt").write_text("none")
    return root


def test_images_of_any_depth_have_the_class_unlabelled(root):
    archive = images.open_archive(root)
    skipped = []
    examples = list(archive.read(skipped))
    expected = sorted([f"{name}/image {k}.png" for name in CLASSES for k in range(5)] + ["at the top.png"])
    assert [example.id for example in examples] == expected
    assert archive.classes == (UNLABELLED,)
    assert {example.label for example in examples} == {0}
    assert archive.count == 21
    assert skipped == [("a/notes.txt", "is no image by its name")]


def test_a_zip_holds_the_same(root, tmp_path):
    by_folder = [example.id for example in images.open_archive(root).read([])]
    zipped = images.open_archive(zip_folder(root, tmp_path / "tree.zip"))
    assert [example.id for example in zipped.read([])] == by_folder


def test_few_images_are_refused(tmp_path):
    write_collection(tmp_path / "few", ("a",), per_class=19)
    with pytest.raises(DataError, match="Expected 20 images or more.*Found 19"):
        images.open_archive(tmp_path / "few")


def test_damaged_images_are_refused_or_left_out(root):
    (root / "b" / "broken.png").write_bytes(b"none")
    with pytest.raises(DamagedFile, match="b/broken.png"):
        list(images.open_archive(root).read([]))
    skipped = []
    assert len(list(images.open_archive(root, skip_damaged=True).read(skipped))) == 21
    assert "b/broken.png" in dict(skipped)


@pytest.fixture
def info(root, tmp_path):
    return prepare(images.open_archive(root), tmp_path / "data" / "tree", shards=1).info


def test_without_labels_nothing_is_known(info):
    assert not info.known.any()
    assert not info.truly_known.any()


def test_labels_in_the_data_set_are_seen_when_it_is_loaded(info):
    sets = np.zeros((21, 2), bool)
    sets[[0, 3], [1, 0]] = True
    Labels(("sea", "beach"), sets).save(info.directory / "labels.npz")
    seen = DatasetInfo.load(info.directory)
    assert seen.classes == ("sea", "beach", UNLABELLED)
    assert np.flatnonzero(seen.known).tolist() == [0, 3]
    assert seen.labels[[0, 3, 1]].tolist() == [1, 0, 2]
    assert seen.class_counts == (1, 1, 19)
    assert seen.checksum == info.checksum
    # Preparing anew replaces nothing that is not ours.
    assert prepare(images.open_archive(info.origin["path"]), info.directory).fresh is False


def test_labels_of_other_images_are_refused(info):
    with pytest.raises(DataError, match="Labels of 3 images are not those of"):
        info.with_labels(Labels(("sea",), np.ones((3, 1), bool)))


def test_folders_score_where_labels_are_of_their_classes(tmp_path):
    root = write_collection(tmp_path / "folders", ("x", "y"), per_class=3)
    info = prepare(folder.open_archive(root), tmp_path / "data" / "folders", shards=1).info
    seen = info.with_labels(Labels(("y",), np.array([[0], [0], [0], [0], [1], [0]], bool)))
    assert seen.classes == ("x", "y", UNLABELLED)
    assert seen.labels.tolist() == [2, 2, 2, 2, 1, 2]
    assert seen.true_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert seen.folders.tolist() == info.folders.tolist() == [*"xxxyyy"]
    # Other names: the folders are no classes.
    other = info.with_labels(Labels(("sea",), np.array([[0], [0], [0], [0], [1], [0]], bool)))
    assert other.classes == ("sea", UNLABELLED)
    assert other.true_labels.tolist() == other.labels.tolist() == [1, 1, 1, 1, 0, 1]


def test_a_table_that_errs_is_learned_from_and_folders_score(tmp_path):
    root = write_collection(tmp_path / "folders", ("x", "y", UNLABELLED), per_class=3)
    info = prepare(folder.open_archive(root), tmp_path / "data" / "folders", shards=1).info
    assert info.classes == (UNLABELLED, "x", "y")
    # Of "unlabelled" the first is known by the table alone; of "x" the first is wrong in it, and the last missing.
    table = Labels.of_names(("y", "x"), [["x"], [], [], ["y"], ["x"], [], *[["y"]] * 3])
    seen = info.with_labels(table)
    assert seen.labels.tolist() == [1, 0, 0, 2, 1, 0, 2, 2, 2]
    assert seen.true_labels.tolist() == [1, 0, 0, 1, 1, 1, 2, 2, 2]
    assert seen.truth.classes == ("x", "y")
    assert seen.truth.sets.T.astype(int).tolist() == [[1, 0, 0, 1, 1, 1, 0, 0, 0], [0] * 6 + [1] * 3]
    assert seen.folders.tolist() == [*[""] * 3, *"xxxyyy"]
    # The same where another table was prepared: what is of the folders stays.
    first = info.with_labels(Labels.of_names(("x", "y"), [[], ["y"], [], *[["y"]] * 3, *[["x"]] * 3]))
    assert first.with_labels(table).true_labels.tolist() == [1, 2, 0, 1, 1, 1, 2, 2, 2]
    # To score by it is another matter.
    assert info.with_labels(table, to_score=True).true_labels.tolist() == [1, 0, 0, 2, 1, 1, 2, 2, 2]


def test_folders_of_a_tree_are_no_classes(info):
    assert set(info.folders) == {""}
    table = Labels.of_names(("north", "sea"), [["north"], ["sea"], ["north"], *[[]] * 18])
    seen = info.with_labels(table)
    assert set(seen.folders) == {""}
    # A later table counts where it has a label, an earlier one where it has none.
    later = seen.with_labels(Labels.of_names(("north", "sea"), [["sea"], *[[]] * 20]))
    assert [later.classes[label] for label in later.true_labels[:4]] == ["sea", "sea", "north", UNLABELLED]


def test_sets_of_labels_are_classes(info):
    sets = np.zeros((21, 2), bool)
    sets[:, 0], sets[5:9, 1] = True, True
    seen = info.with_labels(Labels(("sea", "ship"), sets))
    assert seen.classes == ("sea", "ship", "sea + ship")
    assert seen.class_counts == (17, 0, 4)
    assert seen.label_sets is seen.table
    assert seen.truth.classes == ("sea", "ship")
    np.testing.assert_array_equal(seen.truth.sets, sets)
    assert seen.known.all()
