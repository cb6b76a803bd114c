"""Hash layers that start at class codes: the closed form, and codes that are right before the first step."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from keras_dhnn.codes import binarize
from keras_dhnn.config import Model
from keras_dhnn.losses.centres import hash_centres
from keras_dhnn.training.guided_start import _RIDGE, is_guided, regression, start_at_centres
from keras_dhnn.training.network import Network
from keras_dhnn.training.train import train
from tests.dual import make_dual_dataset
from tests.tiny_training import TINY, assert_resumes_to_the_same, split_tiny, write_every_epoch

HEADS = TINY.override("head.epochs=4", "head.learning_rate=0.01", "model.hidden=16", "model.start=centres")


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_dual_dataset(tmp_path_factory.mktemp("data") / "dual")


def test_regression_is_scikit_learns():
    random = np.random.default_rng(0)
    inputs, targets = random.normal(3, 2, (50, 6)), random.choice([-1.0, 1.0], (50, 4))
    kernel, bias = regression(inputs, targets)
    weight = _RIDGE * np.var(inputs, axis=0).mean() * 50
    expected = Ridge(weight).fit(inputs, targets)
    np.testing.assert_allclose(kernel, expected.coef_.T, atol=1e-5)
    np.testing.assert_allclose(bias, expected.intercept_, atol=1e-5)


@pytest.mark.parametrize(
    ("start", "bits", "guided"),
    [("random", 8, False), ("centres", 64, True), ("auto", 16, True), ("auto", 24, False)],
)
def test_auto_guides_where_there_are_fewer_bits_than_classes(start, bits, guided):
    info = SimpleNamespace(classes=("class",) * 21)
    assert is_guided(Model(start=start, bits=bits), info) == guided


def test_both_sources_start_near_the_codes_of_their_classes(info):
    split = split_tiny(info)
    network = Network(HEADS, info, split.database)
    model, make_batches = network.above("features")
    start_at_centres(list(model.branches.values()), make_batches, split.fitting, network.labels)
    codes = hash_centres(3, 16)[network.labels[split.fitting]]
    for outputs in network.encode("features", split.fitting, "").values():
        assert (binarize(outputs) == codes).mean() > 0.85


def test_training_starts_there_once_and_resumes_to_the_same(info, tmp_path, monkeypatch):
    write_every_epoch(monkeypatch)
    split = split_tiny(info)
    random = train(HEADS.override("model.start=random"), info, split, tmp_path / "random")
    guided = train(HEADS, info, split, tmp_path / "guided")
    assert guided.history["head"]["loss"][0] < random.history["head"]["loss"][0]
    assert_resumes_to_the_same(HEADS, "head", 2, info, split, tmp_path, monkeypatch)
