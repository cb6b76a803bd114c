"""Keep the latest hash outputs of every training item from two sources, and their common codes (SIDHCNN Algorithm
1).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.losses.quantization import signs
from keras_dhnn.models.feature_bank import FeatureBank


class DualBank(tf.Module):
    """Hold the matrices FP, FM and B of Algorithm 1, and how far it has come.

    Args:
        sources: names of the two sources, in the order in which their networks are updated.
        items: `(V,)` item numbers, in rising order.
        labels: `(V,)` their labels.
        bits: l.
        steps: gradient steps that one source's network is updated for before it is the other's turn.

    Attributes:
        rows: `{source: FeatureBank}`.
        codes: `(V, l)` float32 in {-1, +1}.
    """

    def __init__(
        self, sources: Sequence[str], items: np.ndarray, labels: np.ndarray, bits: int, steps: int, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.sources, self.steps = tuple(sources), steps
        self.rows = {source: FeatureBank(items, labels, bits) for source in self.sources}
        self.codes = tf.Variable(tf.ones((len(items), bits)), name="codes", trainable=False)
        self._step = tf.Variable(tf.zeros((), tf.int64), name="step", trainable=False)

    @property
    def labels(self) -> tf.Tensor:
        """Return `(V,)` labels of the items."""
        return self.rows[self.sources[0]].labels

    def fill(self, outputs: Mapping[str, tf.Tensor | np.ndarray]) -> None:
        """Set all rows.

        Args:
            outputs: `{source: (V, l)}`.
        """
        for source, rows in self.rows.items():
            rows.outputs.assign(outputs[source])

    def next_turn(self) -> tf.Tensor:
        """Return the number of the source whose turn the next step is, and count that step.

        At the first step of the first source, `B = sign(FP + FM)` is updated (eq. 7).
        """
        place = self._step % (len(self.sources) * self.steps)
        tf.cond(place == 0, self._update_codes, lambda: None)
        self._step.assign_add(1)
        return tf.cast(place // self.steps, tf.int32)

    def _update_codes(self):
        self.codes.assign(signs(tf.add_n([rows.outputs for rows in self.rows.values()])))
