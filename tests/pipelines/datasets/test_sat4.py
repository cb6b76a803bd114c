import dataclasses

import h5py
import numpy as np
import pytest
import scipy.io

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets import sat4
from keras_dhnn.pipelines.store.prepare import prepare
from tests.fakes import sat4_arrays, write_sat4_csv, write_sat4_mat5, write_sat4_mat73

KINDS = ("plain", "packed", "hdf5", "hdf5 packed", "csv")


def write(folder, arrays, kind):
    """Writes an archive in one of the layouts; returns what `--source` names."""
    folder.mkdir(exist_ok=True)
    path = folder / "sat-4-full.mat"
    if kind == "csv":
        return write_sat4_csv(folder, arrays)
    if kind.startswith("hdf5"):
        options = {"compression": "gzip", "chunks": True} if "packed" in kind else {}
        return write_sat4_mat73(path, arrays, **options)
    return write_sat4_mat5(path, arrays, compressed=kind == "packed")


def stacked(blocks):
    """All ids, labels and images of Blocks."""
    blocks = list(blocks)
    ids = [name for block in blocks for name in block.ids]
    return ids, *(np.concatenate(a) for a in ([b.labels for b in blocks], [b.images["image"] for b in blocks]))


@pytest.mark.parametrize("kind", KINDS)
def test_images_and_labels_are_those_of_the_archive(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(sat4, "_ITEMS", 3)
    arrays = sat4_arrays(train=7, test=4)
    archive = sat4.open_archive(write(tmp_path / "raw", arrays, kind))
    ids, labels, images = stacked(archive.blocks())
    assert archive.count == 11
    assert archive.classes == ("barren land", "trees", "grassland", "none")
    assert ids == [f"train/{i:06d}" for i in range(7)] + [f"test/{i:06d}" for i in range(4)]
    assert images.dtype == np.uint8
    for number, (label, image) in enumerate(zip(labels, images, strict=True)):
        part, i = ("train", number) if number < 7 else ("test", number - 7)
        np.testing.assert_array_equal(image, arrays[f"{part}_x"][..., i])
        np.testing.assert_array_equal(np.eye(4)[label], arrays[f"{part}_y"][:, i])


@pytest.mark.parametrize("kind", KINDS)
def test_examples_are_the_same_items(tmp_path, kind):
    source = write(tmp_path / "raw", sat4_arrays(), kind)
    ids, labels, images = stacked(sat4.open_archive(source).blocks())
    for example, name, label, image in zip(sat4.examples(source), ids, labels, images, strict=True):
        assert (example.id, example.label) == (name, label)
        np.testing.assert_array_equal(example.images["image"], image)


def test_all_layouts_make_the_same_data_set(tmp_path):
    sources = [write(tmp_path / kind, sat4_arrays(), kind) for kind in KINDS]
    infos = [prepare(sat4.open_archive(s), tmp_path / f"data-{k}").info for k, s in zip(KINDS, sources, strict=True)]
    assert len({info.checksum for info in infos}) == 1
    assert [info.origin["kind"] for info in infos] == ["mat"] * 4 + ["csv"]
    assert infos[0].count == 10
    assert infos[0].items_per_record > 1
    assert str(infos[0].images["image"]) == "28 x 28 x 4 uint8"


def test_a_data_set_in_blocks_has_the_checksum_of_one_item_by_item(tmp_path):
    archive = sat4.open_archive(write(tmp_path / "raw", sat4_arrays(), "plain"))
    blocks = prepare(archive, tmp_path / "blocks").info
    items = prepare(dataclasses.replace(archive, blocks=None), tmp_path / "items").info
    assert blocks.checksum == items.checksum
    assert items.items_per_record == 1


def test_a_folder_that_holds_the_file(tmp_path):
    path = write(tmp_path / "raw", sat4_arrays(), "plain")
    assert sat4.open_archive(path.parent).origin == sat4.open_archive(path).origin


def test_the_fingerprint_changes_with_the_file(tmp_path):
    path = write(tmp_path / "raw", sat4_arrays(), "plain")
    before = sat4.open_archive(path).origin
    assert sat4.open_archive(path).origin == before
    write(tmp_path / "raw", sat4_arrays(train=8), "plain")
    assert sat4.open_archive(path).origin["fingerprint"] != before["fingerprint"]


@pytest.mark.parametrize("kind", ["plain", "hdf5"])
def test_labels_lying_on_their_side_are_read_too(tmp_path, kind):
    """N x 4, as the archive's description says, instead of 4 x N."""
    arrays = sat4_arrays()
    upright = stacked(sat4.open_archive(write(tmp_path / "a", arrays, kind)).blocks())[1]
    lying = arrays | {name: arrays[name].T for name in ("train_y", "test_y")}
    np.testing.assert_array_equal(stacked(sat4.open_archive(write(tmp_path / "b", lying, kind)).blocks())[1], upright)


def test_true_labels_where_the_archive_has_them(tmp_path):
    arrays = sat4_arrays()
    truth = {f"{part}_y_true": np.roll(arrays[f"{part}_y"], 1, axis=0) for part in ("train", "test")}
    archive = sat4.open_archive(write(tmp_path / "raw", arrays | truth, "plain"))
    for block in archive.blocks():
        np.testing.assert_array_equal(block.true_labels, (block.labels + 1) % 4)
    info = prepare(archive, tmp_path / "data").info
    np.testing.assert_array_equal(info.true_labels, (info.labels + 1) % 4)
    plain = prepare(sat4.open_archive(write(tmp_path / "b", arrays, "plain")), tmp_path / "plain").info
    np.testing.assert_array_equal(plain.true_labels, plain.labels)
    np.testing.assert_array_equal(plain.labels, info.labels)
    assert plain.checksum != info.checksum


# --- what is refused


@pytest.mark.parametrize("kind", ["plain", "packed", "hdf5"])
def test_a_truncated_file(tmp_path, kind):
    path = write(tmp_path / "raw", sat4_arrays(), kind)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"(cut short|damaged).*Fetch it again"):
        prepare(sat4.open_archive(path), tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_damage_found_while_reading_leaves_no_data_set(tmp_path):
    path = write(tmp_path / "raw", sat4_arrays(), "packed")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255  # inside of train_x, whose end is found by its length
    path.write_bytes(content)
    archive = sat4.open_archive(path)
    with pytest.raises(DataError, match=r"sat-4-full.mat is damaged"):
        prepare(archive, tmp_path / "data")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["raw"]


@pytest.mark.parametrize("kind", ["plain", "hdf5"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("test_x"), r"numeric variable test_x in .*Found: .*train_x \(28 x 28 x 4 x 7\)"),
        (lambda a: a.pop("train_y"), r"numeric variable train_y"),
        (
            lambda a: a.update(train_x=a["train_x"].transpose(3, 0, 1, 2)),
            r"train_x .* MATLAB's size 28 x 28 x 4 x N. Found: 7 x 28 x 28 x 4",
        ),
        (lambda a: a.update(train_x=a["train_x"][:, :, :3]), r"size 28 x 28 x 4 x N. Found: 28 x 28 x 3 x 7"),
        (lambda a: a.update(test_x=a["test_x"].astype(float)), r"test_x in .* to be uint8. Found: float64"),
        (lambda a: a.update(train_y=a["train_y"][:, :6]), r"train_y .* size 4 x 7. Found: 4 x 6"),
        (lambda a: a.update(train_y=np.vstack([a["train_y"]] * 2)[:6]), r"size 4 x 7. Found: 6 x 7"),
    ],
    ids=["no test_x", "no train_y", "items first", "three bands", "doubles", "fewer labels", "six classes"],
)
def test_another_layout(tmp_path, kind, change, message):
    arrays = sat4_arrays()
    change(arrays)
    with pytest.raises(DataError, match=message):
        sat4.open_archive(write(tmp_path / "raw", arrays, kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("label", [(0, 0, 0, 0), (1, 0, 1, 0), (0, 2, 0, 0), (2, 0, 0, -1)])
def test_a_label_that_is_not_one_hot(tmp_path, kind, label):
    arrays = sat4_arrays()
    arrays["test_y"][:, 2] = label
    message = r"test_y.* one 1 among 3 0s. Found, for item 3: " + ", ".join(map(str, label))
    if kind == "csv":
        message = r"y_test_sat4.csv"  # a minus sign is refused where the file is read
    with pytest.raises(DataError, match=message):
        sat4.open_archive(write(tmp_path / "raw", arrays, kind))


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match=r"Expected the file sat-4-full.mat, or .*X_train_sat4.* Not found: .*/no.$"):
        sat4.open_archive(tmp_path / "no")
    write_sat4_csv(tmp_path, sat4_arrays())
    (tmp_path / "y_test_sat4.csv").unlink()
    with pytest.raises(DataError, match=r"Not found: \S*/y_test_sat4.csv"):
        sat4.open_archive(tmp_path)


def test_no_patches(tmp_path):
    with h5py.File(tmp_path / "sat-4-full.mat", "w") as file:
        file["train_x"], file["train_y"] = np.zeros((0, 4, 28, 28), np.uint8), np.zeros((0, 4))
    with pytest.raises(DataError, match=r"train_x .* size 28 x 28 x 4 x N. Found: 28 x 28 x 4 x 0"):
        sat4.open_archive(tmp_path)


def test_no_matlab_file(tmp_path):
    (tmp_path / "sat-4-full.mat").write_text("an error page of a server")
    with pytest.raises(DataError, match=r"Expected a MATLAB file"):
        sat4.open_archive(tmp_path)


@pytest.mark.parametrize(("images", "found"), [(6, "6 images and 7 labels"), (9, "9 images and 7 labels")])
def test_csv_with_other_numbers_of_images_and_labels(tmp_path, images, found):
    write_sat4_csv(tmp_path, sat4_arrays(train=images))
    (tmp_path / "seven").mkdir()
    write_sat4_csv(tmp_path / "seven", sat4_arrays(train=7))
    (tmp_path / "seven" / "y_train_sat4.csv").replace(tmp_path / "y_train_sat4.csv")
    with pytest.raises(DataError, match=rf"as many images as labels in the train part. Found {found}"):
        prepare(sat4.open_archive(tmp_path), tmp_path / "data")


def test_scipy_reads_the_fakes(tmp_path):
    """The fakes are what they claim to be."""
    arrays = sat4_arrays()
    found = scipy.io.loadmat(write_sat4_mat5(tmp_path / "a.mat", arrays))
    np.testing.assert_array_equal(found["train_x"], arrays["train_x"])
    assert found["annotations"].shape == (2, 2)
    with h5py.File(write_sat4_mat73(tmp_path / "b.mat", arrays)) as file:
        assert file["train_x"].shape == (7, 4, 28, 28)
