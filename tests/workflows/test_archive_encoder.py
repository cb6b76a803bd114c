"""Learning bits from the first tiles, with a network that only passes pixels on."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("duckdb", reason="needs keras-dhnn[scale]")

from keras_dhnn.archive import Identity
from keras_dhnn.archive.tiles import Form
from keras_dhnn.archive.tiles.tile import Tile
from keras_dhnn.workflows.archive_encoder import learn
from keras_dhnn.workflows.archive_network import NetworkEncoder


def outputs(batches):
    for images in batches:
        yield images.reshape(len(images), -1).astype(np.float32), None


def test_learning_says_how_far_it_is():
    rng, reached = np.random.default_rng(0), []
    tiles = [Tile(str(number), number, rng.integers(0, 255, (8, 8, 3), np.uint8)) for number in range(10)]
    network = SimpleNamespace(batch=4, outputs=outputs)
    encoder = NetworkEncoder(Identity("a" * 64, 8), Form(8, 8, 3, "uint8"), network)
    _, queries = learn(encoder, tiles, "pixels", 8, 0, reached.append)
    assert reached == [4, 8, 10]
    assert queries.codes.shape == (10, 1)
