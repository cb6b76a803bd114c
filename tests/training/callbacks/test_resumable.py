import errno
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.backend import KERAS
from keras_dhnn.runs import RunError
from keras_dhnn.training.callbacks.resumable import ResumableState

_BEFORE = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")
_watching = []


def _audit(event, arguments):
    if _watching and event in _BEFORE:
        _watching[-1](event, arguments)


sys.addaudithook(_audit)


class Trainer:
    """A model of one number, and what a validation knows of it, that is written and restored."""

    def __init__(self, folder):
        self.weight = tf.Variable([0.0])
        head = tf.Module()
        head.weight = self.weight
        self.model = SimpleNamespace(training_state=lambda: {"head": head}, stop_training=False)
        self.validation = SimpleNamespace(best=0.0, best_epoch=-1, improved_epoch=-1, best_weights=None)
        self.state = ResumableState(folder, self.validation)
        self.state.set_model(self.model)

    def write(self, epoch):
        """The end of an epoch, all of whose values are the epoch's number."""
        self.weight.assign([float(epoch)])
        self.validation.best, self.validation.best_epoch = float(epoch), epoch
        self.validation.best_weights = [np.array([float(epoch)])]
        self.state.history = {"loss": list(range(epoch + 1))}
        self.state.write(epoch)

    def restored(self):
        """Number of the epoch whose state was found, -1 if there is none; all parts of it must be of that epoch."""
        epoch = self.state.restore(self.model) - 1
        if epoch >= 0:
            parts = (self.weight.numpy()[0], self.validation.best, *self.validation.best_weights[0])
            assert parts == (epoch, epoch, epoch)
            assert self.state.history == {"loss": list(range(epoch + 1))}
        return epoch


def moments_of_a_write(trainer, folder, copies):
    """The folder as a kill would leave it, at every moment of the write of epoch 1 that Python can see."""
    found = []

    def copy(event, arguments):
        if str(arguments[0]).startswith(str(folder)):
            _watching.append(lambda *_: None)
            found.append(shutil.copytree(folder, copies / str(len(found)), symlinks=True))
            _watching.pop()

    _watching.append(copy)
    try:
        trainer.write(1)
    finally:
        _watching.pop()
    return found


def killed_inside_tensorflow(folder, copies):
    """The folder as TensorFlow leaves it when it is killed inside a write: part of the files, or none but its own."""
    whole = folder / "epoch-1"
    for number, missing in enumerate((["weights.index"], ["weights.index", "best.npz"], ["best.npz"])):
        copy = shutil.copytree(folder, copies / f"tensorflow-{number}")
        (copy / "epoch-1").rename(copy / ".epoch-1.preparing")
        for name in missing:
            (copy / ".epoch-1.preparing" / name).unlink(missing_ok=True)
        temporary = copy / ".epoch-1.preparing" / "weights_temp"
        temporary.mkdir()
        shutil.copy(whole / "weights.data-00000-of-00001", temporary / "part-00000-of-00001.data")
        (copy / "state.json").unlink()
        yield copy


def test_a_kill_at_any_moment_of_a_write_leaves_a_whole_state(tmp_path):
    folder = tmp_path / "head"
    trainer = Trainer(folder)
    trainer.write(0)
    moments = moments_of_a_write(trainer, folder, tmp_path / "moments")
    assert len(moments) > 10
    found = [Trainer(copy).restored() for copy in moments]
    assert found == sorted(found), "the newer state, once it is there, stays"
    assert set(found) == {0, 1}
    for copy in moments:
        _goes_on(copy)


def test_what_tensorflow_leaves_of_a_write_is_not_in_the_way(tmp_path):
    folder = tmp_path / "head"
    Trainer(folder).write(1)
    for copy in killed_inside_tensorflow(folder, tmp_path / "moments"):
        assert Trainer(copy).restored() == -1
        _goes_on(copy)


@pytest.mark.parametrize("left", ["epoch-0_temp", "epoch-1_temp", "epoch-1", ".epoch-1.preparing", ".epoch-1.replaced"])
def test_leftovers_of_killed_writes_are_gone_with_the_next(tmp_path, left):
    trainer = Trainer(tmp_path)
    trainer.write(0)
    (tmp_path / left).mkdir()
    (tmp_path / left / "part").write_bytes(b"part")
    _goes_on(tmp_path)


def _goes_on(folder):
    """A trainer that continues in `folder` writes, is restored, and leaves nothing but its state."""
    again = Trainer(folder)
    again.restored()
    again.write(1)
    again.write(2)
    assert Trainer(folder).restored() == 2
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-2", "state.json"]


def test_states_of_before_there_were_folders_are_restored(tmp_path):
    trainer = Trainer(tmp_path)
    trainer.write(1)
    for path in (tmp_path / "epoch-1").iterdir():
        path.rename(tmp_path / path.name.replace("weights", "epoch-1"))
    (tmp_path / "epoch-1").rmdir()
    state = tmp_path / "state.json"
    text = state.read_text(encoding="utf-8").replace("epoch-1/weights", "epoch-1")
    state.write_text(text, encoding="utf-8")
    assert Trainer(tmp_path).restored() == 1
    Trainer(tmp_path).write(2)
    assert Trainer(tmp_path).restored() == 2


def test_a_state_that_cannot_be_written_is_the_systems_error(tmp_path):
    """Not one of TensorFlow's, which for a full disk is the same as for want of memory."""
    trainer = Trainer(tmp_path)

    def full(path):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.train.Checkpoint, "write", lambda self, path: full(path))
        with pytest.raises(OSError, match="No space left") as raised:
            trainer.write(0)
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_state_of_the_other_lane_is_refused_in_one_line(tmp_path):
    Trainer(tmp_path).write(0)
    path, other = tmp_path / "state.json", {2: 3, 3: 2}[KERAS]
    path.write_text(path.read_text(encoding="utf-8").replace(f'"keras": {KERAS}', f'"keras": {other}'))
    with pytest.raises(RunError, match=rf"begun with Keras {other}, this is Keras {KERAS}") as raised:
        Trainer(tmp_path).restored()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["weights.index", "weights.data-00000-of-00001", "best.npz"])
@pytest.mark.parametrize("damage", ["flipped", "short", "empty", "gone"])
def test_a_damaged_state_is_named(tmp_path, name, damage):
    Trainer(tmp_path).write(0)
    path = tmp_path / "epoch-0" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 3 :: 40] = bytes(255 - byte for byte in content[len(content) // 3 :: 40])
    path.write_bytes({"flipped": content, "short": content[: len(content) // 2]}.get(damage, b""))
    if damage == "gone":
        path.unlink()
    with pytest.raises(RunError, match="training state in .* is damaged"):
        Trainer(tmp_path).restored()
