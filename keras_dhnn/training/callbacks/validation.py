"""Measure validation mAP while training, and keep the weights of its best epoch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.codes import pack
from keras_dhnn.metrics.counting import rank
from keras_dhnn.metrics.graded import ndcg
from keras_dhnn.metrics.ranking import mean_average_precision
from keras_dhnn.pipelines.sources import main_tasks

# Held-out items tell epochs apart no better than this, and never better than by one image, up to the second bound. Of
# such equals the later one has smaller steps behind it, and outputs closer to their codes.
TOLERANCE, MOST_TOLERANCE = 0.002, 0.05


def tolerance_of(images: int) -> float:
    """Return the difference of validation mAP that does not tell two epochs apart: what one held-out image decides.

    Args:
        images: how many are held out; an image's turns are one.
    """
    return min(max(TOLERANCE, 1 / max(images, 1)), MOST_TOLERANCE)


class ValidationMAP(tf.keras.callbacks.Callback):
    """Score retrieval by held-out items among the fitted ones: write `val_map` and `distinct_codes` into the logs.

    Of two sources `val_map` is the mean of both directions across them, which are logged too, as `val_map_pan_to_mul`.

    Args:
        encode: function of no arguments that returns the hash outputs `{source: (n, l)}` of all items.
        labels: `(n,)` labels of all items; or `(n, c)` of 0 and 1 where they have several, and then `val_map` is the
            normalised discounted cumulative gain: nearly everything shares some label.
        queries: positions of the held-out items. If there are none nothing is scored, and the last epoch is the best.
        database: positions of the items that are searched.
        epochs: of the phase; the last always has a validation. A pause before it has none of its own.
        every: epochs between two validations.
        patience: epochs without a better `val_map` after which training stops; 0 never stops it.
        tolerance: `val_map` so little below the best is as good, see `tolerance_of`.

    Attributes:
        best: the best `val_map` so far.
        best_epoch: the last epoch, from 0, whose `val_map` is within `tolerance` of the best then; -1 before the
            first validation.
        best_weights: the model's weights at that epoch.
        improved_epoch: the epoch that brought the best; patience counts from it.
        outputs: hash outputs `{source: (n, l)}` at the latest validation.
    """

    def __init__(
        self,
        encode: Callable[[], dict[str, np.ndarray]],
        labels: np.ndarray,
        queries: np.ndarray,
        database: np.ndarray,
        epochs: int,
        every: int = 1,
        patience: int = 0,
        tolerance: float = TOLERANCE,
    ):
        super().__init__()
        self.encode, self.epochs, self.tolerance = encode, epochs, tolerance
        self.labels, self.queries, self.database = labels, queries, database
        self.every, self.patience = every, patience
        self.best, self.best_epoch, self.improved_epoch = -1.0, -1, -1
        self.best_weights: list[np.ndarray] | None = None
        self.outputs: dict[str, np.ndarray] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        if (epoch + 1) % self.every and epoch + 1 != self.epochs:
            return
        logs |= self.measure()
        score = logs.get("val_map", self.best)
        if score > self.best or "val_map" not in logs:
            self.best, self.improved_epoch = score, epoch
        if score >= self.best - self.tolerance:
            self.best_epoch = epoch
            self.best_weights = self.model.get_weights()
        if self.patience and epoch - self.improved_epoch >= self.patience:
            self.model.stop_training = True

    def measure(self) -> dict[str, float]:
        """Encode the items as the model is now, and return what is logged of them: `{name: value}`."""
        self.outputs = self.encode()
        logs: dict[str, float] = {}
        codes = {source: pack(outputs) for source, outputs in self.outputs.items()}
        if len(self.queries):
            scores = {task: self._score(codes[task[0]], codes[task[1]]) for task in main_tasks(tuple(codes))}
            if len(scores) > 1:
                logs |= {f"val_map_{'_to_'.join(task)}": score for task, score in scores.items()}
            logs["val_map"] = float(np.mean(list(scores.values())))
        logs["distinct_codes"] = min(len(np.unique(of_one, axis=0)) for of_one in codes.values())
        return logs

    def _score(self, searching, searched):
        codes = searching[self.queries], searched[self.database]
        labels = self.labels[self.queries], self.labels[self.database]
        if self.labels.ndim == 2:
            return float(ndcg(rank(*codes, *labels, stable_at=())).mean())
        return mean_average_precision(*codes, *labels).expected
