"""Choose by name what draws like items together and unlike ones apart: the part of the loss beside quantisation."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.losses.angular import angular
from keras_dhnn.losses.central import central_similarity
from keras_dhnn.losses.contrastive import contrastive
from keras_dhnn.losses.pairwise import pairwise_likelihood
from keras_dhnn.losses.triplet import triplet_semi_hard

# Those of pairs may pair the batch with a bank; the others look at the batch alone.
OF_PAIRS = ("likelihood", "contrastive")
# Of these, what pulls at an output by its distance: an item of which nothing is known yet must not be paired.
OF_DISTANCES = ("contrastive",)
OF_CENTRES = ("central", "angular")
OBJECTIVES = (*OF_PAIRS, "triplet", *OF_CENTRES)


def objective_of(
    name: str,
    *,
    bits: int,
    penalty: float,
    pair_weighting: str = "mean",
    margin: float | None = None,
    centres: np.ndarray | None = None,
) -> Callable[..., tf.Tensor]:
    """Return the objective `(labels, outputs, others, similarity, weights) -> scalar float32`.

    Its arguments are labels `(n,)` and outputs `(n, l)` of the batch, the outputs `(m, l)` that it is paired with, and
    the pairs' similarity and weights `(n, m)`, the weights or None.

    Args:
        name: one of `OBJECTIVES`.
        bits: l.
        penalty: P of "likelihood".
        pair_weighting: of `OF_PAIRS`, see `pair_mean`.
        margin: of "contrastive" (None: 2 l, DSH's), "triplet" (1) and "angular" (0.2).
        centres: `(C, l)` of `OF_CENTRES`, see `hash_centres`.

    Raises:
        SettingError: if there is no such objective.
    """
    if name not in OBJECTIVES:
        raise SettingError(invalid("argument `objective`", f"one of {', '.join(OBJECTIVES)}", name))
    if name == "triplet":
        return lambda labels, outputs, *_: triplet_semi_hard(labels, outputs, 1.0 if margin is None else margin)
    if name in OF_CENTRES:
        if centres is None:
            raise SettingError(invalid("argument `centres`", "a code for each class", None))
        codes = centres
        if name == "central":
            return lambda labels, outputs, *_: central_similarity(labels, outputs, codes)
        return lambda labels, outputs, *_: angular(labels, outputs, codes, 0.2 if margin is None else margin)

    def of_pairs(
        labels: tf.Tensor, outputs: tf.Tensor, others: tf.Tensor, similarity: tf.Tensor, weights: tf.Tensor | None
    ) -> tf.Tensor:
        if name == "contrastive":
            width = 2.0 * bits if margin is None else margin
            return contrastive(similarity, outputs, others, width, pair_weighting, weights)
        return pairwise_likelihood(similarity, outputs, others, penalty, pair_weighting, weights)

    return of_pairs
