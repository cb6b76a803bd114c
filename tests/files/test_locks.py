"""Locks, and what goes on without them where a file system has none."""

import errno
import fcntl
import os

import numpy as np
import pytest

from keras_dhnn.archive.manifest import locked
from keras_dhnn.browse.searches import Searches
from keras_dhnn.files import locks
from keras_dhnn.files.folders import atomic_folder
from keras_dhnn.files.locks import lock
from keras_dhnn.files.owner import OWNER, owned
from keras_dhnn.training.growing_array import GrowingArray

NO_LOCKS = [errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK]


@pytest.fixture
def answers(monkeypatch):
    """Has the file system answer an error to whoever locks."""
    monkeypatch.setattr(locks, "_said", [])

    def have(number):
        def flock(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", flock)

    return have


@pytest.fixture
def file(tmp_path):
    with open(tmp_path / "file", "ab") as opened:
        yield opened


@pytest.mark.parametrize("number", NO_LOCKS)
@pytest.mark.parametrize("wait", [False, True])
def test_where_there_are_no_locks_work_goes_on_and_that_is_said_once(answers, file, caplog, number, wait):
    answers(number)
    lock(file.fileno(), wait=wait)
    lock(file.fileno(), wait=wait)
    (said,) = caplog.messages
    assert said.startswith(f"The file system has no locks ({os.strerror(number)})")


def test_another_error_is_raised_as_it_is(answers, file):
    answers(errno.EIO)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        lock(file.fileno())


def test_a_lock_that_another_has_is_not_taken(file, caplog):
    lock(file.fileno())
    with open(file.name, "ab") as again, pytest.raises(BlockingIOError):
        lock(again.fileno())
    assert caplog.messages == []


@pytest.mark.parametrize("number", NO_LOCKS)
def test_whatever_locks_goes_on_without(answers, tmp_path, number):
    answers(number)
    with atomic_folder(tmp_path / "folder") as hidden:
        (hidden / "a").write_text("a", encoding="utf-8")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["a"]
    with owned(tmp_path):
        assert f'"process": {os.getpid()}' in (tmp_path / OWNER).read_text(encoding="utf-8")
    with locked(tmp_path):
        pass
    array = GrowingArray(tmp_path / "rows.npy", (2, 3), np.float32)
    with array.own() as begun:
        assert begun
        array.append(np.arange(6, dtype=np.float32).reshape(2, 3))
        array.finish()
    np.testing.assert_array_equal(np.load(tmp_path / "rows.npy"), np.arange(6).reshape(2, 3))
    searches = Searches(tmp_path / "searches")
    searches.create("lakes", "image")
    assert searches.get("lakes").name == "lakes"
