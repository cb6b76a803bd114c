import os
import subprocess
import sys
import threading

import pytest

from keras_dhnn.errors import DataError, RunError
from keras_dhnn.files.owner import OWNER, owned
from tests.full_disk import full_disk

HOLD = """
import sys, time
from pathlib import Path
from keras_dhnn.files.owner import owned
with owned(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_told_who_has_the_folder(tmp_path, other):
    with pytest.raises(RunError, match=rf"is being written by process {other.pid} on .*since 20"), owned(tmp_path):
        pass


def test_a_dead_process_has_nothing(tmp_path, other):
    other.kill()
    other.wait()
    with owned(tmp_path):
        assert f'"process": {os.getpid()}' in (tmp_path / OWNER).read_text(encoding="utf-8")


def test_one_may_wait_for_another(tmp_path, other, caplog):
    threading.Timer(0.3, other.kill).start()
    with owned(tmp_path, wait=True):
        assert other.wait(5) is not None
    assert f"process {other.pid}" in caplog.text
    assert "Waiting" in caplog.text


def test_within_one_process_too(tmp_path):
    with owned(tmp_path), pytest.raises(RunError, match=f"process {os.getpid()}"), owned(tmp_path):
        pass
    with owned(tmp_path):
        pass


def test_an_owner_that_is_not_readable_is_another_process(tmp_path):
    with owned(tmp_path):
        (tmp_path / OWNER).write_bytes(b"\xff{")
        with pytest.raises(RunError, match="written by another process"), owned(tmp_path):
            pass


def test_a_link_planted_as_the_owner_is_not_written_to(tmp_path):
    (tmp_path / "precious").write_text("precious", encoding="utf-8")
    (tmp_path / OWNER).symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic"), owned(tmp_path):
        pass
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "precious"


def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match="File too large") as caught, full_disk(), owned(tmp_path):
        pass
    assert caught.value.filename == str(tmp_path / OWNER)
    with owned(tmp_path):
        assert f'"process": {os.getpid()}' in (tmp_path / OWNER).read_text(encoding="utf-8")


def test_a_folder_with_a_link_in_it_is_not_written_to(tmp_path, precious):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "checkpoints").symlink_to(precious)
    with pytest.raises(DataError, match="checkpoints is a link"), owned(folder):
        pass
    with owned(folder, links=True):
        pass
