"""See a query in all of its quarter turns: average the hash outputs, so that how an image lies matters less.

Only what searches is seen so. What is searched costs one pass an image, as before, which is nearly all of the work.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.config import Experiment
from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.pipelines.splits import Split


def check_query_turns(experiment: Experiment, sizes: Mapping[str, tuple[int, int]]) -> None:
    """Check that queries can be seen as `model.query_turns` says.

    Args:
        experiment: the experiment.
        sizes: `{source: (height, width)}` in pixels that the networks take.

    Raises:
        SettingError: if turned queries are asked for and items are not turned, or images are not square.
    """
    if experiment.model.query_turns == 1:
        return
    if experiment.data.turns == 1:
        raise SettingError(
            "Queries are scored in the turns that items are seen in. Expected data.turns=4 beside model.query_turns="
            f"{experiment.model.query_turns}, or --set model.query_turns=1. Received: data.turns=1"
        )
    if any(height != width for height, width in sizes.values()):
        expected = f"1 where networks take images that are not square ({dict(sizes)})"
        raise SettingError(invalid("setting `model.query_turns`", expected, experiment.model.query_turns))


def turned_queries(outputs: np.ndarray, split: Split) -> np.ndarray:
    """Return hash outputs in which those of each query are the mean over its image's turns.

    Not under the protocol "paper", where a query's other turns stand in the database and were trained on.

    Args:
        outputs: `(n, l)` real, of all items.
        split: the `Split`.

    Returns:
        `(n, l)`; of items that are no queries as they were.
    """
    if split.protocol == "paper":
        return outputs
    turns = split.items.of_images(split.items.image(split.queries))
    averaged = outputs.copy()
    averaged[split.queries] = outputs[turns].reshape(len(split.queries), split.turns, -1).mean(axis=1)
    return averaged


def over_turns(network: Callable, turns: int) -> Callable[[Any], Any]:
    """Return a network of queries: the mean of a network's outputs over quarter turns of its images.

    Args:
        network: function from `(B, s, s, C)` images to `(B, l)` outputs, or to a list of such.
        turns: how many, from none on; 1 returns the network itself.
    """
    if turns == 1:
        return network

    def turned(images: Any) -> Any:
        passes = [network(tf.image.rot90(images, turn)) for turn in range(turns)]
        return tf.nest.map_structure(lambda *outputs: tf.reduce_mean(outputs, axis=0), *passes)

    return turned
