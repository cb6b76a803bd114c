import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.archive import Archive
from keras_dhnn.archive.tiles import files
from keras_dhnn.errors import DataError
from keras_dhnn.workflows.encode import encode
from keras_dhnn.workflows.folder_archive import OPTIONS, archive_of
from keras_dhnn.workflows.search import search
from tests.rasters import scene_pixels, write_scene
from tests.refusing import refuse_folder

BACKBONE = "tests.fakes:tiny_backbone"
STAY = "no item is taken out while it cannot"
SMALL = replace(OPTIONS, bits=8, size=32, features=4, fewer_bits=False)


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Twenty images in a tree, without classes; the user's cache is another folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for number in range(20):
        place = tmp_path / "images" / f"{2020 + number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        write_image(place / f"{number:02d}.png", rng)
    return tmp_path / "images"


def write_image(path, rng):
    Image.fromarray((rng.integers(0, 256, 3) * rng.random((32, 32, 1))).astype(np.uint8)).save(path)


def open_folder(folder, told=None):
    return archive_of(folder, backbone=BACKBONE, options=SMALL, say=(told if told is not None else []).append)


def ids(archive):
    return sorted(archive.rows(["id"])["id"].to_pylist())


def listed(folder):
    return sorted(str(path) for path in folder.resolve().rglob("*.png"))


def test_a_folder_is_encoded_once_and_left_as_it_was(images):
    told = []
    before = {path: path.stat().st_mtime_ns for path in images.rglob("*")}
    archive = open_folder(images, told)
    assert ids(archive) == listed(images)
    assert told == [f"20 images of {images}, encoded by {BACKBONE} without labels; kept in {archive.root}"]
    parts = archive.parts
    again = open_folder(images, told)
    assert again.parts == parts
    assert len(told) == 1
    assert {path: path.stat().st_mtime_ns for path in images.rglob("*")} == before


def test_it_follows_the_folder(images):
    before = open_folder(images).rows(["id", "content"]).to_pylist()
    rng = np.random.default_rng(1)
    changed, gone = sorted(images.rglob("*.png"))[:2]
    write_image(changed, rng)
    gone.unlink()
    write_image(images / "new.png", rng)
    archive = open_folder(images)
    assert ids(archive) == listed(images)
    after = archive.rows(["id", "content"]).to_pylist()
    assert {row["id"] for row in after if row not in before} == {
        str(path.resolve()) for path in (changed, images / "new.png")
    }


def test_the_same_pixels_are_one_image_in_whatever_file_and_what_has_a_place_is_cut(images):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    pixels = scene_pixels(512, 520)
    for name in ("same.png", "same.tif"):
        Image.fromarray(np.moveaxis(pixels, 0, -1)).save(images / name)
    write_scene(images / "placed.tif", pixels)
    archive = open_folder(images)
    folder = images.resolve()
    cut = {f"{folder}/placed.tif#256/{row:06d}/{col:06d}" for row in (0, 256) for col in (0, 256, 264)}
    assert set(ids(archive)) == {*listed(images), f"{folder}/same.tif"} | cut
    first, second = (archive.get([f"{folder}/{name}"], ["code0"]).to_pylist() for name in ("same.png", "same.tif"))
    assert first == second


def test_a_file_that_becomes_a_scene_or_ceases_to_be_one_is_what_it_is_now(images):
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'keras-dhnn[geo]'")
    path, pixels = images.resolve() / "x.tif", scene_pixels(256, 512)
    for is_placed in (False, True, False):
        if is_placed:
            write_scene(path, pixels)
        else:
            Image.fromarray(np.moveaxis(pixels, 0, -1)).save(path)
        tiles = [f"{path}#256/000000/{col:06d}" for col in (0, 256)] if is_placed else [str(path)]
        assert ids(open_folder(images)) == sorted(listed(images) + tiles)


def test_what_was_kept_by_other_rules_is_made_anew(images):
    root = open_folder(images).root
    made, told = (root / "archive.json").stat().st_mtime_ns, []
    listing = json.loads((root.parent / "listing.json").read_text())
    (root.parent / "listing.json").write_text(json.dumps({"files": listing["files"]}))
    assert ids(open_folder(images, told)) == listed(images)
    assert ((root / "archive.json").stat().st_mtime_ns > made, len(told)) == (True, 1)
    assert json.loads((root.parent / "listing.json").read_text()) == listing


