"""Test which files of a folder are images by their names."""

import os

import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.formats.image_names import is_image, unreadable_folder, walk_images


def test_names():
    assert [is_image(name) for name in ("a.PNG", "b.tiff", "c.jp2", "d.txt", "png", ".tif")] == [True] * 3 + [
        False,
        False,
        True,
    ]


def test_walk(tmp_path, monkeypatch):
    for name in ("b/deep/x.tif", "a.png", "notes.txt", ".hidden.png", ".thumbs/y.png", "b/z.JPG", "folder.png/in.bmp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "b")
    (tmp_path / "file.png").symlink_to(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    links, refused = [], []
    found = sorted(walk_images(".", links, refused))
    assert found == ["a.png", "b/deep/x.tif", "b/z.JPG", "file.png", "folder.png/in.bmp"]
    assert (links, refused) == (["link"], [])
    assert sorted(walk_images("b/", links, refused)) == ["b/deep/x.tif", "b/z.JPG"]


def test_what_cannot_be_read_is_named(tmp_path):
    links, refused = [], []
    (tmp_path / "a.png").touch()
    assert list(walk_images(f"{tmp_path}/none", links, refused)) == []
    os.symlink("loop", tmp_path / "loop")
    assert list(walk_images(tmp_path.as_posix(), links, refused)) == [f"{tmp_path}/a.png"]
    assert [os.path.basename(error.filename) for error in refused] == ["none", "loop"]
    with pytest.raises(DataError, match="Cannot read .*none: No such file or directory."):
        raise unreadable_folder(refused[0])
