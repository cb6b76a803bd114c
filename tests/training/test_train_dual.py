"""Training of two sources: the same path as of one, so only what differs is tested here."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.evaluation.scores import expected_map
from keras_dhnn.training.network import Network
from keras_dhnn.training.train import compile_phase, train
from tests.dual import make_dual_dataset
from tests.tiny_training import TINY, assert_resumes_to_the_same, split_tiny, write_every_epoch

HEADS = TINY.override("head.epochs=8", "head.learning_rate=0.02")
SCRATCH = TINY.override("fine_tune.learning_rate=0.01", "fine_tune.backbone_learning_rate=0.01", "fine_tune.epochs=20")
ALTERNATING = SCRATCH.override("training.update=alternating")
MIXED = SCRATCH.override("fine_tune.cut=pan=features,mul=images")


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_dual_dataset(tmp_path_factory.mktemp("data") / "dual")


@pytest.fixture(scope="module")
def split(info):
    return split_tiny(info)


@pytest.fixture(autouse=True)
def _a_state_every_epoch(monkeypatch):
    write_every_epoch(monkeypatch)


@pytest.mark.parametrize(
    "experiment", [HEADS, SCRATCH, ALTERNATING, MIXED], ids=["heads", "joint", "alternating", "mixed"]
)
def test_training_learns_across_sources(experiment, info, split, tmp_path):
    trained = train(experiment, info, split, tmp_path)
    labels = np.repeat(info.true_labels, 4)
    before, after = (expected_map(outputs, labels, split) for outputs in (trained.untrained, trained.outputs))
    assert after > before + 0.3
    assert {source: outputs.shape for source, outputs in trained.outputs.items()} == {
        "pan": (144, 16),
        "mul": (144, 16),
    }


def test_one_branch_has_the_whole_phase_if_no_pass_is_given(info, split):
    network = Network(ALTERNATING, info, split.database)
    model, _ = network.above("images")
    compile_phase(model, network, split.fitting, "fine_tune", steps=6)
    turns = [int(model.bank.next_turn()) for _ in range(12)]
    assert turns == [0] * 6 + [1] * 6


def test_every_term_and_both_directions_are_in_the_history(info, split, tmp_path):
    history = train(HEADS, info, split, tmp_path).history["head"]
    for name in ("loss", "inter_source", "intra_source", "quantization", "balance"):
        assert np.isfinite(history[name]).all()
    both = np.mean([history["val_map_pan_to_mul"], history["val_map_mul_to_pan"]], axis=0)
    np.testing.assert_allclose(history["val_map"], both)


@pytest.mark.parametrize(
    ("experiment", "phase"),
    [
        (HEADS, "head"),
        (ALTERNATING.override("fine_tune.epochs=4"), "fine_tune"),
        (HEADS.override("model.dropout=0.3"), "head"),
        (ALTERNATING.override("fine_tune.epochs=4", "model.dropout=0.3"), "fine_tune"),
    ],
    ids=["joint", "alternating", "joint-dropout", "alternating-dropout"],
)
def test_killed_and_resumed_equals_uninterrupted(experiment, phase, info, split, tmp_path, monkeypatch):
    assert_resumes_to_the_same(experiment, phase, 2, info, split, tmp_path, monkeypatch)


def test_a_branch_on_cached_features_keeps_its_backbone_while_the_other_is_trained(info, split, tmp_path):
    tf.keras.utils.set_random_seed(MIXED.seed)
    start = {
        source: branch.backbone.get_weights()
        for source, branch in Network(MIXED, info, split.database).branches.items()
    }
    trained = train(MIXED.override("fine_tune.epochs=2"), info, split, tmp_path).model.branches
    moved = {
        source: max(np.abs(a - b).max() for a, b in zip(start[source], branch.backbone.get_weights(), strict=True))
        for source, branch in trained.items()
    }
    assert moved["pan"] == 0
    assert moved["mul"] > 1e-3


def test_mixed_batches_are_the_images_and_features_of_the_same_items(info, split):
    network = Network(MIXED, info, split.database)
    _, make_batches = network.above(MIXED.fine_tune.cut)
    images, targets = next(iter(make_batches(split.fitting, batch_size=8, seed=3, drop_remainder=True)))
    np.testing.assert_array_equal(images["pan"], network.features["pan"][targets["index"]])
    assert images["mul"].shape == (8, 8, 8, 3)


def test_sources_may_be_seen_at_sizes_of_their_own(info, split):
    network = Network(HEADS.override("data.image_size=pan=12,mul=10"), info, split.database)
    assert {s: branch.backbone.input_shape for s, branch in network.branches.items()} == {
        "pan": (None, 12, 12, 1),
        "mul": (None, 10, 10, 3),
    }
    with pytest.raises(ValueError, match=r"data.image_size.*and so for mul: mul=VALUE"):
        Network(HEADS.override("data.image_size=pan=12"), info, split.database)


@pytest.mark.parametrize(
    ("setting", "message"),
    [("training.update=both", "joint or alternating"), ("loss.pairs=memory", "training.update=alternating")],
)
def test_settings_without_a_meaning_are_refused(setting, message, info, split, tmp_path):
    with pytest.raises(ValueError, match=message):
        train(HEADS.override(setting), info, split, tmp_path)
