import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.config import Experiment
from keras_dhnn.pipelines.batches import batches
from keras_dhnn.runtimes import encoder
from keras_dhnn.training import activations, cache, encode
from keras_dhnn.training.activations import Activations, compute_activations
from keras_dhnn.training.growing_array import GrowingArray
from keras_dhnn.training.network import Network
from tests.fakes import make_coloured_dataset, tiny_backbone

CUTS = ("features", "stage1")


@pytest.fixture
def info(tmp_path):
    return make_coloured_dataset(tmp_path / "coloured")


@pytest.fixture(scope="module")
def backbone():
    return tiny_backbone((16, 16, 3))


def compute(backbone, info, cuts=CUTS, **how):
    return compute_activations(backbone, list(cuts), info, 4, "image", (16, 16), **how)


def all_images(info):
    return np.concatenate([images["image"] for images, _ in batches(info, np.arange(4 * info.count), batch_size=50)])


def test_activations_are_what_the_layers_give_for_every_item(info, backbone):
    found = compute(backbone, info)
    stage = tf.keras.Model(backbone.input, backbone.get_layer("stage1").output)
    images = all_images(info)
    assert found["features"].dtype == np.float32
    assert found["stage1"].dtype == np.float16
    np.testing.assert_allclose(found["features"], backbone(images), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["stage1"], stage(images), rtol=1e-3, atol=1e-3)


def test_what_is_kept_is_not_computed_again(info, backbone, monkeypatch):
    first = compute(backbone, info, ["features"])
    made = []
    original = activations.below_cuts
    monkeypatch.setattr(activations, "below_cuts", lambda *args: made.append(args[1]) or original(*args))
    np.testing.assert_array_equal(compute(backbone, info)["features"], first["features"])
    compute(backbone, info)
    assert made == [["stage1"]]


def test_a_killed_pass_goes_on_where_it_was(info, backbone, monkeypatch):
    monkeypatch.setattr(encoder, "VALUES", 2 * 16 * 16 * 3)  # batches of 8
    whole = compute(backbone, info)
    cache.clear(info.directory.parent)
    passed, encoded = [], []

    def killed(done, note=""):
        passed.append(done)
        if len(passed) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute(backbone, info, progress=killed)
    original = encode._write

    def counted(places, missing, outputs_from, report):
        return original(places, missing, lambda first: encoded.append(first) or outputs_from(first), report)

    monkeypatch.setattr(encode, "_write", counted)
    resumed = compute(backbone, info)
    assert encoded == [passed[-1]]
    assert passed[-1] > 0
    for cut in CUTS:
        np.testing.assert_array_equal(resumed[cut], whole[cut])


def test_another_setting_of_a_layer_without_weights_is_another_network(info):
    """A fault of earlier versions: a custom backbone with another `Rescaling` was given the features of the first."""

    def scaled(offset):
        images = tf.keras.Input((16, 16, 3))
        x = tf.keras.layers.Rescaling(1 / 127.5, offset)(images)
        return tf.keras.Model(images, tf.keras.layers.GlobalAveragePooling2D()(x), name="custom")

    one, other = (compute(scaled(offset), info, ["features"])["features"] for offset in (-1.0, 0.0))
    np.testing.assert_allclose(one, other - 1, atol=1e-5)


def test_batches_are_the_same_from_memory_and_from_the_file(info, backbone, monkeypatch):
    arrays = {"image": compute(backbone, info)["stage1"]}
    labels = np.repeat(info.labels, 4)
    how = {"batch_size": 10, "seed": 3}
    expected = list(Activations(arrays, labels).batches(np.arange(40), **how))
    monkeypatch.setattr(activations, "IN_MEMORY", 0)
    found = list(Activations(arrays, labels).batches(np.arange(40), **how))
    for (one, targets), (other, others) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
        np.testing.assert_array_equal(targets["label"], others["label"])


