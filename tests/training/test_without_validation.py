"""Classes too small to hold an item out: refused with what helps, and trained without on request."""

import numpy as np
import pytest

from keras_dhnn.errors import SettingError
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.training.train import train
from tests.fakes import make_coloured_dataset
from tests.tiny_training import TINY

PAIRS = TINY.override("data.protocol=grouped", "data.queries=0.5", "data.turns=1", "fine_tune.epochs=3")


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    """Twelve classes of two images."""
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "made", count=24, classes=12)


def test_what_helps_is_said_and_helps(info, tmp_path):
    split = draw_split(PAIRS.data, 0, info)
    assert len(split.validation) == 0
    with pytest.raises(SettingError, match=r"12 items are queries, 12 are the database.*--set data.validation=0$"):
        train(PAIRS, info, split, tmp_path / "a")
    without = PAIRS.override("data.validation=0")
    trained = train(without, info, draw_split(without.data, 0, info), tmp_path / "b")
    history = trained.history["fine_tune"]
    assert "val_map" not in history
    assert history["distinct_codes"][-1] >= 1
    assert np.isfinite(history["loss"]).all()
    kept = train(without, info, split, tmp_path / "b")  # what stands on disk is the last epoch
    np.testing.assert_array_equal(kept.outputs["image"], trained.outputs["image"])
