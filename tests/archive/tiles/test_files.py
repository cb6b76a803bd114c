"""Which files a folder holds for `encode` and `search`."""

import errno
import os

import pytest

from keras_dhnn.archive.tiles import Skipped, list_images
from keras_dhnn.errors import DataError
from tests.refusing import refuse_folder


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder `in` of images at several depths, and one beside it; it is where the process is."""
    for name in (
        "in/b.png",
        "in/a/x.TIF",
        "in/a/deep/y.jpg",
        "in/a/notes.md",
        "in/.hidden/z.png",
        "in/.c.png",
        "out/o.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["in"], ["in/a/deep/y.jpg", "in/a/x.TIF", "in/b.png"]),
        (["in/"], ["in/a/deep/y.jpg", "in/a/x.TIF", "in/b.png"]),
        (["./in", "in/b.png", "out"], ["in/a/deep/y.jpg", "in/a/x.TIF", "in/b.png", "out/o.png"]),
        (["."], ["in/a/deep/y.jpg", "in/a/x.TIF", "in/b.png", "out/o.png"]),
    ],
)
def test_images_of_folders_by_name(tree, given, expected):
    assert list_images(given) == expected
    assert list_images([tree / "in"]) == [f"{tree}/{name}" for name in ("in/a/deep/y.jpg", "in/a/x.TIF", "in/b.png")]


@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE, errno.EIO])
def test_a_folder_that_cannot_be_read_is_not_passed_over(tree, monkeypatch, number):
    refuse_folder(monkeypatch, "deep", number)
    with pytest.raises(DataError, match=rf"^Cannot read in/a/deep: {os.strerror(number)}\.$"):
        list_images(["in"])
    unread = []
    assert list_images(["in"], unread=unread) == ["in/a/x.TIF", "in/b.png"]
    assert unread == [
        Skipped("in/a/deep", f"cannot be read ({os.strerror(number)}); no item is taken out while it cannot")
    ]
    with pytest.raises(DataError, match="^Cannot read in/a/deep: "):
        list_images(["in/a/deep"], unread=[])


def test_links_to_folders_are_named_and_followed_if_they_are_named(tree):
    (tree / "in" / "linked").symlink_to(tree / "out")
    (tree / "in" / "a" / "up").symlink_to(tree / "in")
    (tree / "in" / "file.png").symlink_to(tree / "out" / "o.png")
    (tree / "in" / "nowhere.png").symlink_to(tree / "not there")
    links = []
    found = list_images(["in"], links=links)
    assert found == ["in/a/deep/y.jpg", "in/a/x.TIF", "in/b.png", "in/file.png", "in/nowhere.png"]
    reason = "is a link to a folder, which is not followed: name it itself"
    assert sorted(links, key=lambda one: one.name) == [Skipped("in/a/up", reason), Skipped("in/linked", reason)]
    assert list_images(["in/linked"]) == ["in/linked/o.png"]
    (tree / "only").mkdir()
    (tree / "only" / "linked").symlink_to(tree / "out")
    with pytest.raises(DataError, match="no image in the folder only.*not followed: name only/linked itself"):
        list_images(["only"])