def test_a_folder_that_changed_is_listed_once(images, monkeypatch):
    walked = []
    list_folder = files._in_folder
    monkeypatch.setattr(
        files, "_in_folder", lambda folder, *given: walked.append(folder) or list_folder(folder, *given)
    )
    open_folder(images)
    write_image(images / "new.png", np.random.default_rng(1))
    open_folder(images)
    assert walked == [images.resolve()] * 2


@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE])
def test_nothing_is_taken_out_while_a_folder_cannot_be_read(images, monkeypatch, number):
    before = ids(open_folder(images))
    gone = images / "2020" / "00.png"
    gone.unlink()
    write_image(images / "2020" / "new.png", np.random.default_rng(1))
    with monkeypatch.context() as patched:
        refuse_folder(patched, "2021", number)
        for _ in range(2):  # named each time, as long as it is so
            told = []
            archive = open_folder(images, told)
            assert ids(archive) == sorted([*before, str(images.resolve() / "2020" / "new.png")])
            assert told[0] == f"Left out: {images.resolve()}/2021 cannot be read ({os.strerror(number)}); {STAY}"
        strict = replace(SMALL, skip_damaged=False)
        with pytest.raises(DataError, match="Cannot read .*/2021: "):
            archive_of(images, backbone=BACKBONE, options=strict)
    assert ids(open_folder(images)) == listed(images)
    assert str(gone.resolve()) not in listed(images)


def test_an_archive_of_few_bits_is_not_made_anew_of_a_part_of_the_folder(images, monkeypatch):
    few = replace(SMALL, bits=64, fewer_bits=True)
    shutil.rmtree(images / "2020")
    assert archive_of(images, backbone=BACKBONE, options=few).identity.bits == 8
    for number in range(20, 30):
        write_image(images / f"{number}.png", np.random.default_rng(number))
    there = listed(images)
    with monkeypatch.context() as patched:
        refuse_folder(patched, "2021", errno.EIO)
        archive = archive_of(images, backbone=BACKBONE, options=few)
        assert (archive.identity.bits, ids(archive)) == (8, there)
    archive = archive_of(images, backbone=BACKBONE, options=few)
    assert (archive.identity.bits, ids(archive)) == (16, there)


def test_a_file_that_the_system_does_not_show_now_stays(images, monkeypatch):
    before = ids(open_folder(images))
    (images / "new.png").write_bytes((images / "2020" / "00.png").read_bytes())
    with monkeypatch.context() as patched:
        stat = os.stat

        def refuse(path, *given, **how):
            if str(path).endswith("2020/03.png"):
                raise OSError(errno.EIO, "Input/output error", str(path))
            return stat(path, *given, **how)

        patched.setattr(os, "stat", refuse)
        assert ids(open_folder(images)) == sorted([*before, str(images.resolve() / "new.png")])


def test_links_to_folders_are_named(images, tmp_path):
    (images / "linked").symlink_to(tmp_path)
    told = []
    assert ids(open_folder(images, told)) == listed(images)
    assert told[0].startswith(f"Left out: {images.resolve()}/linked is a link to a folder, which is not followed")


def test_damaged_files_are_named_and_left_out(images):
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    told = []
    assert len(ids(open_folder(images, told))) == 20
    assert told[0].startswith(f"Left out: {images.resolve() / 'broken.png'}")


def test_the_first_file_may_be_damaged_or_of_another_kind(images):
    (images / "0000.png").write_bytes(b"no image")
    Image.new("L", (32, 32)).save(images / "0001.png")
    told = []
    assert len(ids(open_folder(images, told))) == 20
    assert [text.split(" ")[2].rsplit("/", 1)[1] for text in told[:2]] == ["0000.png", "0001.png"]
    assert "has 1 band, not 3" in told[1]


def test_a_folder_of_damaged_files_is_not_told_of_options_that_there_are_not(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="None of 1 images can be read") as caught:
        open_folder(tmp_path / "images")
    assert "--" not in str(caught.value)


