"""A DHNN made by an experiment, and a data set as seen from any cut through it."""

import contextlib

import numpy as np
import tensorflow as tf

from keras_dhnn.activations import compute_activations
from keras_dhnn.encode import make_encoder
from keras_dhnn.models.backbones import build_backbone, is_pretrained
from keras_dhnn.models.band_scaling import scale_bands
from keras_dhnn.models.dhnn import DHNN, cut_backbone
from keras_dhnn.models.hash_head import hash_head
from keras_dhnn.pipelines.augment import augmentation
from keras_dhnn.pipelines.batches import batches
from keras_dhnn.pipelines.scaling import augment_scaled

SOURCE = "image"
# Pixels a batch that is encoded: 64 images of 256 x 256. Of smaller images there are more in it.
ENCODE_PIXELS = 64 * 256**2
MOST_ENCODED = 1024
# Images over which those are normalised that a network is trained on from scratch.
STATISTICS_ITEMS = 20_000


@contextlib.contextmanager
def no_bar(description, total, unit):
    """The progress bar of those who want none: a context that gives `update(done, note)`."""
    yield lambda done, note="": None


class Network:
    """Model and data together.

    What lies below a cut is frozen while what lies above is trained; its outputs for all items are computed once,
    by `compute_activations`, where memory allows.

    Args:
        experiment: the `Experiment`.
        info: `DatasetInfo` of the prepared data set.
        database: `(m,)` item numbers over which features are standardised.
        bar: context manager factory `bar(description, total, unit)`.
        strategy: `tf.distribute.Strategy` that the model is trained under; None: on one device.

    Attributes:
        model: the `DHNN`.
        labels: `(n,)` labels of all items.
    """

    def __init__(self, experiment, info, database, bar=no_bar, strategy=None):
        self.experiment, self.info, self.bar = experiment, info, bar
        self.strategy = strategy or tf.distribute.get_strategy()
        self.labels = np.repeat(info.labels, experiment.data.turns)
        self._activations = {"images": None}
        with self.strategy.scope(), _computing_in(experiment.training.precision):
            backbone = self._backbone(database)
            self.model = DHNN(backbone, self._head(backbone, database), SOURCE, name="dhnn")

    def _backbone(self, database):
        size, settings, info = self.experiment.data.image_size, self.experiment.model, self.info
        shape = (size, size, info.images[SOURCE].channels)
        statistics = None if info.scaling else lambda: self._band_statistics(database)
        backbone = build_backbone(settings.backbone, shape, settings.weights, info.rgb_bands, statistics)
        if is_pretrained(settings.backbone, settings.weights):
            _freeze_normalization(backbone)
        return scale_bands(backbone, **info.scaling[SOURCE]) if info.scaling else backbone

    def _band_statistics(self, database):
        """Mean and variance of each band, `(C,)` float64 each, of the database's images, or of some all over it."""
        items = database[np.linspace(0, len(database) - 1, min(len(database), STATISTICS_ITEMS)).astype(int)]
        count, total, squares = 0, 0.0, 0.0
        for images, _ in self._image_batches(items, batch_size=self._encode_batch):
            pixels = tf.reshape(tf.cast(images[SOURCE], tf.float64), (-1, images[SOURCE].shape[-1]))
            count += len(pixels)
            total += tf.reduce_sum(pixels, axis=0).numpy()
            squares += tf.reduce_sum(pixels**2, axis=0).numpy()
        mean = total / count
        return mean, squares / count - mean**2

    def _head(self, backbone, database):
        settings, statistics = self.experiment.model, ()
        if self.experiment.head.epochs:
            activations = self._outputs_below("features", backbone)
            if activations is not None:
                features = activations.array[database].astype(np.float64)
                statistics = features.mean(axis=0), features.var(axis=0) + 1e-6
        return hash_head(
            backbone.output_shape[-1],
            settings.bits,
            settings.hidden,
            settings.dropout,
            settings.weight_decay,
            *statistics,
        )

    def _outputs_below(self, cut, backbone):
        if cut not in self._activations:
            total = self.experiment.data.turns * self.info.count
            with self.bar(f"Frozen layers, up to {cut}", total, "image") as update:
                below, _ = cut_backbone(backbone, cut)
                self._activations[cut] = compute_activations(
                    below, self.info, self.experiment.data, SOURCE, batch_size=self._encode_batch, progress=update
                )
        return self._activations[cut]

    @property
    def features(self):
        """`(n, d)` the frozen backbone's features of all items, if they were computed; else None."""
        activations = self._activations.get("features")
        return None if activations is None else activations.array

    @property
    def _encode_batch(self):
        return min(max(1, ENCODE_PIXELS // self.experiment.data.image_size**2), MOST_ENCODED)

    def above(self, cut):
        """The network from a cut upwards, and its input.

        Args:
            cut: see `DHNN.above`.

        Returns:
            `(model, make_batches)`: a DHNN, and a function `make_batches(items, *, batch_size, seed, epochs,
            drop_remainder, replicas)` of the batches that enter it.
        """
        with self.strategy.scope():
            return self._above(cut)

    def _above(self, cut):
        activations = self._outputs_below(cut, self.model.backbone)
        below, above = self.model.above(cut)
        if activations is not None:
            return above, activations.batches
        for layer in below.layers if cut != "images" else []:
            layer.trainable = False
        return self.model.above("images")[1], self._image_batches

    def _image_batches(self, items, *, seed=None, **how):
        data = self.experiment.data
        augment = augmentation(self.experiment.augmentation) if seed is not None else None
        augment = augment and augment_scaled(augment, self.info.scaling)
        size = (data.image_size, data.image_size)
        return batches(self.info, items, seed=seed, image_size=size, turns=data.turns, augment=augment, **how)

    def encode(self, cut, items, description):
        """Hash outputs `(k, l)` float32 of items, computed from a cut upwards."""
        above, make_batches = self.above(cut)
        with self.bar(description, len(items), "image") as update:
            return make_encoder(above)(make_batches(items, batch_size=self._encode_batch), update)


@contextlib.contextmanager
def _computing_in(precision):
    """Layers made inside compute in "float32" or "bfloat16"; their weights are float32."""
    policies = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
    if precision not in policies:
        raise ValueError(
            f"Invalid value received for setting `training.precision`. Expected one of {', '.join(policies)}. "
            f"Received: {precision!r}"
        )
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(policies[precision])
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)


def _freeze_normalization(backbone):
    """Few images change a network's running statistics for the worse: they stay ImageNet's."""
    for layer in backbone.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.trainable = False
