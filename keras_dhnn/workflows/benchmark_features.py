"""Compute the vectors that shallow methods hash: GIST of the images, or the features of the frozen backbone."""

import hashlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_dhnn.baselines.gist import Gist
from keras_dhnn.config import Experiment
from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.files import mark_used, whole_file
from keras_dhnn.pipelines.sources import sources_of
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.stored_images import read_images
from keras_dhnn.progress import no_bar
from keras_dhnn.training.cache import activations_folder, make_room
from keras_dhnn.training.network import Network

FEATURES = ("gist", "backbone")
_CHUNK = 32


def load_features(
    kind: str, experiment: Experiment, info: DatasetInfo, bar: Callable = no_bar
) -> dict[str, np.ndarray]:
    """Return the vectors of all items, computed once and kept in the data set's cache, if it has room.

    Args:
        kind: "gist" or "backbone".
        experiment: the `Experiment`, for turns and backbone.
        info: `DatasetInfo` of the prepared data set.
        bar: context manager factory `bar(description, total, unit)`.

    Returns:
        `{source: (n, d) float32}`.

    Raises:
        SettingError: see `check_features`.
    """
    check_features(kind, experiment, info)
    if kind == "gist":
        return {source: _gist(info, source, experiment.data.turns, bar) for source in sources_of(info)}
    split = draw_split(experiment.data, experiment.seed, info)
    tf.keras.utils.set_random_seed(experiment.seed)
    return Network(experiment, info, split.database, bar).features


def check_features(kind: str, experiment: Experiment, info: DatasetInfo) -> None:
    """Raise SettingError for another kind, or "backbone" where the experiment has no frozen backbone."""
    if kind not in FEATURES:
        raise SettingError(invalid("--features", "gist or backbone", kind))
    frozen = experiment.head.epochs and experiment.head.cut == "features"
    if kind == "backbone" and not frozen:
        raise SettingError(
            f"--features backbone needs a frozen backbone, and {info.name} is trained from random weights "
            "(head.epochs=0). Leave it out, or add --backbone efficientnet_lite0."
        )


def _gist(info: DatasetInfo, source: str, turns: int, bar: Callable) -> np.ndarray:
    digest = hashlib.sha256(f"gist {info.checksum} {source} {turns}".encode()).hexdigest()[:16]
    path = activations_folder(info.directory) / f"gist-{digest}.npy"
    if path.exists():
        mark_used(path)
        return np.load(path, allow_pickle=False)
    described = _describe(info, source, turns, bar)
    if make_room(path.parent, described.nbytes):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, shared=True) as file:
            np.save(file, described)
    return described


def _describe(info: DatasetInfo, source: str, turns: int, bar: Callable) -> np.ndarray:
    """Return GIST `(turns * count, 512)` of every item of a source."""
    gist, chunk, rows = Gist(), [], []
    with bar(f"GIST of {source}", info.count, "image") as update:
        for done, (_, image) in enumerate(read_images(info, np.arange(info.count), source), 1):
            chunk += [np.rot90(image, turn) for turn in range(turns)]
            if len(chunk) >= _CHUNK or done == info.count:
                rows.append(gist.transform(np.stack(chunk)))
                chunk = []
            update(done)
    return np.concatenate(rows)
