"""Tell which items are similar, where that is more than the equality of two labels: tables of all images, by item."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_dhnn.config import OF_PAIRS, Experiment
from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.losses.similarity import label_set_similarity, label_similarity
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.unlabelled.diffusion import STEEPNESS, THRESHOLD
from keras_dhnn.unlabelled.inference import UNKNOWN, Inferred, infer_labels
from keras_dhnn.unlabelled.structure import find_structure

# What an image counts whose label is in full doubt, beside 1 of one whose label is given. Chosen on UC Merced with 1 to
# 20 labels a class (docs/measurements/few-labels.md).
LEAST_WEIGHT = 0.3


class LabelSetPairs:
    """Compute theta by shared labels (Jaccard), for images with several.

    Args:
        sets: `(n,)` labels of each image as a row of bool, `(n, c)`.
        items: `Items` of the data set.
    """

    def __init__(self, sets: np.ndarray, items: Items):
        self._sets, self._items = tf.constant(sets, tf.float32), items

    def __call__(self, rows: tf.Tensor, columns: tf.Tensor) -> tuple[tf.Tensor, None]:
        """Return theta `(n, m)` float32 of items `(n,)` and `(m,)`, and None: all pairs count alike."""
        of_rows, of_columns = (tf.gather(self._sets, self._items.image(side)) for side in (rows, columns))
        return label_set_similarity(of_rows, of_columns), None


class InferredPairs:
    """Compute theta by inferred labels as far as they are sure, and by walks over the neighbour graph as far as they
    are not.

    `theta = c s(y, y') + (1 - c) w`, with y the labels, s their similarity (whether they are equal, or of several the
    share in common), w that of walks (`unlabelled.diffusion`), and c the geometric mean of both labels' margins. Where
    nothing is labelled it is w alone. An image counts `LEAST_WEIGHT + (1 - LEAST_WEIGHT) margin`, a pair the product of
    both.

    Args:
        images: `(k,)` numbers of the images that are trained on, in rising order.
        walks: `(k, m)` from `unlabelled.diffusion.diffuse`.
        inferred: `Inferred` labels of the images; None where nothing is labelled.
        items: `Items` of the data set.
        sets: `(s, c)` bool, the labels that each number in `inferred` stands for; None where it is one label.
    """

    def __init__(
        self,
        images: np.ndarray,
        walks: np.ndarray,
        inferred: Inferred | None,
        items: Items,
        sets: np.ndarray | None = None,
    ):
        self._images = tf.constant(images, tf.int64)
        self._walks = tf.constant(walks, tf.float32)
        self._labels = None if inferred is None else tf.constant(inferred.labels)
        self._margins = None if inferred is None else tf.constant(inferred.margins)
        self._sets = None if sets is None else tf.constant(sets, tf.float32)
        self._items = items

    def __call__(self, rows: tf.Tensor, columns: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return theta and weights, `(n, m)` float32 each, of items `(n,)` and `(m,)`; of no labels, weights None."""
        rows, columns = self._places(rows), self._places(columns)
        cosines = tf.matmul(tf.gather(self._walks, rows), tf.gather(self._walks, columns), transpose_b=True)
        by_walks = tf.sigmoid(STEEPNESS * (cosines - THRESHOLD))
        if self._labels is None:
            return by_walks, None
        margins, others = tf.gather(self._margins, rows)[:, None], tf.gather(self._margins, columns)[None, :]
        sure = tf.sqrt(margins * others)
        by_labels = self._by_labels(tf.gather(self._labels, rows), tf.gather(self._labels, columns))
        weights = tf.multiply(*(LEAST_WEIGHT + (1 - LEAST_WEIGHT) * margin for margin in (margins, others)))
        return sure * by_labels + (1 - sure) * by_walks, weights

    def _by_labels(self, rows, columns):
        if self._sets is None:
            return label_similarity(rows, columns)
        return label_set_similarity(tf.gather(self._sets, rows), tf.gather(self._sets, columns))

    def _places(self, items):
        return tf.searchsorted(self._images, self._items.image(tf.cast(items, tf.int64)))


class Learned(NamedTuple):
    """Describe what training goes by where not all images have one label.

    Attributes:
        pairs: for `DHNN.compile`.
        given: how many images that are trained on have a label.
        inferred: how many have one that was inferred from others'.
        margin: mean margin of the inferred labels; None without.
    """

    pairs: LabelSetPairs | InferredPairs
    given: int
    inferred: int
    margin: float | None


def learn_pairs(info: DatasetInfo, features: np.ndarray | None, split: Split, seed: int) -> Learned:
    """Find out which of a database's images are similar.

    Args:
        info: `DatasetInfo`, where some images lack a label or have several.
        features: `(n, d)` frozen features of all items; None if every image has a label.
        split: the `Split`; its queries are not used.
        seed: of the sampling in large collections.

    Returns:
        `Learned`.

    Raises:
        ValueError: if features are missing.
    """
    items = split.items
    images = np.unique(items.image(split.database))
    known = info.known[images]
    if info.label_sets is not None and known.all():
        return Learned(LabelSetPairs(info.label_sets.sets, items), len(images), 0, None)
    if features is None:
        raise ValueError(invalid("argument `features`", "features of all items, where some images lack a label", None))
    structure = find_structure(features[items.upright(images)], seed=seed)
    if not known.any():
        return Learned(InferredPairs(images, structure.walks, None, items), 0, 0, None)
    inferred = infer_labels(structure, np.where(known, info.labels[images], UNKNOWN))
    margin = float(inferred.margins[~known].mean()) if not known.all() else None
    sets = None if info.label_sets is None else info.label_sets.distinct
    pairs = InferredPairs(images, structure.walks, inferred, items, sets)
    return Learned(pairs, int(known.sum()), int((~known).sum()), margin)


def check_labels(experiment: Experiment, info: DatasetInfo) -> None:
    """Check that an experiment can learn from the labels that there are.

    Raises:
        SettingError: saying `why_not_learnable`.
    """
    why = why_not_learnable(experiment, info)
    if why:
        raise SettingError(why)


def why_not_learnable(experiment: Experiment, info: DatasetInfo) -> str | None:
    """Return why an experiment cannot learn from the labels that there are; None if it can.

    Where labels are missing or several, two sources cannot, nor settings that take each label for a class.
    """
    if not needs_pairs(info):
        return None
    if len(info.images) > 1:
        return (
            "Images of two sources are trained with one label each. Received: some without a label, or with several. "
            "Give all of them one, by --labels FILE."
        )
    loss, where = experiment.loss, "where labels are missing or several"
    for name, value, allowed in (
        ("model.start", experiment.model.start, ("random",)),
        ("loss.objective", loss.objective, OF_PAIRS),
        ("loss.classification", loss.classification, (0,)),
    ):
        if value not in allowed:
            return invalid(f"setting `{name}`", f"{' or '.join(map(str, allowed))} {where}", value)
    return None


def needs_pairs(info: DatasetInfo) -> bool:
    """Return whether labels alone do not say which images are similar: some are missing, or an image has several."""
    return info.label_sets is not None or not info.known.all()
