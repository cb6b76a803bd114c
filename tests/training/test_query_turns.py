"""Queries seen in all quarter turns: scores, `query` and exports by one rule, against turning pictures by hand."""

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.archive.tiles.tile import Tile
from keras_dhnn.codes import hamming_distances, pack
from keras_dhnn.errors import SettingError
from keras_dhnn.pipelines.batches import resize
from keras_dhnn.pipelines.splits import Split, make_split
from keras_dhnn.pipelines.store.stored_images import read_images
from keras_dhnn.training.loading import load_model
from keras_dhnn.training.query_turns import check_query_turns, over_turns, turned_queries
from keras_dhnn.training.train import train
from keras_dhnn.workflows.archive_encoder import learn, open_model
from keras_dhnn.workflows.export import export_run
from keras_dhnn.workflows.query import RunSearch
from tests.fakes import make_coloured_dataset
from tests.saved_models.serving.tiny_run import SIDE, hash_outputs, write_run
from tests.tiny_training import TINY, split_tiny

TURNED = "model.query_turns=4"


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "coloured")


@pytest.fixture(scope="module")
def run(tmp_path_factory, info):
    return write_run(tmp_path_factory.mktemp("runs") / "turned", info, settings=(TURNED,))


@pytest.mark.parametrize("protocol", ["grouped", "standard", "paper"])
def test_outputs_of_queries_are_means_over_their_images(protocol):
    labels = np.repeat([0, 1], 6)
    split = make_split(labels, protocol=protocol, seed=0, queries=0.25, validation=0)
    outputs = np.random.default_rng(0).standard_normal((48, 8)).astype(np.float32)
    found = turned_queries(outputs, split)
    for item in range(48):
        averaged = item in split.queries and protocol != "paper"
        expected = outputs[4 * (item // 4) : 4 * (item // 4) + 4].mean(axis=0) if averaged else outputs[item]
        np.testing.assert_allclose(found[item], expected, atol=1e-6)
    assert not np.shares_memory(found, outputs) or protocol == "paper"


def test_network_of_queries_is_the_mean_over_turned_images():
    images = np.random.default_rng(0).standard_normal((3, 5, 5, 2)).astype(np.float32)
    weights = np.random.default_rng(1).standard_normal((50, 4)).astype(np.float32)

    def network(pixels):
        return tf.nn.relu(tf.reshape(pixels, (-1, 50)) @ weights)

    expected = np.mean([network(np.rot90(images, k, axes=(1, 2)).copy()) for k in range(4)], axis=0)
    found = over_turns(network, 4)
    np.testing.assert_allclose(found(images), expected, rtol=1e-5)
    np.testing.assert_allclose(found(np.rot90(images, axes=(1, 2)).copy()), expected, rtol=1e-5)
    assert over_turns(network, 1) is network


def test_what_cannot_be_turned_is_refused():
    check_query_turns(TINY, {"image": (16, 12)})
    with pytest.raises(SettingError, match=r"not square .*16, 12.*[Rr]eceived: 4"):
        check_query_turns(TINY.override(TURNED), {"image": (16, 12)})
    with pytest.raises(SettingError, match=r"data\.turns=4 beside model\.query_turns=4"):
        check_query_turns(TINY.override(TURNED, "data.turns=1"), {"image": (16, 16)})


def test_training_averages_the_queries_outputs_alone(info, tmp_path):
    split, head = split_tiny(info), TINY.override("head.epochs=1", "data.image_size=16")
    one = train(head, info, split, tmp_path / "one")
    turned = train(head.override(TURNED), info, split, tmp_path / "turned")
    for name in ("untrained", "outputs"):
        found, plain = getattr(turned, name)["image"], getattr(one, name)["image"]
        np.testing.assert_allclose(found, turned_queries(plain, split), atol=1e-4)
        assert np.abs(found - plain)[split.queries].max() > 1e-3


def _answers_by_hand(run, info, images):
    """What searching by these pictures finds: codes of their mean outputs over turns, and distances to the database."""
    model = load_model(run, info)
    turns = [hash_outputs(model, np.rot90(images, k, axes=(1, 2)).copy()) for k in range(4)]
    codes = pack(np.mean(turns, axis=0))
    return codes, np.sort(
        hamming_distances(codes, run.load_codes()["codes"][Split.load(run.split_path).database]), axis=1
    )


def test_query_and_export_see_queries_in_all_turns(run, info):
    images = np.stack([image for _, image in read_images(info, np.arange(6), "image")])
    codes, distances = _answers_by_hand(run, info, images)
    one_turn = pack(hash_outputs(load_model(run, info), images))
    assert (codes != one_turn).any()
    found = RunSearch(run, info).search(images, 5)
    assert [[one["distance"] for one in of_one] for of_one in found] == distances[:, :5].tolist()
    signatures = tf.saved_model.load(str(export_run(run, info, name="turned", warmup=False))).signatures
    pixels = tf.constant(images)
    answered = signatures["search_uint8"](images=pixels, k=tf.constant(5))
    np.testing.assert_array_equal(answered["codes"], codes)
    np.testing.assert_array_equal(answered["distances"], distances[:, :5])
    np.testing.assert_array_equal(signatures["encode_uint8"](images=pixels)["codes"], one_turn)


def test_an_archive_turns_what_searches_and_not_what_is_searched(run, info):
    images = np.stack([image for _, image in read_images(info, np.arange(6), "image")])
    codes, _ = _answers_by_hand(run, info, images)
    model = load_model(run, info)
    one_turn = pack(hash_outputs(model, images))
    features = [model.backbone(resize(np.rot90(images, k, axes=(1, 2)).copy(), (SIDE, SIDE))) for k in range(4)]
    of_run, _ = open_model(run.path, data=info.directory.parent, features=4)
    of_run, *_ = learn(of_run, [Tile(str(number), number, image) for number, image in enumerate(images)], None, 16, 4)
    of_export, _ = open_model(export_run(run, info, name="searching", warmup=False))
    for encoder in (of_run, of_export):
        np.testing.assert_array_equal(encoder.encode(images).codes, codes)
        (filled,) = encoder.stream([images])
        np.testing.assert_array_equal(filled.codes, one_turn)
    centred = np.mean(features, axis=0) - of_run.learned["features_mean"]
    expected = centred @ of_run.learned["features_directions"]
    np.testing.assert_allclose(of_run.encode(images).features, expected, rtol=1e-4, atol=1e-4)
