from types import SimpleNamespace

import pytest
import tensorflow as tf

from keras_dhnn.training.callbacks.resumable import ResumableState


def test_a_state_that_cannot_be_written_is_the_systems_error(tmp_path):
    """Not one of TensorFlow's, which for a full disk is the same as for want of memory."""
    (tmp_path / "epoch-0.index" / "in-the-way").mkdir(parents=True)
    state = ResumableState(tmp_path, validation=None)
    state.model = SimpleNamespace(
        parts={"head": tf.Module()}, optimizer=tf.keras.optimizers.Adam(), bank=None, stop_training=False
    )
    with pytest.raises(OSError, match=r"epoch-0 cannot be written: "):
        state.write(0)
