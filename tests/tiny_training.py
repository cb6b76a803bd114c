"""What tests of training share: a small experiment, its split, and training that is killed and resumed."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.config import Experiment
from keras_dhnn.pipelines.splits import make_split
from keras_dhnn.training.callbacks.resumable import ResumableState
from keras_dhnn.training.train import train

TINY = Experiment().override(
    "data.image_size=0",
    "data.validation=0.2",
    "model.backbone=tests.fakes:tiny_backbone",
    "model.bits=16",
    "model.hidden=0",
    "training.batch_size=24",
    "loss.pair_weighting=balanced",
    "head.epochs=0",
    "fine_tune.epochs=0",
)


def split_tiny(info):
    return make_split(info.labels, protocol="grouped", seed=0, queries=0.25, validation=0.2)


def write_every_epoch(monkeypatch):
    """States are written at the end of each epoch, however little time went by."""
    original = ResumableState.__init__
    monkeypatch.setattr(
        ResumableState, "__init__", lambda self, *args, **how: original(self, *args, seconds=0.0, **how)
    )


def assert_resumes_to_the_same(experiment, phase, killed_after, info, split, folder, monkeypatch):
    """Training that is killed in an epoch and started again ends as training that was not: outputs and history."""
    tf.config.experimental.enable_op_determinism()
    whole = train(experiment, info, split, folder / "whole")
    original = ResumableState.on_epoch_end

    def kill(self, epoch, logs=None):
        if epoch == killed_after and self.folder.name == phase:
            raise KeyboardInterrupt
        original(self, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(ResumableState, "on_epoch_end", kill)
        with pytest.raises(KeyboardInterrupt):
            train(experiment, info, split, folder / "killed")
    resumed = train(experiment, info, split, folder / "killed")
    assert resumed.history == whole.history
    for source, outputs in whole.outputs.items():
        np.testing.assert_array_equal(resumed.outputs[source], outputs)
    for one, other in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
