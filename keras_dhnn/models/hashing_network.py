"""Hold what the networks of one source and of two have in common as Keras models: how they are saved and logged."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_dhnn.backend import step_logs
from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.losses.pair_mean import PAIR_WEIGHTINGS
from keras_dhnn.losses.quantization import NORMS


class HashingNetwork(tf.keras.Model):
    """Train a Keras model by steps of its own, whose losses it logs as running means.

    Its subclasses begin their `compile` with `Model.compile` and end it with `_log`.
    """

    @property
    def metrics(self) -> list[tf.keras.metrics.Metric]:
        return list(self.trackers.values()) if hasattr(self, "trackers") else []

    def save(self, filepath: str | Path, *args: Any, **kwargs: Any) -> None:
        """Write the network to a `.keras` file, from which `tf.keras.models.load_model` makes it anew.

        Args:
            filepath: a name that ends in ".keras".
            *args: of `tf.keras.Model.save`.
            **kwargs: of it too.

        Raises:
            SettingError: for another name: Keras would write another form, which it cannot load.
        """
        if Path(filepath).suffix != ".keras":
            expected = 'a name that ends in ".keras" (`export` writes a SavedModel for inference)'
            raise SettingError(invalid("argument `filepath`", expected, str(filepath)))
        super().save(filepath, *args, **kwargs)

    def _log(self, names: Iterable[str]) -> None:
        self.trackers = {name: _RunningMean(name) for name in names}

    def _track(self, loss: tf.Tensor, parts: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in {"loss": loss, **parts}.items():
            self.trackers[name].update_state(value)
        results = {name: tracker.result() for name, tracker in self.trackers.items()}
        return step_logs(results, self.distribute_strategy)


def images_and_targets(data: Any) -> tuple[Mapping[str, tf.Tensor], Mapping[str, tf.Tensor]]:
    """Return what a step is made on, of the forms in which Keras hands it over.

    Args:
        data: `(images, targets)` or `(images, targets, None)`.

    Raises:
        SettingError: if there are no targets, or there are sample weights.
    """
    images, targets, weights = tf.keras.utils.unpack_x_y_sample_weight(data)
    if not isinstance(targets, Mapping):
        expected = 'a dictionary of targets, {"label": (n,), "index": (n,)}'
        raise SettingError(invalid("argument `y`", expected, type(targets).__name__))
    if weights is not None:
        expected = "None: losses of pairs have no weights of images"
        raise SettingError(invalid("argument `sample_weight`", expected, type(weights).__name__))
    return images, targets


def check_choices(norm: str, pair_weighting: str) -> None:
    """Check what `compile` hands to the losses, which see it first when a step is made.

    Raises:
        SettingError: if there is no such norm or pair weighting.
    """
    for name, value, known in (("norm", norm, NORMS), ("pair_weighting", pair_weighting, PAIR_WEIGHTINGS)):
        if value not in known:
            raise SettingError(invalid(f"argument `{name}`", f"one of {', '.join(known)}", value))


class _RunningMean(tf.keras.metrics.Mean):
    """Leave no trace in files of weights, which models that are not compiled write and read too."""

    def save_own_variables(self, store: Any) -> None:
        """Write nothing: means start anew with every epoch."""

    def load_own_variables(self, store: Any) -> None:
        """Read nothing."""
