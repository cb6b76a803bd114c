"""Make the network of an experiment, and show a data set as seen from any cut through it."""

import contextlib
import functools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.config import Experiment, of_source
from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.models.dhnn import DHNN, cut_backbone
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.pipelines.augment import augmentation
from keras_dhnn.pipelines.batches import batches
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.scaling import augment_scaled
from keras_dhnn.pipelines.sources import image_sizes, sources_of
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.graph_errors import as_raised
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.runtimes import Encoder
from keras_dhnn.runtimes.encoder import tensorflow_batch
from keras_dhnn.runtimes.flatbuffer import network_key
from keras_dhnn.training.activations import Activations, compute_activations, mean_and_variance
from keras_dhnn.training.architecture import make_backbone, make_head, make_model
from keras_dhnn.training.encode import fill, inputs_of
from keras_dhnn.training.growing_array import GrowingArray

PHASES = ("head", "fine_tune")
# Images over which those are normalised that a network is trained on from scratch.
STATISTICS_ITEMS = 20_000


class Network:
    """Hold model and data together.

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

    def __init__(
        self,
        experiment: Experiment,
        info: DatasetInfo,
        database: np.ndarray,
        bar: Bar = no_bar,
        strategy: tf.distribute.Strategy | None = None,
    ):
        self.experiment, self.info, self.bar = experiment, info, bar
        self.strategy = strategy or tf.distribute.get_strategy()
        self.labels = Items(experiment.data.turns).spread(info.labels)
        self.pairs = None
        self.sizes = image_sizes(experiment.data, info)
        self._activations: dict[tuple[str, str], np.ndarray | None] = {}
        sources = sources_of(info)
        if len(sources) > 1:
            _check_dual(self.strategy, experiment)
        with self.strategy.scope(), _computing_in(experiment.training.precision):
            self.model = make_model({source: self._parts(source, database) for source in sources})
        self.branches = getattr(self.model, "branches", None) or {sources[0]: self.model}

    def _parts(self, source, database):
        """Return the backbone and head of a source."""
        backbone = make_backbone(self.experiment, self.info, source, lambda: self._band_statistics(source, database))
        for cut in self._cuts(source):
            # Now rather than when its phase begins, hours later.
            cut_backbone(backbone, cut)
        return backbone, self._head(source, backbone, database)

    def _image_shape(self, source):
        return (*self.sizes[source], self.info.images[source].channels)

    @as_raised()
    def _band_statistics(self, source, database):
        """Return the mean and variance of each band, `(C,)` float64 each, of the database's images, or of some all over
        it.
        """
        items = database[np.linspace(0, len(database) - 1, min(len(database), STATISTICS_ITEMS)).astype(int)]
        count, total, squares = 0, 0.0, 0.0
        for images, _ in self._image_batches(items, batch_size=tensorflow_batch(self._image_shape(source))):
            pixels = tf.reshape(tf.cast(images[source], tf.float64), (-1, images[source].shape[-1]))
            count += len(pixels)
            total += tf.reduce_sum(pixels, axis=0).numpy()
            squares += tf.reduce_sum(pixels**2, axis=0).numpy()
        mean = total / count
        return mean, squares / count - mean**2

    def _cuts(self, source):
        """Return where the branch is cut in each phase that trains it."""
        phases = [getattr(self.experiment, name) for name in PHASES]
        return [of_source("cut", phase.cut, source) for phase in phases if phase.epochs]

    def _head(self, source, backbone, database):
        statistics = ()
        if self._cuts(source)[:1] == ["features"]:
            activations = self._outputs_below(source, "features", backbone)
            if activations is not None:
                mean, variance = mean_and_variance(activations, database)
                statistics = mean, variance + 1e-6
        return make_head(self.experiment, backbone.output_shape[-1], statistics)

    def _outputs_below(self, source, cut, backbone):
        """Return `(n, ...)` outputs of what lies below a cut for all items; None if they are too many, or are the
        images.
        """
        if cut == "images":
            return None
        if (source, cut) not in self._activations:
            # In one pass with what later phases need.
            cuts = [cut, *(other for other in self._cuts(source) if other not in (cut, "images"))]
            cuts = [one for one in dict.fromkeys(cuts) if (source, one) not in self._activations]
            turns = self.experiment.data.turns
            of_which = f" of {source}" if len(self.info.sources) > 1 else ""
            with self.bar(f"Frozen layers{of_which}, up to {' and '.join(cuts)}", len(self.labels), "image") as update:
                how = self.info, turns, source, self.sizes[source]
                found = compute_activations(backbone, cuts, *how, progress=update)
            self._activations |= {(source, one): array for one, array in found.items()}
        return self._activations[source, cut]

    @property
    def features(self) -> dict[str, np.ndarray]:
        """Return `{source: (n, d)}` the frozen backbones' features of all items, of those for which they were
        computed.
        """
        found = {source: self._activations.get((source, "features")) for source in self.branches}
        return {source: array for source, array in found.items() if array is not None}

    def frozen_features(self) -> np.ndarray:
        """Return `(n, d)` features of all items by the only branch's frozen backbone.

        Raises:
            SettingError: if they are too many to be kept.
        """
        (source, branch), *_ = self.branches.items()
        features = self._outputs_below(source, "features", branch.backbone)
        if features is None:
            raise SettingError("The features of all images take more memory than is kept of them. Take fewer images.")
        return features

    def above(self, cut: str | Mapping[str, str]) -> tuple[DHNN | SIDHCNN, Callable[..., tf.data.Dataset]]:
        """Return the network from a cut upwards, and its input.

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
        """Return batches of images for some sources, of activations for the others."""

        def gather(
            images: dict[str, tf.Tensor], targets: dict[str, tf.Tensor]
        ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
            return {**images, **activations.gather(targets["index"])}, targets

        return lambda items, **how: self._image_batches(items, **how).map(gather, deterministic=True)

    def _image_batches(self, items, *, seed=None, **how):
        data = self.experiment.data
        augment = augmentation(self.experiment.augmentation) if seed is not None else None
        augment = augment and augment_scaled(augment, self.info.scaling)
        return batches(self.info, items, seed=seed, image_size=self.sizes, turns=data.turns, augment=augment, **how)

    def encode(
        self, cut: str | Mapping[str, str], items: np.ndarray, description: str, folder: Path | None = None
    ) -> dict[str, np.ndarray]:
        """Compute hash outputs `{source: (k, l)}` float32 of items, from a cut upwards.

        Args:
            cut: see `above`.
            items: `(k,)` item numbers.
            description: of the progress bar.
            folder: where they are kept while they are being made, so that a later call goes on where this was killed,
                and after that, for the caller to remove; None: a temporary one.
        """
        above, make_batches = self.above(cut)
        branches = getattr(above, "branches", None) or {above.source: above}
        total = len(items) * len(branches)
        with self.bar(description, total, "image") as update, _folder_or_temporary(folder) as place:
            outputs = {}
            for number, (source, branch) in enumerate(branches.items()):
                report = functools.partial(_after, update, number * len(items))
                outputs[source] = self._encode_branch(branch, source, make_batches, items, place, report)
        return outputs

    def _encode_branch(self, branch, source, make_batches, items, folder, report):
        network = branch.plain()
        facts = self.info.checksum, self.experiment.data.turns, source, items.tobytes()
        path = folder / f"{network_key(network, *facts)}.npy"
        array = GrowingArray(path, (len(items), branch.bits), np.float32)
        array.drop_damaged()
        encoder = Encoder(network, len(items))

        def outputs_from(first: int) -> Iterator[list[np.ndarray]]:
            return encoder.outputs(inputs_of(make_batches(items[first:], batch_size=encoder.batch), source))

        fill([array], outputs_from, report)
        return np.load(path, allow_pickle=False)


def _after(update, before, done, note=""):
    update(before + done, note)


@contextlib.contextmanager
def _folder_or_temporary(folder):
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


@contextlib.contextmanager
def _computing_in(precision):
    """Let layers made inside compute in "float32" or "bfloat16"; their weights are float32."""
    policies = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(policies[precision])
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)


def _check_dual(strategy, experiment):
    """Refuse more than one device: the two networks' losses meet pairs of the whole batch."""
    if strategy.num_replicas_in_sync > 1:
        raise SettingError("--strategy trains one network. Leave it out for two image sources.")
    for path, value, expected in (
        ("training.precision", experiment.training.precision, "float32"),
        ("loss.objective", experiment.loss.objective, "likelihood"),
        ("loss.classification", experiment.loss.classification, 0.0),
    ):
        if value != expected:
            raise SettingError(invalid(f"setting `{path}`", f"{expected} for two image sources", value))
