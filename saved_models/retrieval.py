"""Exact nearest neighbours of hash codes, as stock TensorFlow operations: what an export searches with."""

import numpy as np
import tensorflow as tf


class HammingRetrieval(tf.Module):
    """A database of packed hash codes that lives in a graph, and its exact k nearest neighbours.

    The codes are non-trainable variables, so that they are saved beside the graph and not inside it. Positions are
    always those of a stable sort by (distance, position), ties included.

    Args:
        codes: `(n, l / 8)` uint8, as `codes.pack` makes them, `l` from 8 to 256.
        labels: `(n,)` int32 >= 0, or None if no search asks for one class.
        name: of the module.

    Raises:
        ValueError: if the codes are not packed codes of 8 to 256 bits, or there is not one label >= 0 for each.
    """

    def __init__(self, codes, labels=None, name=None):
        super().__init__(name=name)
        codes, labels = _check_codes(codes), _check_labels(labels, len(codes))
        self.size, self.bits = len(codes), 8 * codes.shape[1]
        self.codes = tf.Variable(codes, trainable=False, name="codes")
        self.labels = None if labels is None else tf.Variable(labels, trainable=False, name="labels")

    def search(self, query_codes, k, *, label=None, allowed=None):
        """The k nearest codes of each query, by (distance, position).

        Where a filter leaves fewer than k, the rest of a row has position -1 and distance l + 1.

        Args:
            query_codes: `(q, l / 8)` uint8.
            k: scalar int32 >= 0, may be a tensor.
            label: scalar or `(q,)` int32: only positions of this label; -1 for any.
            allowed: `(n,)` bool: only these positions.

        Returns:
            Positions and distances, both `(q, min(k, n))` int32.

        Raises:
            ValueError: if the queries are of other length, or a label is asked for and there are none.
        """
        query_codes, k = self._check_queries(query_codes), tf.convert_to_tensor(k, tf.int32)
        distances = self._distances(query_codes)
        valid = self._valid(tf.shape(query_codes)[0], label, allowed)
        distances = tf.where(valid, distances, self.bits + 1)
        similarities, positions = tf.math.top_k(-distances, tf.minimum(k, self.size))
        return tf.where(similarities < -self.bits, -1, positions), -similarities

    def radius_search(self, query_codes, radius):
        """All codes within a distance of each query, by (distance, position).

        Args:
            query_codes: `(q, l / 8)` uint8.
            radius: scalar int32, may be a tensor.

        Returns:
            Positions `(r,)` and distances `(r,)` int32 of all queries one after the other, and `(q + 1,)` int64
            row splits: query i has rows `splits[i]:splits[i + 1]`.

        Raises:
            ValueError: if the queries are of other length.
        """
        positions, distances = self.search(query_codes, self.size)
        within = distances <= tf.convert_to_tensor(radius, tf.int32)
        counts = tf.math.count_nonzero(within, axis=1)
        splits = tf.concat([[tf.constant(0, tf.int64)], tf.cumsum(counts)], 0)
        return positions[within], distances[within], splits

    def _distances(self, query_codes):
        differences = tf.bitwise.bitwise_xor(query_codes[:, None], self.codes[None])
        return tf.reduce_sum(tf.cast(tf.raw_ops.PopulationCount(x=differences), tf.int32), axis=2)

    def _valid(self, queries, label, allowed):
        valid = tf.ones((queries, self.size), tf.bool)
        if label is not None:
            if self.labels is None:
                raise ValueError(
                    "Invalid value received for argument `label`. Expected None, since there are no labels: give them "
                    f"to the constructor. Received: {label}"
                )
            label = tf.broadcast_to(tf.convert_to_tensor(label, tf.int32), [queries])[:, None]
            valid &= (label == self.labels[None]) | (label == -1)
        if allowed is not None:
            valid &= tf.convert_to_tensor(allowed, tf.bool)[None]
        return valid

    def _check_queries(self, query_codes):
        query_codes = tf.convert_to_tensor(query_codes, tf.uint8)
        if not query_codes.shape.is_compatible_with((None, self.bits // 8)):
            raise ValueError(
                "Invalid value received for argument `query_codes`. Expected codes as long as the database's, shape "
                f"(q, {self.bits // 8}). Received: shape={tuple(query_codes.shape)}"
            )
        return tf.ensure_shape(query_codes, (None, self.bits // 8))


def _check_codes(codes):
    codes = np.asarray(codes)
    if codes.dtype != np.uint8 or codes.ndim != 2 or not 1 <= codes.shape[1] <= 32:
        raise ValueError(
            "Invalid value received for argument `codes`. Expected packed codes of 8 to 256 bits, uint8 of shape "
            f"(n, l / 8), as `keras_dhnn.codes.pack` makes them. Received: {codes.dtype}, shape={codes.shape}"
        )
    return np.ascontiguousarray(codes)


def _check_labels(labels, size):
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != (size,) or (size and not (labels.dtype.kind in "iu" and labels.min() >= 0)):
        raise ValueError(
            f"Invalid value received for argument `labels`. Expected one integer >= 0 for each of {size} codes. "
            f"Received: {labels.dtype}, shape={labels.shape}" + (f", minimum={labels.min()}" if labels.size else "")
        )
    return labels.astype(np.int32)
