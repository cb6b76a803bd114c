import errno
import os
import shutil
import time

import pytest

from keras_dhnn.files import (
    atomic_folder,
    mark_used,
    naming,
    system_error,
    whole,
    whole_file,
    write_text,
    writing,
)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_whole_file_is_not_written_through_a_planted_link(tmp_path, precious, link):
    link(precious / "thesis.tex", tmp_path / ".metrics.json.partial")
    write_text(tmp_path / "metrics.json", "new")
    assert (precious / "thesis.tex").read_text() == "years of work"
    assert (tmp_path / "metrics.json").read_text() == "new"


def test_a_file_whose_writing_fails_stays_as_it_was(tmp_path):
    write_text(tmp_path / "a", "old ä")
    with pytest.raises(TypeError), whole_file(tmp_path / "a") as file:
        file.writelines([b"half", None])
    assert (tmp_path / "a").read_bytes() == "old ä".encode()
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    (tmp_path / ".made.partial" / "left").mkdir(parents=True)  # by a run that was killed
    with pytest.raises(FileNotFoundError), whole(tmp_path / "made") as partial:
        (partial / "no folder" / "file").touch()
    with pytest.raises(FileExistsError), whole(tmp_path / "made") as partial:
        [partial.mkdir() for _ in range(2)]
    assert list(tmp_path.iterdir()) == []
    with whole(tmp_path / "made") as partial:
        partial.mkdir()
        (partial / "file").write_text("content")
        assert not (tmp_path / "made").exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["made", "file"]


def test_processes_that_make_the_same_file_do_not_meet(tmp_path, monkeypatch):
    path = tmp_path / "shared"
    with whole_file(path, shared=True) as ours:
        ours.write(b"ours, ")
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: 1)
            with whole_file(path, shared=True) as theirs:
                theirs.write(b"theirs")
        assert path.read_bytes() == b"theirs"
        ours.write(b"whole")
    assert path.read_bytes() == b"ours, whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        return open("/dev/full", "wb")

    monkeypatch.setattr(writing, "open", full, raising=False)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(tmp_path / "a", "text")
    assert caught.value.filename == str(tmp_path / "a")


def test_a_full_disk_names_the_folder_that_it_was_to_become(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught, atomic_folder(tmp_path / "a"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.filename == str(tmp_path / "a")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("{{node SaveV2}} w/part-0; No space left on device [Op:SaveV2]", errno.ENOSPC),
        ("w/part-0; Permission denied", errno.EACCES),
        ("Data loss", errno.EIO),
    ],
)
def test_what_a_library_tells_in_words_is_the_systems_error(tmp_path, message, number):
    error = system_error(message, tmp_path / "a")
    assert (error.errno, error.filename) == (number, str(tmp_path / "a"))
    assert error.strerror == (message if number == errno.EIO else os.strerror(number))


def test_what_a_library_calls_the_systems_error_gets_its_number_and_the_file(tmp_path):
    """As `shutil.copytree` and rasterio do: an OSError of words."""
    with pytest.raises(OSError, match="No space left") as caught, naming(tmp_path / "a"):
        raise shutil.Error([("from", "to", "[Errno 28] No space left on device: 'to'")])
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "a"))
    with pytest.raises(shutil.Error, match="another"), naming(tmp_path / "a"):  # ours to mend: it stays what it is
        raise shutil.Error("another")


def test_a_used_file_is_the_newest_and_others_files_stay(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (1, 1))
    mark_used(tmp_path / "a")
    assert time.time() - (tmp_path / "a").stat().st_mtime < 60
    assert (tmp_path / "b").stat().st_mtime == 1

    def refused(path):
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    # The superuser, who may run tests, is refused nothing.
    monkeypatch.setattr("keras_dhnn.files.writing.os.utime", refused)
    mark_used(tmp_path / "b")
    monkeypatch.undo()
    with pytest.raises(FileNotFoundError):
        mark_used(tmp_path / "gone")
