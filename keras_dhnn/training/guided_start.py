"""Start hash layers where each class already has a code of its own, in closed form."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_dhnn.config import Model
from keras_dhnn.losses.centres import hash_centres
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

# Of the mean squared activation: keeps the regression from leaning on directions that few items have.
_RIDGE = 0.1
_BATCH = 512


def is_guided(settings: Model, info: DatasetInfo) -> bool:
    """Return whether settings ask for a guided start: "auto" does where there are fewer bits than classes."""
    return settings.start == "centres" or (settings.start == "auto" and settings.bits < len(info.classes))


def start_at_centres(branches: list, make_batches: Callable, items: np.ndarray, labels: np.ndarray) -> None:
    """Set every branch's hash layer to the ridge regression of its inputs on the codes of the items' classes.

    The codes, `hash_centres`, are the same for all branches, so that two sources start in one code space. Training from
    random layers draws classes together that few bits cannot tell apart later: with 8 bits and 21 classes each class
    must have one of few codes that are far from each other, and pairs alone do not find them.

    Args:
        branches: `DHNN`s above a cut, of as many bits.
        make_batches: see `Network.above`.
        items: `(k,)` item numbers to fit on.
        labels: `(n,)` integer labels of all items.
    """
    classes = int(labels.max()) + 1
    targets = hash_centres(classes, branches[0].bits)[labels[items]].astype(np.float64)
    for branch, inputs in zip(branches, _hash_inputs(branches, make_batches, items), strict=True):
        branch.head.get_layer("hash").set_weights(regression(inputs, targets))


def regression(inputs: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
    """Return the kernel `(d, l)` and bias `(l,)`, float32, of the ridge regression of targets `(n, l)` on `(n, d)`."""
    inputs = inputs.astype(np.float64)
    mean, offset = inputs.mean(axis=0), targets.mean(axis=0)
    centred = inputs - mean
    covariance = centred.T @ centred / len(inputs)
    ridge = _RIDGE * np.trace(covariance) / len(covariance) + 1e-12
    cross = centred.T @ (targets - offset) / len(inputs)
    kernel = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), cross)
    return [kernel.astype(np.float32), (offset - mean @ kernel).astype(np.float32)]


def _hash_inputs(branches: list, make_batches: Callable, items: np.ndarray) -> list[np.ndarray]:
    """Return, for each branch, what enters its hash layer, `(k, d)` float32, in the items' order."""
    models = [tf.keras.Model(branch.head.input, branch.head.get_layer("hash").input) for branch in branches]
    found: list[list[np.ndarray]] = [[] for _ in branches]
    for images, _ in make_batches(items, batch_size=_BATCH):
        for branch, model, rows in zip(branches, models, found, strict=True):
            rows.append(model(branch.backbone(images[branch.source], training=False), training=False).numpy())
    return [np.concatenate(rows) for rows in found]
