import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.experiment.presets import load_preset
from keras_dhnn.models.weights_file import save_weights
from keras_dhnn.pipelines.batches import batches
from keras_dhnn.pipelines.splits import make_split
from keras_dhnn.training.loading import load_network
from keras_dhnn.training.network import Network
from keras_dhnn.training.train import compile_phase, train
from tests.fakes import make_dataset

SAT4 = load_preset("sat4").override("model.bits=16")


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "sat4", count=24, images={"image": ((28, 28, 4), "uint8")})[0]


def make(info, precision):
    tf.keras.utils.set_random_seed(0)
    return Network(SAT4.override(f"training.precision={precision}"), info, np.arange(info.count))


def encode(network):
    return network.encode("images", np.arange(network.info.count), "")["image"]


def test_bfloat16_computes_in_it_above_float32_weights(info):
    model = make(info, "bfloat16").model
    layers = [*model.backbone.layers, *model.head.layers]
    computed = {
        layer.name: layer.compute_dtype for layer in layers if not isinstance(layer, tf.keras.layers.InputLayer)
    }
    exact = {name for name, dtype in computed.items() if dtype == "float32"}
    assert exact == {"normalization", "hash"}
    assert [tensor.dtype for tensor in (*model.inputs, *model.head.inputs)] == [tf.float32, tf.float32]
    assert {computed[name] for name in ("conv1", "conv2", "conv3", "fc4", "fc5")} == {"bfloat16"}
    assert {tf.as_dtype(weights.dtype) for weights in model.trainable_weights} == {tf.float32}
    assert model.outputs[0].dtype == tf.float32
    assert tf.keras.mixed_precision.global_policy().name == "float32"


def test_bfloat16_outputs_are_those_of_float32_to_its_digits(info):
    """8 significant bits: 0.4 % an operation, of which there are six in a row."""
    exact, rounded = (encode(make(info, precision)) for precision in ("float32", "bfloat16"))
    difference = np.abs(exact - rounded).max() / np.abs(exact).max()
    assert 0 < difference < 0.03


def test_bfloat16_trains(info):
    network = make(info, "bfloat16")
    model, make_batches = network.above("images")
    compile_phase(model, network, np.arange(info.count), "fine_tune", 30)
    data = make_batches(np.arange(info.count), batch_size=24, seed=0, epochs=range(30), drop_remainder=True)
    losses = model.fit(data, epochs=30, steps_per_epoch=1, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_what_training_in_bfloat16_leaves_is_float32(info, tmp_path):
    """The model, saved and loaded, gives the outputs that the run's codes are made of."""
    experiment = SAT4.override("training.precision=bfloat16", "training.batch_size=8", "fine_tune.epochs=2")
    split = make_split(info.labels, protocol="paper", seed=0, queries=4, validation=0.2, turns=1)
    trained = train(experiment, info, split, tmp_path / "state")
    assert {layer.compute_dtype for layer in trained.model.backbone.layers} == {"float32"}
    save_weights(trained.model, tmp_path / "weights.npz")
    loaded = load_network(tmp_path / "weights.npz", experiment, info)
    images = next(iter(batches(info, np.arange(info.count), batch_size=info.count, turns=1)))[0]
    np.testing.assert_allclose(loaded(images)["image"], trained.outputs["image"], atol=1e-5)
    assert np.abs(trained.outputs["image"] - trained.untrained["image"]).max() > 0.01
