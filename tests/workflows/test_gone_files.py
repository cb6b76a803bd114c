"""What becomes of items whose files are deleted: named, and taken out on demand, and nothing else ever."""

import errno
import json
import os
import shlex
import shutil

import numpy as np
import pytest

from keras_dhnn.archive import Archive, Identity
from keras_dhnn.archive.maintenance import remove_files
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.workflows import encode_archive, gone_files
from keras_dhnn.workflows.encode import encode
from tests.archives import random_codes, tile_rows
from tests.command_line import command_line
from tests.rasters import scene_pixels, write_scene
from tests.refusing import refuse_folder
from tests.workflows.test_encode_archive import BACKBONE, write_images

SMALL = {"bits": 8, "size": 32, "features": 4}


def paths(archive):
    """Paths of all items, from the folder of the archive on."""
    root = archive.parent
    found = Archive.open(archive).rows(["path"])["path"].to_pylist()
    return sorted(os.path.relpath(path, root) for path in found)


def counts(found):
    return {name: found[name] for name in ("items", "pruned", "gone", "unknown")}


@pytest.fixture
def images(tmp_path):
    """Twenty images in two folders, `a` and `b`, which are in the archive `ar` beside them."""
    write_images(tmp_path / "images", 20)
    encode(BACKBONE, tmp_path / "images", archive=tmp_path / "ar", **SMALL)
    return tmp_path / "images"


def listed(folder):
    return sorted(os.path.relpath(path, folder.parent) for path in folder.rglob("*.png"))


def test_items_of_deleted_files_are_named_and_taken_out_on_demand(images, monkeypatch, capfd):
    run = command_line(monkeypatch, capfd)
    for name in ("a/0000.png", "a/0002.png", "b/0001.png"):
        (images / name).unlink()
    how = ("encode", BACKBONE, images, "--archive", images.parent / "ar", "--quiet")
    status, out, _ = run(*how)
    assert (status, out.splitlines()[1:]) == (
        0,
        ["3 items are of files that are no longer there (--prune removes them)."],
    )
    assert len(paths(images.parent / "ar")) == 20
    status, out, _ = run(*how, "--prune")
    assert (status, out.splitlines()) == (
        0,
        [
            f"{images.parent / 'ar'}: 17 items (0 new, 0 changed, 17 as they were or empty)",
            "Items taken out, whose files are gone: 3.",
        ],
    )
    assert paths(images.parent / "ar") == listed(images)
    found = json.loads(run(*how, "--prune", "--json")[1])
    assert counts(found) == {"items": 17, "pruned": 0, "gone": 0, "unknown": 0}


def test_the_folder_may_be_named_otherwise_than_it_was(images, monkeypatch):
    (images / "a" / "0000.png").unlink()
    monkeypatch.chdir(images)
    assert encode(BACKBONE, "../images", archive="../ar")["gone"] == 1
    assert encode(BACKBONE, "a", archive="../ar")["gone"] == 1
    assert encode(BACKBONE, "b", archive="../ar")["gone"] == 0


def test_what_lies_elsewhere_stays_though_it_is_gone(images, tmp_path):
    write_images(tmp_path / "images2", 4, seed=1)
    encode(BACKBONE, tmp_path / "images2", archive=tmp_path / "ar")
    shutil.rmtree(tmp_path / "images2")
    (images / "a" / "0000.png").unlink()
    found = encode(BACKBONE, images, archive=tmp_path / "ar", prune=True)
    assert counts(found) == {"items": 23, "pruned": 1, "gone": 0, "unknown": 0}


def test_a_folder_of_which_nothing_is_left_is_taken_for_another_disk(images, tmp_path, monkeypatch, capfd):
    for folder in (images / "a", images / "b"):
        shutil.rmtree(folder)
    with pytest.raises(DataError, match="There is no image in the folder"):
        encode(BACKBONE, images, archive=tmp_path / "ar", prune=True)
    images.rename(tmp_path / "it's")
    images = tmp_path / "it's"
    write_images(images, 8, seed=2)
    encode(BACKBONE, images, archive=tmp_path / "ar")
    for path in images.rglob("*.png"):
        path.rename(path.with_name(f"other{path.name}"))
    with pytest.raises(DataError, match="not one is there any more: is it the right folder") as caught:
        encode(BACKBONE, images, archive=tmp_path / "ar", prune=True)
    assert Archive.open(tmp_path / "ar").info.rows == 28
    assert encode(BACKBONE, images, archive=tmp_path / "ar")["gone"] == 8
    # Now some are there again.
    assert encode(BACKBONE, images, archive=tmp_path / "ar", prune=True)["pruned"] == 8
    command = shlex.split(str(caught.value).split("keras-dhnn ")[1])
    assert command_line(monkeypatch, capfd)(*command, "--json")[:2] == (0, '{"removed": 8}\n')
    assert len(paths(tmp_path / "ar")) == 20


