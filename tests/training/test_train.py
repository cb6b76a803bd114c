from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import keras_dhnn.training.train as training
from keras_dhnn.backend import NEWEST
from keras_dhnn.codes import pack
from keras_dhnn.errors import CollapseError, DataError
from keras_dhnn.evaluation.scores import expected_map
from keras_dhnn.metrics.ranking import mean_average_precision
from keras_dhnn.training.callbacks import validation
from keras_dhnn.training.network import Network
from keras_dhnn.training.train import train
from tests.fakes import make_coloured_dataset
from tests.tiny_training import TINY, assert_resumes_to_the_same, split_tiny, write_every_epoch

BASE = TINY.override("data.image_size=16")
HEAD = BASE.override("head.epochs=6", "head.learning_rate=0.01")
BOTH = HEAD.override("fine_tune.epochs=4", "fine_tune.cut=stage1", "fine_tune.backbone_learning_rate=0.01")
SCRATCH = BASE.override(
    "fine_tune.epochs=6",
    "fine_tune.learning_rate=0.01",
    "fine_tune.backbone_learning_rate=0.01",
    "augmentation.flips=true",
)
NOISY = SCRATCH.override("model.backbone=tests.fakes:noisy_backbone")
MEMORY = SCRATCH.override("loss.pairs=memory", "augmentation.flips=false")


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "coloured")


@pytest.fixture(scope="module")
def split(info):
    return split_tiny(info)


@pytest.fixture(autouse=True)
def _a_state_every_epoch(monkeypatch):
    write_every_epoch(monkeypatch)


def labels_of(info):
    return np.repeat(info.labels, 4)


LONGER = [
    HEAD,
    BOTH,
    SCRATCH.override("fine_tune.epochs=25"),
    MEMORY.override("fine_tune.epochs=40"),
]


@pytest.mark.parametrize("experiment", LONGER, ids=["head", "both", "scratch", "memory"])
def test_training_learns(experiment, info, split, tmp_path):
    trained = train(experiment, info, split, tmp_path)
    before, after = (expected_map(outputs, labels_of(info), split) for outputs in (trained.untrained, trained.outputs))
    assert after > before + 0.05
    assert after > 0.9


def test_states_are_not_written_where_a_link_leads(info, split, tmp_path):
    precious = tmp_path / "precious" / "epoch-7"
    precious.mkdir(parents=True)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "head").symlink_to(precious.parent)
    with pytest.raises(DataError, match="head is a link"):
        train(HEAD, info, split, tmp_path / "checkpoints")
    assert list(precious.parent.iterdir()) == [precious]


def test_outputs_are_the_models_for_every_item(info, split, tmp_path):
    trained = train(BOTH, info, split, tmp_path)
    network = Network(BOTH, info, split.database)
    batches = network._image_batches(np.arange(4 * info.count), batch_size=50)
    outputs = np.concatenate([trained.model(images)["image"] for images, _ in batches])
    np.testing.assert_allclose(trained.outputs["image"], outputs, atol=2e-2)  # activations at a cut are float16


@pytest.mark.parametrize("batch", [5, 7, 24])
def test_every_epoch_trains_as_many_steps(batch, info, split, tmp_path, monkeypatch):
    """Keras 3 does not cut several steps at an epoch's end: later epochs trained nothing, and logged loss 0.0."""
    models, compile_phase = [], training.compile_phase
    monkeypatch.setattr(
        training, "compile_phase", lambda model, *how: models.append(model) or compile_phase(model, *how)
    )
    history = train(HEAD.override(f"training.batch_size={batch}"), info, split, tmp_path).history["head"]
    steps = len(split.fitting) // batch
    assert int(models[0].optimizer.iterations.numpy()) == 6 * steps
    assert min(history["loss"]) > 0


@pytest.mark.parametrize(("steps", "together"), [(1, 1), (12, 12), (47, 47), (67, 1), (100, 50), (128, 64)])
def test_steps_started_together_divide_an_epoch(steps, together, info, split):
    network = Network(HEAD, info, split.database)
    above, _ = network.above("features")
    assert training._steps_per_execution([above], steps) == together


def test_several_replicas_of_keras_3_start_one_step_at_a_time():
    branch = SimpleNamespace(
        backbone=SimpleNamespace(trainable_weights=[]), distribute_strategy=SimpleNamespace(num_replicas_in_sync=2)
    )
    assert training._steps_per_execution([branch], 12) == (1 if NEWEST else 12)


def test_history_has_a_value_for_each_epoch(info, split, tmp_path):
    experiment = HEAD.override("training.validate_every=4")
    history = train(experiment, info, split, tmp_path).history["head"]
    assert {len(values) for values in history.values()} == {6}
    assert [value is not None for value in history["val_map"]] == [False, False, False, True, False, True]
    for name in ("loss", "pairwise", "quantization"):
        assert np.isfinite(history[name]).all()


