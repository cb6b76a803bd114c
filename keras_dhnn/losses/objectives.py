"""Choose by name what draws like items together and unlike ones apart: the part of the loss beside quantisation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.config import OBJECTIVES
from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.losses.angular import angular
from keras_dhnn.losses.central import central_similarity
from keras_dhnn.losses.contrastive import contrastive
from keras_dhnn.losses.pairwise import pairwise_likelihood
from keras_dhnn.losses.triplet import triplet_semi_hard

# Of those of pairs, what pulls at an output by its distance: an item of which nothing is known yet must not be paired.
OF_DISTANCES = ("contrastive",)
OF_CENTRES = ("central", "angular")


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
        name: one of `config.OBJECTIVES`.
        bits: l.
        penalty: P of "likelihood".
        pair_weighting: of those of pairs, see `pair_mean`.
        margin: of "contrastive" (None: 2 l, DSH's), "triplet" (1) and "angular" (0.2).
        centres: `(C, l)` of `OF_CENTRES`, see `hash_centres`.

    Raises:
        SettingError: if there is no such objective, or it has no centres.
    """
    if name not in OBJECTIVES:
        raise SettingError(invalid("argument `objective`", f"one of {', '.join(OBJECTIVES)}", name))
    if name in OF_CENTRES and centres is None:
        raise SettingError(invalid("argument `centres`", "a code for each class", None))

    codes: Any = centres

    def own(value: float) -> float:
        return value if margin is None else margin

    def of_pairs(loss: Callable[..., tf.Tensor], parameter: float) -> Callable[..., tf.Tensor]:
        return lambda _labels, outputs, others, similarity, weights: loss(
            similarity, outputs, others, parameter, pair_weighting, weights
        )

    objectives: dict[str, Callable[..., tf.Tensor]] = {
        "likelihood": of_pairs(pairwise_likelihood, penalty),
        "contrastive": of_pairs(contrastive, own(2.0 * bits)),
        "triplet": lambda labels, outputs, *_: triplet_semi_hard(labels, outputs, own(1.0)),
        "central": lambda labels, outputs, *_: central_similarity(labels, outputs, codes),
        "angular": lambda labels, outputs, *_: angular(labels, outputs, codes, own(0.2)),
    }
    return objectives[name]
