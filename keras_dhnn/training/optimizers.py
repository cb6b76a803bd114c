"""Make the optimisers of a phase: cosine decay to zero, with a learning rate of its own for the backbone."""

import tensorflow as tf

from keras_dhnn.backend import SGD, Adam, multi_optimizer
from keras_dhnn.config import Phase
from keras_dhnn.models.dhnn import DHNN

_OPTIMIZERS = {"adam": Adam, "sgd": lambda rate: SGD(rate, momentum=0.9)}


def make_optimizer(kind: str, phase: Phase, model: DHNN, steps: int) -> tf.keras.optimizers.Optimizer:
    """Return the optimiser of a DHNN for one phase of training.

    Args:
        kind: "adam" or "sgd" (momentum 0.9).
        phase: the `Phase`, for its learning rates.
        model: the `DHNN` that is trained.
        steps: gradient steps of the phase, over which the rates decay to zero.

    Returns:
        A Keras optimiser: one for all weights where only the head has any to train, else one for each part.
    """

    def decaying(peak: float) -> tf.keras.optimizers.Optimizer:
        return _OPTIMIZERS[kind](tf.keras.optimizers.schedules.CosineDecay(peak, steps))

    head = decaying(phase.learning_rate)
    if not model.backbone.trainable_weights:
        return head
    heads = [layer for layer in (model.head, model.classifier) if layer is not None]
    return multi_optimizer([(decaying(phase.backbone_learning_rate), model.backbone), (head, heads)])
