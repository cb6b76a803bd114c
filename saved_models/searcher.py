"""Codes to the items that are nearest, with their keys and classes, in a graph."""

import numpy as np
import tensorflow as tf

from keras_dhnn.saved_models.index import UNKNOWN
from keras_dhnn.saved_models.retrieval import HammingRetrieval


class Searcher(tf.Module):
    """An index as part of an export.

    Keys and classes live in variables, as the codes do, so that the graph stays small however many items there are.

    Args:
        index: the `Index`.
        classes: class names; a label is a position here.
    """

    def __init__(self, index, classes, name=None):
        super().__init__(name=name)
        self.retrieval = HammingRetrieval(index.codes)
        self.ids = _texts(index.ids, "ids")
        self.labels = tf.Variable(np.asarray(index.labels, np.int32), trainable=False, name="labels")
        self.classes = _texts(classes, "classes")

    def search(self, codes, k):
        """The nearest items of each query, by distance, then in the order of the index.

        Args:
            codes: `(B, l / 8)` uint8.
            k: int32 >= 1, a scalar or one for each query. Rows have as many columns as the largest k, or as the index
                has items if these are fewer; a query's own k ends earlier: then follow the key "", distance -1, label
                -1 and class "".

        Returns:
            Dictionary of `ids` string, `distances` int32, `labels` int32 (-1: not known) and `classes` string, each
            `(B, columns)`.

        Raises:
            tf.errors.InvalidArgumentError: for another k, or codes of another length.
        """
        k = self._checked(k, tf.shape(codes)[0])
        positions, distances = self.retrieval.search(codes, tf.reduce_max(tf.concat([k, [1]], 0)))
        found = (positions >= 0) & (tf.range(tf.shape(positions)[1])[None] < k[:, None])
        positions = tf.where(found, positions, 0)
        labels = tf.where(found, tf.gather(self.labels, positions), UNKNOWN)
        known = tf.where(labels >= 0, tf.gather(self.classes, tf.maximum(labels, 0)), "")
        return {
            "ids": tf.where(found, tf.gather(self.ids, positions), ""),
            "distances": tf.where(found, distances, -1),
            "labels": labels,
            "classes": known,
        }

    @staticmethod
    def _checked(k, queries):
        k = tf.reshape(k, [-1])
        one_each = (tf.size(k) == 1) | (tf.size(k) == queries)
        checks = [
            tf.debugging.Assert(one_each, ["Expected k as one number, or one for each query. Received", k]),
            tf.debugging.Assert(tf.reduce_all(k >= 1), ["Expected k from 1. Received", k]),
        ]
        with tf.control_dependencies(checks):
            return tf.broadcast_to(k, [queries])


def _texts(texts, name):
    values = np.array([str(text).encode() for text in texts], object)
    return tf.Variable(tf.constant(values, tf.string, (len(values),)), trainable=False, name=name)
