"""Notice a network whose codes all became equal, and stop before hours are lost."""

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from keras_dhnn.config import Experiment
from keras_dhnn.errors import CollapseError


class CollapseGuard(tf.keras.callbacks.Callback):
    """Raise `CollapseError` on a loss that is not finite, or when all items share one code at two validations.

    It reads `distinct_codes` from the logs, which `ValidationMAP`, earlier in the list, writes.

    Args:
        advice: a sentence for the message, such as `advice` gives.
        history: `{name: [value of each epoch]}` of the epochs before, of training that is resumed.
    """

    def __init__(self, advice: str = "Try a smaller learning rate.", history: Mapping[str, list] | None = None):
        super().__init__()
        self.advice = advice
        validated = [codes for codes in (history or {}).get("distinct_codes", []) if codes is not None]
        self._in_a_row = int(validated[-1:] == [1])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        loss = logs.get("loss", 0.0)
        if not math.isfinite(loss):
            raise CollapseError(f"The loss is {loss} after epoch {epoch + 1}. {self.advice}")
        if "distinct_codes" in logs:
            self._in_a_row = self._in_a_row + 1 if logs["distinct_codes"] == 1 else 0
        if self._in_a_row == 2:
            raise CollapseError(f"All images have the same hash code after epoch {epoch + 1}. {self.advice}")


def advice(experiment: Experiment, phase: str, quantization: str = "eta") -> str:
    """Return what may help in a phase of an experiment: its settings that matter here, smaller than they are.

    Args:
        experiment: the `Experiment`.
        phase: "head" or "fine_tune".
        quantization: name of the weight of the quantisation loss, "beta" of two image sources.
    """
    settings, weight = getattr(experiment, phase), getattr(experiment.loss, quantization) / 5
    rates = ["learning_rate"] if settings.cut == "features" else ["learning_rate", "backbone_learning_rate"]
    smaller = " ".join(f"--set {phase}.{name}={getattr(settings, name) / 3:.2g}" for name in rates)
    ways = [f"a smaller learning rate ({smaller})"]
    if weight:
        ways.append(f"a smaller quantisation weight (--set loss.{quantization}={weight:.2g})")
    if experiment.loss.objective == "likelihood" and experiment.loss.pair_weighting != "balanced":
        ways.append("balanced pairs (--set loss.pair_weighting=balanced)")
    return f"Try {' or '.join(ways)}."
