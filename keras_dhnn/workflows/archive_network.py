"""Make networks an archive's encoders: frozen, run by the fastest runtime that is installed."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.archive.learned import FEATURES_DIRECTIONS, FEATURES_MEAN, outputs_of
from keras_dhnn.archive.manifest import Identity
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.tiles.tile import Form
from keras_dhnn.pipelines.batches import resize
from keras_dhnn.runtimes import Encoder
from keras_dhnn.training.query_turns import over_turns


class Network:
    """Describe a frozen backbone, with a hash head or without, run by the fastest runtime that is installed.

    Args:
        backbone: functional model from images to features.
        head: model from features to hash outputs, or None.

    Attributes:
        batch: a good number of images at a time.
    """

    def __init__(self, backbone: tf.keras.Model, head: tf.keras.Model | None = None):
        self._backbone, self._head = backbone, None if head is None else tf.function(head, reduce_retracing=True)
        self._size = tuple(backbone.inputs[0].shape[1:3])
        self.expect(1)

    def expect(self, count: int, kept: Path | None = None) -> None:
        """Say how many images there will be, and where the converted network is kept: for many a conversion pays."""
        self._encoder = Encoder(self._backbone, count, kept=kept)
        self.batch = self._encoder.batch

    def outputs(self, batches: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yield `(features (b, d), outputs (b, l) or None)` of batches of images `(b, H, W, C)`."""
        for (features,) in self._encoder.outputs(self._resized(images) for images in batches):
            yield _features_and_outputs(self._above(features))

    def query_outputs(self, images: np.ndarray, turns: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Return what `outputs` yields, of images `(b, H, W, C)` that search: the means over their quarter turns."""
        network = over_turns(lambda turned: self._above(*self._encoder.encode(turned)), turns)
        return _features_and_outputs(network(self._resized(images)))

    def _above(self, features):
        return [features] if self._head is None else [features, self._head(features)]

    def _resized(self, images):
        return resize(images.astype(np.float32), self._size)


def _features_and_outputs(found):
    """Return what a network gave, with None for the outputs of one without a head."""
    features, outputs = (*map(np.asarray, found), None)[:2]
    return features, outputs


class NetworkEncoder:
    """Describe a network as `archive.encoding.Encoder`.

    Args:
        identity: the `Identity`.
        form: the `Form` of its images.
        network: the `Network`.
        learned: `{name: array}`: `mean` and `projection` make outputs of features where the network has no head,
            `features_mean` and `features_directions` the features that are kept beside codes; either pair may be
            missing.
        query_turns: quarter turns in which images that search are seen, see `over_turns`.
    """

    def __init__(
        self,
        identity: Identity,
        form: Form,
        network: Network,
        learned: dict[str, np.ndarray] | None = None,
        query_turns: int = 1,
    ):
        self.identity, self.form, self.network, self.learned = identity, form, network, learned or {}
        self.query_turns = query_turns

    @property
    def batch(self) -> int:
        """Return how many images it takes at a time."""
        return self.network.batch

    def expect(self, count: int, kept: Path | None = None) -> None:
        """Say how many images there will be; see `Network.expect`."""
        self.network.expect(count, kept)

    def stream(self, batches: Iterable[np.ndarray]) -> Iterator[Queries]:
        """Yield the `Queries` of batches of images `(b, H, W, C)`, in order."""
        for features, outputs in self.network.outputs(batches):
            yield self.from_network(features, outputs)

    def encode(self, images: np.ndarray) -> Queries:
        """Return the `Queries` of images `(b, H, W, C)` that search."""
        return self.from_network(*self.network.query_outputs(images, self.query_turns))

    def from_network(self, features: np.ndarray, outputs: np.ndarray | None) -> Queries:
        """Return the `Queries` of what the network gave."""
        if outputs is None:
            outputs = outputs_of(features, self.learned)
        kept = None
        if self.identity.features:
            kept = (features - self.learned[FEATURES_MEAN]) @ self.learned[FEATURES_DIRECTIONS]
        return Queries.from_outputs(outputs, kept)


class ExportEncoder:
    """Describe an exported model as `archive.encoding.Encoder`: codes, and outputs where it gives them.

    Args:
        identity: the `Identity`.
        form: the `Form` of its images.
        export: its `ImageEncoder` as loaded, which is held as a whole: its functions alone do not keep its variables
            alive. Of earlier days it has no outputs.
    """

    # Larger ones take fresh pages from the system for every tensor, which costs half of the time.
    batch = 4

    def __init__(self, identity: Identity, form: Form, export: Any):
        self.identity, self.form, self._export = identity, form, export

    def expect(self, count: int, kept: Path | None = None) -> None:
        """Take no notice: its graph is run by TensorFlow however many images there are."""

    def stream(self, batches: Iterable[np.ndarray]) -> Iterator[Queries]:
        """Yield the `Queries` of batches of images `(b, H, W, C)`, in order."""
        for images in batches:
            yield _by_export(self._export, images)

    def encode(self, images: np.ndarray) -> Queries:
        """Return the `Queries` of images `(b, H, W, C)` that search."""
        return _by_export(getattr(self._export, "searching", self._export), images)


def _by_export(encoder, images):
    pixels = tf.constant(images.astype(np.float32))
    if hasattr(encoder, "outputs"):
        return Queries.from_outputs(encoder.outputs(pixels).numpy())
    return Queries(encoder.encode(pixels).numpy())
