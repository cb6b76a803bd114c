"""A network made by an experiment, and a data set as seen from any cut through it."""

import contextlib

import numpy as np
import tensorflow as tf

from keras_dhnn.config import of_source
from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.models.backbones.build import build_backbone, is_pretrained
from keras_dhnn.models.band_scaling import scale_bands
from keras_dhnn.models.band_statistics import with_band_statistics
from keras_dhnn.models.dhnn import DHNN, cut_backbone
from keras_dhnn.models.hash_head import hash_head
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.pipelines.augment import augmentation
from keras_dhnn.pipelines.batches import batches
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.scaling import augment_scaled
from keras_dhnn.pipelines.sources import image_sizes, sources_of
from keras_dhnn.progress import no_bar
from keras_dhnn.training.activations import Activations, compute_activations
from keras_dhnn.training.encode import make_encoder

PHASES = ("head", "fine_tune")
# Pixels a batch that is encoded: 64 images of 256 x 256. Of smaller images there are more in it.
ENCODE_PIXELS = 64 * 256**2
MOST_ENCODED = 1024
# Images over which those are normalised that a network is trained on from scratch.
STATISTICS_ITEMS = 20_000


class Network:
    """Model and data together.

    Each image source has a branch of its own, a `DHNN`; two of them make a `SIDHCNN`. What lies below a cut is frozen
    while what lies above is trained; its outputs for all items are computed once, by `compute_activations`, where
    memory allows.

    Args:
        experiment: the `Experiment`.
        info: `DatasetInfo` of the prepared data set.
        database: `(m,)` item numbers over which features are standardised.
        bar: context manager factory `bar(description, total, unit)`.
        strategy: `tf.distribute.Strategy` that the model is trained under; None: on one device.

    Attributes:
        model: the `DHNN`, or of two sources the `SIDHCNN`.
        branches: `{source: DHNN}`.
        sizes: `{source: (height, width)}` in pixels that the branches take.
        labels: `(n,)` labels of all items.
        pairs: which items are similar, see `DHNN.compile`; None: those of one label.
    """

    def __init__(self, experiment, info, database, bar=no_bar, strategy=None):
        self.experiment, self.info, self.bar = experiment, info, bar
        self.strategy = strategy or tf.distribute.get_strategy()
        self.labels = Items(experiment.data.turns).spread(info.labels)
        self.pairs = None
        self.sizes = image_sizes(experiment.data, info)
        self._activations = {}
        sources = sources_of(info)
        if len(sources) > 1:
            _check_dual(self.strategy, experiment)
        with self.strategy.scope(), _computing_in(experiment.training.precision):
            self.branches = {source: self._branch(source, database, len(sources) > 1) for source in sources}
            branches = list(self.branches.values())
            self.model = branches[0] if len(branches) == 1 else SIDHCNN(branches, name="sidhcnn")

    def _branch(self, source, database, named):
        backbone = self._backbone(source, database)
        for cut in self._cuts(source):
            # Now rather than when its phase begins, hours later.
            cut_backbone(backbone, cut)
        return DHNN(
            backbone, self._head(source, backbone, database), source, name=f"dhnn_{source}" if named else "dhnn"
        )

    def _backbone(self, source, database):
        settings, info = self.experiment.model, self.info
        name = of_source("model.backbone", settings.backbone, source)
        weights = of_source("model.weights", settings.weights, source)
        shape = (*self.sizes[source], info.images[source].channels)
        scaling = (info.scaling or {}).get(source)
        statistics = None if scaling else lambda: self._band_statistics(source, database)
        backbone = build_backbone(name, shape, weights, info.rgb_bands_of(source), statistics)
        if is_pretrained(name, weights):
            _freeze_normalization(backbone)
        if settings.band_statistics:
            backbone = with_band_statistics(backbone)
        return scale_bands(backbone, **scaling) if scaling else backbone

    def _band_statistics(self, source, database):
        """Mean and variance of each band, `(C,)` float64 each, of the database's images, or of some all over it."""
        items = database[np.linspace(0, len(database) - 1, min(len(database), STATISTICS_ITEMS)).astype(int)]
        count, total, squares = 0, 0.0, 0.0
        for images, _ in self._image_batches(items, batch_size=self._encode_batch):
            pixels = tf.reshape(tf.cast(images[source], tf.float64), (-1, images[source].shape[-1]))
            count += len(pixels)
            total += tf.reduce_sum(pixels, axis=0).numpy()
            squares += tf.reduce_sum(pixels**2, axis=0).numpy()
        mean = total / count
        return mean, squares / count - mean**2

    def _cuts(self, source):
        """Where the branch is cut in each phase that trains it."""
        phases = [getattr(self.experiment, name) for name in PHASES]
        return [of_source("cut", phase.cut, source) for phase in phases if phase.epochs]

    def _head(self, source, backbone, database):
        settings, statistics = self.experiment.model, ()
        if self._cuts(source)[:1] == ["features"]:
            activations = self._outputs_below(source, "features", backbone)
            if activations is not None:
                features = activations[database].astype(np.float64)
                statistics = features.mean(axis=0), features.var(axis=0) + 1e-6
        return hash_head(
            backbone.output_shape[-1],
            settings.bits,
            settings.hidden,
            settings.dropout,
            settings.weight_decay,
            *statistics,
        )

    def _outputs_below(self, source, cut, backbone):
        """`(n, ...)` outputs of what lies below a cut for all items; None if they are too many, or are the images."""
        if cut == "images":
            return None
        if (source, cut) not in self._activations:
            turns = self.experiment.data.turns
            of_which = f" of {source}" if len(self.info.sources) > 1 else ""
            count = Items(turns).count(self.info.count)
            with self.bar(f"Frozen layers{of_which}, up to {cut}", count, "image") as update:
                below, _ = cut_backbone(backbone, cut)
                self._activations[source, cut] = compute_activations(
                    below,
                    self.info,
                    turns,
                    source,
                    self.sizes[source],
                    batch_size=self._encode_batch,
                    progress=update,
                )
        return self._activations[source, cut]

    @property
    def features(self):
        """`{source: (n, d)}` the frozen backbones' features of all items, of those for which they were computed."""
        found = {source: self._activations.get((source, "features")) for source in self.branches}
        return {source: array for source, array in found.items() if array is not None}

    def frozen_features(self):
        """`(n, d)` features of all items by the only branch's frozen backbone.

        Raises:
            SettingError: if they are too many to be kept.
        """
        (source, branch), *_ = self.branches.items()
        features = self._outputs_below(source, "features", branch.backbone)
        if features is None:
            raise SettingError("The features of all images take more memory than is kept of them. Take fewer images.")
        return features

    @property
    def _encode_batch(self):
        pixels = max(height * width for height, width in self.sizes.values())
        return min(max(1, ENCODE_PIXELS // pixels), MOST_ENCODED)

    def above(self, cut):
        """The network from a cut upwards, and its input.

        Args:
            cut: see `DHNN.above`; of two sources each may have its own, "pan=features,mul=images".

        Returns:
            `(model, make_batches)`: a DHNN or SIDHCNN, and a function `make_batches(items, *, batch_size, seed, epochs,
            drop_remainder, replicas)` of the batches that enter it.
        """
        with self.strategy.scope():
            return self._above(cut)

    def _above(self, cut):
        arrays, cuts = {}, {}
        for source, branch in self.branches.items():
            own = cuts[source] = of_source("cut", cut, source)
            array = self._outputs_below(source, own, branch.backbone)
            if array is not None:
                arrays[source] = array
            elif own != "images":
                for layer in branch.above(own)[0].layers:
                    layer.trainable = False
                cuts[source] = "images"
        single = len(cuts) == 1
        _, above = self.model.above(next(iter(cuts.values())) if single else cuts)
        if not arrays:
            return above, self._image_batches
        activations = Activations(arrays, self.labels)
        return above, activations.batches if len(arrays) == len(cuts) else self._mixed_batches(activations)

    def _mixed_batches(self, activations):
        """Batches of images for some sources, of activations for the others."""

        def gather(images, targets):
            return {**images, **activations.gather(targets["index"])}, targets

        return lambda items, **how: self._image_batches(items, **how).map(gather, deterministic=True)

    def _image_batches(self, items, *, seed=None, **how):
        data = self.experiment.data
        augment = augmentation(self.experiment.augmentation) if seed is not None else None
        augment = augment and augment_scaled(augment, self.info.scaling)
        return batches(self.info, items, seed=seed, image_size=self.sizes, turns=data.turns, augment=augment, **how)

    def encode(self, cut, items, description):
        """Hash outputs `{source: (k, l)}` float32 of items, computed from a cut upwards."""
        above, make_batches = self.above(cut)
        with self.bar(description, len(items), "image") as update:
            return make_encoder(above)(make_batches(items, batch_size=self._encode_batch), update)


@contextlib.contextmanager
def _computing_in(precision):
    """Layers made inside compute in "float32" or "bfloat16"; their weights are float32."""
    policies = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
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


def _check_dual(strategy, experiment):
    """The two networks' losses meet pairs of the whole batch, which is why they are trained on one device."""
    if strategy.num_replicas_in_sync > 1:
        raise SettingError("--strategy trains one network. Leave it out for two image sources.")
    for path, value, expected in (
        ("training.precision", experiment.training.precision, "float32"),
        ("loss.objective", experiment.loss.objective, "likelihood"),
        ("loss.classification", experiment.loss.classification, 0.0),
    ):
        if value != expected:
            raise SettingError(invalid(f"setting `{path}`", f"{expected} for two image sources", value))
