import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.config import Experiment
from keras_dhnn.models.weights_file import save_weights
from keras_dhnn.training import network
from keras_dhnn.training.loading import load_network
from keras_dhnn.training.network import Network
from tests.fakes import make_coloured_dataset

SETTINGS = ("model.backbone=sat4_cnn", "model.bits=8", "model.hidden=0", "head.epochs=0", "data.image_size=16")


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "coloured")


@pytest.fixture(scope="module")
def pixels(info):
    """(n, H, W, C) of all items."""
    stored = tf.data.TFRecordDataset([str(info.directory / shard.file) for shard in info.shards])
    features = [tf.train.Example.FromString(record.numpy()).features.feature for record in stored]
    images = {
        f["index"].int64_list.value[0]: np.frombuffer(f["image/image"].bytes_list.value[0], np.uint8) for f in features
    }
    return np.stack([images[i].reshape(16, 16, 3) for i in range(info.count)])


def test_images_are_normalised_by_mean_and_variance_of_the_database(info, pixels):
    database = np.arange(5, 30)
    experiment = Experiment().override(*SETTINGS, "data.turns=1")
    backbone = Network(experiment, info, database).model.backbone
    np.testing.assert_allclose(backbone.mean, pixels[database].mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(backbone.variance, pixels[database].var((0, 1, 2)), rtol=1e-6)


def test_quarter_turns_change_nothing(info, pixels):
    database = np.arange(4 * 5, 4 * 30)
    backbone = Network(Experiment().override(*SETTINGS), info, database).model.backbone
    np.testing.assert_allclose(backbone.mean, pixels[5:30].mean((0, 1, 2)), rtol=1e-6)


def test_a_large_database_is_sampled_from_end_to_end(info, pixels, monkeypatch):
    monkeypatch.setattr(network, "STATISTICS_ITEMS", 5)
    experiment = Experiment().override(*SETTINGS, "data.turns=1")
    backbone = Network(experiment, info, np.arange(29)).model.backbone
    np.testing.assert_allclose(backbone.mean, pixels[[0, 7, 14, 21, 28]].mean((0, 1, 2)), rtol=1e-6)


def test_normalisation_is_stored_with_the_model(info, tmp_path):
    experiment = Experiment().override(*SETTINGS)
    model = Network(experiment, info, np.arange(100)).model
    save_weights(model, tmp_path / "weights.npz")
    loaded = load_network(tmp_path / "weights.npz", experiment, info)
    assert loaded.backbone.mean == model.backbone.mean
    images = {"image": np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)}
    np.testing.assert_array_equal(loaded(images)["image"], model(images)["image"])
