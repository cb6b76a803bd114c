"""What TensorBoard is told while a run trains, and what becomes of it on a full disk."""

import errno
from types import SimpleNamespace

import pytest

from keras_dhnn.training.callbacks.tensorboard import TensorBoardLog
from tests.full_disk import full_disk


@pytest.mark.parametrize("begun", [False, True])
def test_a_full_disk_is_the_systems_error_and_names_the_folder(tmp_path, begun):
    log = TensorBoardLog(tmp_path / "logs", SimpleNamespace(outputs={}))
    if begun:
        log.on_train_begin()

    def train() -> None:
        if not begun:
            log.on_train_begin()
        log.on_epoch_end(0, {"loss": 1.5})
        log.on_train_end()

    with full_disk(), pytest.raises(OSError, match="File too large") as caught:
        train()
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / "logs"))