def test_batches_in_order_are_those_of_the_pipeline_as_often_as_they_are_read(info, backbone, monkeypatch):
    arrays = {"image": compute(backbone, info)["features"]}
    labels, items = np.repeat(info.labels, 4), np.array([7, 3, 3, 0, 12, 5, 1])
    in_memory = Activations(arrays, labels).batches(items, batch_size=3)
    monkeypatch.setattr(activations, "IN_MEMORY", 0)
    pipeline = Activations(arrays, labels).batches(items, batch_size=3)
    assert not isinstance(in_memory, tf.data.Dataset)
    assert isinstance(pipeline, tf.data.Dataset)
    for _ in range(2):
        for (one, targets), (other, others) in zip(in_memory, pipeline, strict=True):
            np.testing.assert_array_equal(one["image"], other["image"])
            for name in ("label", "index"):
                np.testing.assert_array_equal(targets[name], others[name])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_mean_and_variance_are_numpys_to_the_last_bit(dtype, rows, monkeypatch):
    random = np.random.default_rng(0)
    array = (100 + random.normal(size=(1200, 33)) * 10.0 ** random.integers(-3, 3, 33)).astype(dtype)
    items = random.permutation(len(array))[:rows]
    monkeypatch.setattr(activations, "_BLOCK", 40 * 33 * 8)
    mean, variance = activations.mean_and_variance(array, items)
    np.testing.assert_array_equal(mean, array[items].astype(np.float64).mean(axis=0))
    np.testing.assert_array_equal(variance, array[items].astype(np.float64).var(axis=0))


def test_statistics_of_many_rows_need_little_memory():
    array = np.zeros((20_000, 500), np.float16)
    tracemalloc.start()
    activations.mean_and_variance(array, np.arange(len(array)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * activations._BLOCK  # in one piece they would be 80 MB, and twice that


def test_above_the_limit_nothing_is_kept_and_training_runs_the_layers(info, backbone, monkeypatch):
    nbytes = 4 * info.count * 16 * 4
    monkeypatch.setenv(cache.LIMIT, str(1.5 * nbytes / 2**30))
    found = compute(backbone, info)
    assert found["features"] is not None
    assert found["stage1"] is None


def test_scaled_bands_are_below_every_cut(tmp_path):
    info = make_coloured_dataset(tmp_path / "coloured")
    experiment = Experiment().override(
        "data.image_size=16",
        "model.backbone=tests.fakes:tiny_backbone",
        "model.hidden=0",
        "fine_tune.epochs=1",
        "fine_tune.cut=stage1",
    )
    scaling = {"image": {"low": [10.0] * 3, "high": [200.0] * 3}}
    scaled = replace(info, origin={**info.origin, "scaling": scaling})
    network = Network(experiment, scaled, np.arange(100))
    below, _ = network.model.above("stage1")
    expected = below(all_images(info)).numpy()
    np.testing.assert_allclose(network._activations["image", "stage1"], expected, rtol=2e-3, atol=2e-3)


def test_a_pass_goes_on_that_was_killed_between_two_arrays(info, backbone, monkeypatch):
    monkeypatch.setattr(encoder, "VALUES", 2 * 16 * 16 * 3)  # batches of 8
    whole = compute(backbone, info)
    cache.clear(info.directory.parent)
    original, appended = GrowingArray.append, []

    def killed(self, rows):
        original(self, rows)
        appended.append(self)
        if len(appended) == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(GrowingArray, "append", killed)
        with pytest.raises(KeyboardInterrupt):
            compute(backbone, info)
    assert len({array.done for array in appended}) == 2
    resumed = compute(backbone, info)
    for cut in CUTS:
        np.testing.assert_array_equal(resumed[cut], whole[cut])


def test_damaged_activations_are_computed_anew(info, backbone, caplog):
    whole = compute(backbone, info)
    path = Path(whole["features"].filename)
    content = path.read_bytes()
    path.unlink()  # what is mapped stays
    path.write_bytes(content[:300])
    again = compute(backbone, info)
    np.testing.assert_array_equal(again["features"], whole["features"])
    assert path.read_bytes() == content
    assert f"{path} is damaged" in caplog.text
