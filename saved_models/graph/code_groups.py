"""Store equal codes once: trained codes repeat, so a search looks at distinct codes and expands them to positions."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_dhnn.saved_models.graph.block_top_k import NO_CLASS

# Grouping pays where codes are met twice on average; there it also takes no more memory than a flat list with labels.
LARGEST_SHARE = 0.5


class CodeGroups(NamedTuple):
    """Describe positions by distinct (code, label), the groups in order of their first positions.

    Attributes:
        words: `(m, w)` int64, the code of each group.
        labels: `(m,)` int32, or None.
        starts: `(m + 1,)` int32, where each group begins in `positions`, and `n`.
        positions: `(n,)` int32, ascending inside each group.
    """

    words: np.ndarray
    labels: np.ndarray | None
    starts: np.ndarray
    positions: np.ndarray


def group(words: np.ndarray, labels: np.ndarray | None) -> CodeGroups | None:
    """Return groups of equal codes, or None where few codes repeat.

    Args:
        words: `(n, w)` int64.
        labels: `(n,)` int32, or None. Equal codes of two labels are two groups, so that a label's groups are whole.

    Returns:
        `CodeGroups`, or None if more than `LARGEST_SHARE` of the codes are distinct.
    """
    keys = [*words.T] if labels is None else [*words.T, labels]
    # lexsort is stable: positions ascend inside a group.
    positions = np.lexsort(keys).astype(np.int32)
    differs = np.zeros(len(words), bool)
    differs[:1] = True
    for key in keys:
        differs[1:] |= key[positions[1:]] != key[positions[:-1]]
    starts = np.flatnonzero(differs)
    if len(starts) > LARGEST_SHARE * len(words) or len(words) == 0:
        return None
    sizes = np.diff(starts, append=len(words))
    order = np.argsort(positions[starts])
    starts, sizes = starts[order], sizes[order]
    new_starts = np.concatenate([[0], np.cumsum(sizes)])
    positions = positions[np.repeat(starts - new_starts[:-1], sizes) + np.arange(len(words))]
    first = positions[new_starts[:-1]]
    return CodeGroups(words[first], None if labels is None else labels[first], new_starts.astype(np.int32), positions)


class Database(NamedTuple):
    """Describe what one search looks at, as tensors.

    Attributes:
        words: list of `w` `(m',)` int64, filled up as by `fill_block`.
        classes: `(m',)` int32 label of each code, `NO_CLASS` for what may not be found; None if there is no filter.
        starts: `(m + 1,)` int32 begins of groups in `positions`; None if codes are not grouped.
        positions: `(n,)` int32, or None.
        order: `(m',)` int32, which group each code is; None if they are in the order of the groups.
    """

    words: list
    classes: tf.Tensor
    starts: tf.Tensor
    positions: tf.Tensor
    order: tf.Tensor


def only_allowed(database: Database, labels: tf.Tensor | None, allowed: tf.Tensor) -> Database:
    """Return groups of the allowed positions, again in order of their first: a pass over all positions.

    Args:
        database: `Database` with groups.
        labels: `(m',)` int32, or None.
        allowed: `(n,)` bool.

    Returns:
        `Database`. Groups of which nothing is left are of `NO_CLASS`.
    """
    size = tf.shape(allowed)[0]
    kept = tf.gather(allowed, database.positions)
    upto = tf.concat([[0], tf.cumsum(tf.cast(kept, tf.int32))], 0)
    starts = tf.gather(upto, database.starts)
    positions = tf.concat([tf.boolean_mask(database.positions, kept), [size]], 0)
    first = tf.where(starts[1:] > starts[:-1], tf.gather(positions, starts[:-1]), size)
    classes = tf.where(first < size, 0 if labels is None else labels[: first.shape[0]], NO_CLASS)
    # As `fill_block` does, copies of the last fill the last block.
    filling = database.words[0].shape[0] - first.shape[0]
    order = tf.argsort(first, stable=True)
    order = tf.concat([order, tf.repeat(order[-1:], filling)], 0)
    order = tf.ensure_shape(order, database.words[0].shape)
    return Database(
        [tf.gather(word, order) for word in database.words], tf.gather(classes, order), starts, positions, order
    )
