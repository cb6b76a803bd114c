"""Learning bits from the first tiles, with a network that only passes pixels on."""

import weakref
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("duckdb", reason="needs keras-dhnn[scale]")

from keras_dhnn.archive import Identity
from keras_dhnn.archive.tiles import Form
from keras_dhnn.archive.tiles.tile import Tile
from keras_dhnn.errors import DataError
from keras_dhnn.workflows.archive_encoder import learn, open_backbone
from keras_dhnn.workflows.archive_network import NetworkEncoder


def outputs(batches):
    for images in batches:
        yield images.reshape(len(images), -1).astype(np.float32), None


def test_learning_says_how_far_it_is():
    rng, reached = np.random.default_rng(0), []
    tiles = [Tile(str(number), number, rng.integers(0, 255, (8, 8, 3), np.uint8)) for number in range(10)]
    network = SimpleNamespace(batch=4, outputs=outputs)
    encoder = NetworkEncoder(Identity("a" * 64, 8), Form(8, 8, 3, "uint8"), network)
    _, read, queries = learn(encoder, iter(tiles), "pixels", 8, 0, reached.append)
    assert reached == [4, 8, 10]
    assert queries.codes.shape == (10, 1)
    assert [(tile.id, tile.image) for tile in read] == [(tile.id, None) for tile in tiles]


class Pixels(np.ndarray):
    """An array that a `WeakSet` may hold, which asks for hashes."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


@pytest.fixture
def made():
    """`tiles(count)`: an iterator of tiles, and a list to which it adds how many of their arrays are in memory."""
    alive, most = weakref.WeakSet(), []

    def tiles(count, dtype=np.uint8):
        for number in range(count):
            image = np.full((8, 8, 3), number * 100, dtype).view(Pixels)
            image[::2, ::2] += np.arange(3, dtype=dtype)
            alive.add(image)
            most.append(len(alive))
            yield Tile(str(number), number, image)
            del image

    return tiles, most


def test_learning_holds_the_pixels_of_a_batch(made):
    tiles, most = made
    network = SimpleNamespace(batch=4, outputs=outputs)
    encoder = NetworkEncoder(Identity("a" * 64, 8), Form(8, 8, 3, "uint8"), network)
    _, read, _ = learn(encoder, tiles(60, np.uint16), "pixels", 8, 0)
    assert len(read) == len(most) == 60
    assert max(most) <= 2 * 4


def test_the_range_of_values_is_measured_without_holding_images(made):
    tiles, most = made
    encoder = open_backbone("tests.fakes:tiny_backbone", Form(32, 32, 3, "uint16"), tiles(60, np.uint16), bits=8)
    assert len(most) == 60
    assert max(most) <= 2
    scaling = encoder.identity.encoder["scaling"]
    values = np.array([100 * number + np.arange(3) for number in range(60)])
    assert np.all(np.array(scaling["low"]) <= np.percentile(values, 5, axis=0))
    assert np.all(np.array(scaling["high"]) >= np.percentile(values, 95, axis=0))


def test_images_of_8_bits_are_not_looked_at(made):
    tiles, most = made
    encoder = open_backbone("tests.fakes:tiny_backbone", Form(32, 32, 3, "uint8"), tiles(5), bits=8)
    assert encoder.identity.encoder["scaling"] is None
    assert most == []


def test_no_image_to_learn_from_is_said(made):
    network = SimpleNamespace(batch=4, outputs=outputs)
    encoder = NetworkEncoder(Identity("a" * 64, 8), Form(8, 8, 3, "uint8"), network)
    for attempt in (
        lambda: learn(encoder, iter([]), "pixels", 8, 0),
        lambda: open_backbone("tests.fakes:tiny_backbone", Form(32, 32, 3, "uint16"), iter([]), bits=8),
    ):
        with pytest.raises(DataError, match="There is no image to learn from: all files are damaged or empty"):
            attempt()