@pytest.mark.parametrize(
    ("experiment", "killed_after"),
    [(BOTH, 1), (SCRATCH, 3), pytest.param(MEMORY, 1, marks=pytest.mark.slow)],
    ids=["both", "scratch", "memory"],
)
def test_killed_and_resumed_equals_uninterrupted(experiment, killed_after, info, split, tmp_path, monkeypatch):
    assert_resumes_to_the_same(experiment, "fine_tune", killed_after, info, split, tmp_path, monkeypatch)


def test_resuming_a_finished_phase_does_not_train_again(info, split, tmp_path, monkeypatch):
    whole = train(HEAD, info, split, tmp_path)
    monkeypatch.setattr(tf.keras.Model, "fit", lambda *args, **kwargs: pytest.fail("trained again"))
    np.testing.assert_array_equal(train(HEAD, info, split, tmp_path).outputs["image"], whole.outputs["image"])


def test_patience_stops_early_and_stays_stopped(info, split, tmp_path):
    experiment = HEAD.override("head.epochs=50", "head.learning_rate=1e-30", "training.patience=2")
    first = train(experiment, info, split, tmp_path)
    assert len(first.history["head"]["loss"]) == 3
    assert len(train(experiment, info, split, tmp_path).history["head"]["loss"]) == 3


def test_best_validated_epoch_is_kept(info, split, tmp_path):
    experiment = SCRATCH.override("fine_tune.epochs=10")
    trained = train(experiment, info, split, tmp_path)
    labels, held_out = labels_of(info), split.validation
    fitting = split.fitting
    codes = pack(trained.outputs["image"])
    score = mean_average_precision(codes[held_out], codes[fitting], labels[held_out], labels[fitting]).expected
    assert score == pytest.approx(max(trained.history["fine_tune"]["val_map"]), abs=0.02)


def test_an_image_that_is_held_out_in_all_its_turns_is_one(info, split, tmp_path, monkeypatch):
    tolerances = []

    class Recorded(validation.ValidationMAP):
        def __init__(self, *arguments, **how):
            super().__init__(*arguments, **how)
            tolerances.append(self.tolerance)

    monkeypatch.setattr(training, "ValidationMAP", Recorded)
    monkeypatch.setattr(validation, "MOST_TOLERANCE", 1.0)
    train(HEAD.override("head.epochs=1"), info, split, tmp_path)
    assert tolerances == [4 / len(split.validation)]


def test_collapse_is_noticed(info, split, tmp_path):
    experiment = SCRATCH.override("training.optimizer=sgd", "fine_tune.learning_rate=1e8")
    with pytest.raises(CollapseError, match="smaller learning rate"):
        train(experiment, info, split, tmp_path)


def test_a_backbone_that_is_frozen_below_the_cut_keeps_its_weights(info, split, tmp_path):
    tf.keras.utils.set_random_seed(BOTH.seed)
    start = Network(BOTH, info, split.database).model.backbone.get_layer("stage1").get_weights()
    trained = train(BOTH, info, split, tmp_path).model.backbone
    for one, other in zip(start, trained.get_layer("stage1").get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_later_phases_cut_is_checked_before_the_first_is_trained(info, split, tmp_path):
    with pytest.raises(ValueError, match="stage1"):
        train(BOTH.override("fine_tune.cut=stage9"), info, split, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_pause_between_validations_is_measured_and_leaves_no_trace(info, split, tmp_path):
    experiment = HEAD.override("training.validate_every=4", "training.patience=3")
    tf.config.experimental.enable_op_determinism()
    whole = train(experiment, info, split, tmp_path / "whole").history["head"]
    for epochs in (1, 1, 5):  # the second finds nothing to do
        paused = train(experiment, info, split, tmp_path / "parts", epochs=epochs, outputs=False).history["head"]
        assert [value is not None for value in paused["val_map"]] == [*[n == 3 for n in range(epochs - 1)], True]
        assert paused["distinct_codes"][-1] >= 1
    assert train(experiment, info, split, tmp_path / "parts").history["head"] == whole


@pytest.mark.parametrize(
    ("experiment", "pauses"),
    [
        (BOTH, (2,)),
        (BOTH, (6,)),
        (BOTH, (3, 8)),
        (BOTH.override("model.dropout=0.3"), (2, 8)),
        (NOISY, (1, 3)),
    ],
    ids=["head", "between", "both", "dropout", "noisy-backbone"],
)
def test_paused_and_continued_equals_uninterrupted(experiment, pauses, info, split, tmp_path):
    tf.config.experimental.enable_op_determinism()
    whole = train(experiment, info, split, tmp_path / "whole")
    for epochs in pauses:
        paused = train(experiment, info, split, tmp_path / "parts", epochs=epochs, outputs=False)
        assert sum(len(phase["loss"]) for phase in paused.history.values()) == epochs
        assert paused.outputs is paused.untrained is None
    parts = train(experiment, info, split, tmp_path / "parts")
    np.testing.assert_array_equal(parts.outputs["image"], whole.outputs["image"])
    assert parts.history == whole.history