def test_an_empty_folder_may_be_an_unmounted_disk(images, tmp_path):
    for path in (images / "a").iterdir():
        path.unlink()
    (images / "b" / "0001.png").unlink()
    found = encode(BACKBONE, images, archive=tmp_path / "ar", prune=True)
    assert counts(found) == {"items": 19, "pruned": 1, "gone": 0, "unknown": 10}
    (images / "a").rmdir()
    found = encode(BACKBONE, images, archive=tmp_path / "ar", prune=True)
    assert counts(found) == {"items": 9, "pruned": 10, "gone": 0, "unknown": 0}
    assert paths(tmp_path / "ar") == listed(images)


def test_what_a_failing_disk_does_not_list_stays(images, tmp_path, monkeypatch):
    (images / "b" / "0001.png").unlink()
    look = os.lstat

    def fail(path, *given, **how):
        if f"images{os.sep}a" in os.fspath(path):
            raise OSError(errno.EIO, "Input/output error", path)
        return look(path, *given, **how)

    monkeypatch.setattr(os, "lstat", fail)
    refuse_folder(monkeypatch, "a", errno.EIO)
    found = encode(BACKBONE, images, archive=tmp_path / "ar", prune=True, skip_damaged=True)
    assert counts(found) == {"items": 20, "pruned": 0, "gone": 1, "unknown": 10}


def test_links_that_lead_nowhere_and_files_of_other_names_are_there(images, tmp_path):
    (images / "a" / "0000.png").rename(tmp_path / "moved.png")
    (images / "a" / "0000.png").symlink_to(tmp_path / "elsewhere.png")
    (images / "a" / "0002.png").rename(images / "a" / "0002.jpg.part")
    found = encode(BACKBONE, images, archive=tmp_path / "ar", prune=True, skip_damaged=True)
    assert counts(found) == {"items": 19, "pruned": 1, "gone": 0, "unknown": 0}
    assert "images/a/0000.png" in paths(tmp_path / "ar")


def test_a_file_that_comes_back_while_others_are_encoded_stays(images, tmp_path, monkeypatch):
    gone = images / "a" / "0000.png"
    kept = gone.read_bytes()
    gone.unlink()
    encode_listed = encode_archive.encode_listed

    def encode_and_restore(*given, **how):
        gone.write_bytes(kept)
        return encode_listed(*given, **how)

    monkeypatch.setattr(encode_archive, "encode_listed", encode_and_restore)
    assert encode(BACKBONE, images, archive=tmp_path / "ar", prune=True)["pruned"] == 0
    assert len(paths(tmp_path / "ar")) == 20


def test_of_lists_and_single_files_it_is_not_known_what_else_there_was(images, tmp_path):
    (tmp_path / "list.txt").write_text("images/a/0000.png\n")
    for given in (tmp_path / "list.txt", images / "a" / "0000.png"):
        with pytest.raises(SettingError, match="it is not known what else belonged to them. Name their folder"):
            encode(BACKBONE, given, archive=tmp_path / "ar", prune=True)
    (images / "a" / "0002.png").unlink()
    assert counts(encode(BACKBONE, tmp_path / "list.txt", archive=tmp_path / "ar"))["gone"] == 0
    with pytest.raises(SettingError, match="No effect with --embeddings: --prune"):
        encode(embeddings="vectors.npy", prune=True)


def test_all_tiles_of_a_scene_that_is_gone_go(images, tmp_path):
    pytest.importorskip("rasterio", reason="Scenes are read by rasterio")
    for name in ("one.tif", "two.tif"):
        write_scene(images / name, scene_pixels(64, 64))
    assert encode(BACKBONE, images, archive=tmp_path / "ar", tile=32)["added"] == 8
    (images / "one.tif").unlink()
    found = encode(BACKBONE, images, archive=tmp_path / "ar", tile=32, prune=True)
    assert counts(found) == {"items": 24, "pruned": 4, "gone": 0, "unknown": 0}
    assert paths(tmp_path / "ar") == sorted([*listed(images), *["images/two.tif"] * 4])