def test_of_few_images_as_many_bits_are_learned_as_can_be(images):
    options, told = replace(SMALL, bits=16, fewer_bits=True), []
    for path in sorted(images.rglob("*.png"))[14:]:
        path.unlink()
    how = {"backbone": BACKBONE, "options": options, "say": told.append}
    assert archive_of(images, **how).identity.bits == 8
    assert told[0] == "Codes have 8 bits: 16 are learned of 16 images or more."
    told.clear()
    for number in range(4):
        write_image(images / f"new{number}.png", np.random.default_rng(number))
    archive = archive_of(images, **how)
    assert (archive.identity.bits, ids(archive), len(told)) == (16, listed(images), 1)


def test_below_eight_images_it_is_said_how_many_are_needed(images):
    for path in sorted(images.rglob("*.png"))[7:]:
        path.unlink()
    options = replace(SMALL, bits=64, fewer_bits=True)
    with pytest.raises(DataError, match=r"at least 8 images, and .*Received 7 of 16. Give more images.$"):
        archive_of(images, backbone=BACKBONE, options=options, say=print)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="is no archive, and no folder of images. There is no image in the folder"):
        archive_of(tmp_path)
    with pytest.raises(DataError, match="There is no archive in"):
        archive_of(tmp_path / "nowhere")


def test_a_link_that_leads_nowhere_is_left_out_and_named(images):
    (images / "link.png").symlink_to(images / "gone.png")
    told = []
    archive = open_folder(images, told)
    assert len(ids(archive)) == 20
    assert told[0] == f"Left out: {images.resolve() / 'link.png'} cannot be read (No such file or directory)"
    write_image(images / "gone.png", np.random.default_rng(1))
    assert len(ids(open_folder(images))) == 22
    (images / "gone.png").unlink()
    assert len(ids(open_folder(images))) == 20


@pytest.mark.parametrize("kept", ["file", "read-only"])
def test_a_cache_that_cannot_be_written_is_said_before_anything_is_encoded(images, tmp_path, monkeypatch, kept):
    (tmp_path / "cache").write_text("") if kept == "file" else monkeypatch.setattr(
        "keras_dhnn.workflows.folder_archive.may_write", lambda folder: False
    )
    monkeypatch.setattr("keras_dhnn.workflows.folder_archive.encode_sorted", None)
    with pytest.raises(DataError, match=r"cache.* cannot be written: .*\. Set the environment variable XDG_CACHE_HOME"):
        open_folder(images)


def test_an_archive_is_opened_as_it_is(images, tmp_path):
    root = open_folder(images).root
    assert archive_of(root).root == Archive.open(root).root


def test_search_takes_a_folder_of_images(images, monkeypatch):
    """What is found is what the archive of the same images finds."""
    monkeypatch.setattr("keras_dhnn.workflows.search.archive_of", lambda place, **how: open_folder(place))
    path = listed(images)[7]
    archive = open_folder(images)
    expected = archive.search(archive.queries([path]), 5, rank="hamming").table["id"].to_pylist()
    assert [row["id"] for row in search(images, [path], k=5, rank="hamming")["results"]] == expected


def test_one_alone_is_a_list_of_one(images, monkeypatch):
    """A text is no list of letters, nor is a path one of nothing."""
    monkeypatch.setattr("keras_dhnn.workflows.search.archive_of", lambda place, **how: open_folder(place))
    path, other = listed(images)[:2]
    expected = search(images, [path])
    assert (search(images, path), search(images, Path(path))) == (expected, expected)
    assert search(images, like=path, unlike=other) == search(images, like=[path], unlike=[other])
    archive = open_folder(images)
    assert archive.queries(path).codes.tolist() == archive.queries([path]).codes.tolist()
    assert archive.get(path, "id")["id"].to_pylist() == [path]
    encoded = encode(BACKBONE, str(images), archive=images / "../ar", bits=8, size=32, features=4, scales=1)
    assert encoded["items"] == 20


def test_pictures_in_a_run_are_not_what_is_searched(images):
    (images / "experiment.json").write_text("{}")
    with pytest.raises(DataError, match="There is no archive .* It is a run"):
        open_folder(images)


def test_a_name_that_is_no_utf_8_is_left_out_and_said(images):
    try:
        write_image(images / "bad\udcff.png", np.random.default_rng(1))
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    told = []
    assert len(ids(open_folder(images, told))) == 20
    assert any("has a name that is not UTF-8" in text for text in told)
