"""What is asked of the room of activations stands in tests/training/test_cache.py, of conversions in tests/runtimes."""

import os
from pathlib import Path

import pytest

from keras_dhnn.files.room import files_in, make_room


@pytest.fixture
def folder(tmp_path):
    for name, time in (("new", 3), ("old", 1), ("middle", 2)):
        (tmp_path / name).write_bytes(bytes(1000))
        os.utime(tmp_path / name, (time, time))
    (tmp_path / "below").mkdir()
    return tmp_path


def sizes(folder):
    return {path.name: stat.st_size for path, stat in files_in(folder).items()}


def test_files_are_listed_with_their_sizes_and_folders_are_not(folder):
    assert sizes(folder) == {"new": 1000, "old": 1000, "middle": 1000}
    assert files_in(folder / "nowhere") == {}


@pytest.mark.parametrize(
    ("nbytes", "most", "left"),
    [
        (0, 3000, {"new", "middle", "old"}),
        (1, 3000, {"new", "middle"}),
        (1000, 2999, {"new"}),
        (2999, 2999, set()),
        (3000, 2999, {"new", "middle", "old"}),
    ],
)
def test_the_oldest_go_until_there_is_room(folder, nbytes, most, left):
    assert make_room(folder, nbytes, most) == (nbytes <= most)
    assert set(sizes(folder)) == left


def test_what_another_process_removes_meanwhile_is_passed_over(folder, monkeypatch):
    there = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: there(path) and (path.name != "old" or path.unlink() is None))
    assert set(sizes(folder)) == {"new", "middle"}