def test_of_a_catalogue_scenes_of_its_collections_are_missed(tmp_path):
    pytest.importorskip("rasterio", reason="Scenes are read by rasterio")

    def write_catalogue(collection, names):
        features = [
            {
                "type": "Feature",
                "id": name,
                "collection": collection,
                "properties": {},
                "assets": {"data": {"href": f"{collection}-{name}.tif", "roles": ["data"]}},
            }
            for name in names
        ]
        path = tmp_path / f"{collection}.json"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return path

    for collection in ("c", "other"):
        for name in ("1", "2", "3"):
            write_scene(tmp_path / f"{collection}-{name}.tif", scene_pixels(64, 64, seed=int(name)))
        made = encode(BACKBONE, write_catalogue(collection, "123"), archive=tmp_path / "ar", tile=32, **SMALL)
    assert made["items"] == 24
    # Gone from the catalogue, of which the second is there still; and of another collection.
    (tmp_path / "c-1.tif").unlink()
    (tmp_path / "other-1.tif").unlink()
    catalogue = write_catalogue("c", "3")
    assert counts(encode(BACKBONE, catalogue, archive=tmp_path / "ar", tile=32))["gone"] == 4
    assert counts(encode(BACKBONE, catalogue, archive=tmp_path / "ar", tile=32, prune=True))["pruned"] == 4
    assert {scene for _, scene in Archive.open(tmp_path / "ar").files()} == {
        *("c/2/data", "c/3/data"),
        *("other/1/data", "other/2/data", "other/3/data"),
    }


def test_no_server_is_asked_that_an_archive_alone_names(monkeypatch):
    asked = []
    monkeypatch.setattr(gone_files, "is_gone", lambda path: asked.append(path) or True)
    held = {(f"https://{host}/{name}.tif", f"c/{name}/data"): 1 for host in ("own", "other") for name in "12"}
    found = gone_files._missing(held, [("scene", "c/")], {"https://own/1.tif"})
    assert asked == ["https://own/2.tif"]
    assert (found.files, found.unknown) == ({"https://own/2.tif": 1}, 2)


def test_at_an_address(images, tmp_path):
    fsspec = pytest.importorskip("fsspec", reason="Addresses are read by fsspec")
    pytest.importorskip("upath", reason="Addresses are read by universal_pathlib")
    memory, at = fsspec.filesystem("memory"), f"memory://{tmp_path.name}"
    memory.put(str(images), f"{at}/images", recursive=True)
    memory.put(str(images), f"{at}/images2", recursive=True)
    for folder in ("images", "images2"):
        encode(BACKBONE, f"{at}/{folder}", archive=f"{at}/ar", **SMALL)
        memory.rm(f"{at}/{folder}/a/0000.png")
    found = encode(BACKBONE, f"{at}/images/", archive=f"{at}/ar", prune=True)
    assert counts(found) == {"items": 39, "pruned": 1, "gone": 0, "unknown": 0}
    assert encode(BACKBONE, f"{at}/images2", archive=f"{at}/ar")["gone"] == 1


def test_only_the_image_source_that_is_meant_loses_items(tmp_path):
    archive = Archive.create(tmp_path / "ar", Identity("a" * 64, 64))
    rows = tile_rows(random_codes(6), path=["x", "x", "y", "y", None, "x"])
    for part in (rows.slice(0, 3), rows.slice(3)):
        archive.append(part)
    archive.append(tile_rows(random_codes(6), path=["x"] * 6), "other")
    assert archive.files() == {("x", None): 3, ("y", None): 2}
    assert remove_files(archive, {"x", "z"}, "image") == 3
    assert archive.files() == {("y", None): 2}
    assert archive.files("other") == {("x", None): 6}
    np.testing.assert_array_equal(archive.codes("image").codes.shape, (3, 8))


def test_a_folder_that_cannot_be_read_is_named_and_its_items_stay(images, monkeypatch, capfd):
    run = command_line(monkeypatch, capfd)
    (images / "a" / "0000.png").unlink()
    (images / "c").symlink_to(images / "a")
    refuse_folder(monkeypatch, "b", errno.EACCES)
    how = ("encode", BACKBONE, images, "--archive", images.parent / "ar", "--quiet", "--prune")
    status, _, error = run(*how)
    assert (status, error) == (2, f"keras-dhnn: Cannot read {images}/b: Permission denied.\n")
    assert len(paths(images.parent / "ar")) == 20
    status, out, error = run(*how, "--skip-damaged")
    assert (status, error.splitlines()) == (
        0,
        [
            f"left out: {images}/b: cannot be read (Permission denied); no item is taken out while it cannot",
            f"left out: {images}/c: is a link to a folder, which is not followed: name it itself",
        ],
    )
    assert out.splitlines()[1] == "1 items are of files that are no longer there (--prune removes them)."
    assert len(paths(images.parent / "ar")) == 20
    monkeypatch.undo()
    encode(BACKBONE, images, archive=images.parent / "ar", prune=True, **SMALL)
    assert paths(images.parent / "ar") == listed(images)
