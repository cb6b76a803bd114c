"""Find the items that are nearest to codes, with their keys and classes, in a graph."""

import json
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_dhnn.saved_models.graph.retrieval import HammingRetrieval
from keras_dhnn.saved_models.index import UNKNOWN, Index

# Class names that a message lists at most.
_LISTED = 100


class Searcher(tf.Module):
    """Search an index as part of an export.

    Keys and classes live in variables, as the codes do, so that the graph stays small however many items there are.

    Args:
        index: the `Index`.
        classes: class names; a label is a position here.
        labels: the labels that items of each class have, where these may be several; None where a class is a label.
    """

    def __init__(
        self,
        index: Index,
        classes: Sequence[str],
        labels: Sequence[Sequence[str]] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        # From 0 for items of no known class, which no search for a class may find.
        numbers = np.asarray(index.labels, np.int32) - UNKNOWN
        self.retrieval = HammingRetrieval(index.codes, numbers)
        self.ids = _texts(index.ids, "ids")
        # Where codes are not grouped, the retrieval's labels are those of the items.
        grouped = self.retrieval.positions is not None
        self.numbers = tf.Variable(numbers, trainable=False, name="labels") if grouped else self.retrieval.labels
        self.classes = _texts(classes, "classes")
        # What a search may ask for. Of several labels each, and the sets that are classes as a whole.
        self.names, self.labels, self.members = self.classes, None, None
        if labels is not None:
            single = list(dict.fromkeys(label for of_class in labels for label in of_class))
            asked = [*single, *(text for text in classes if text not in single)]
            # A row for each of these, the first for anything; a column for each class, the first for none.
            rows = [[label in of_class for of_class in labels] for label in single]
            rows += [[text == of_class for of_class in classes] for text in asked[len(single) :]]
            members = np.pad(np.array(rows, bool), ((1, 0), (1, 0)))
            members[0] = True
            self.names = _texts(asked, "names")
            self.labels = _texts(map(json.dumps, labels), "sets")
            self.members = tf.Variable(members, trainable=False, name="members")

    def search(
        self,
        codes: tf.Tensor,
        k: tf.Tensor | int,
        class_name: tf.Tensor | str | None = None,
        outputs: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Return the nearest items of each query, by distance, then in the order of the index, or first of the outputs.

        Args:
            codes: `(B, l / 8)` uint8.
            k: int32 >= 1, a scalar or one for each query. Rows have as many columns as the largest k, or as the index
                has items if these are fewer; a query's own k ends earlier: then follow the key "", distance -1, label
                -1 and class "". So they do where there are fewer items of a class.
            class_name: string, a scalar or one for each query: only items of this class, or that have this label; ""
                for any. None: of any.
            outputs: `(B, l)` float32 that the codes are the signs of, see `HammingRetrieval.search`; or None.

        Returns:
            Dictionary of `ids` string, `distances` int32, `labels` int32 (-1: not known) and `classes` string, each
            `(B, columns)`.

        Raises:
            tf.errors.InvalidArgumentError: for another k or class, or codes of another length.
        """
        k = self._checked(k, tf.shape(codes)[0])
        label = None if class_name is None else self._label(class_name, tf.shape(codes)[0])
        most = tf.reduce_max(tf.concat([k, [1]], 0))
        if label is None or self.members is None:
            positions, distances = self.retrieval.search(codes, most, label=label, outputs=outputs)
        else:
            positions, distances = self._search_members(codes, most, label, outputs)
        found = (positions >= 0) & (tf.range(tf.shape(positions)[1])[None] < k[:, None])
        positions = tf.where(found, positions, 0)
        labels = tf.where(found, tf.gather(self.numbers, positions) + UNKNOWN, UNKNOWN)
        known = tf.where(labels >= 0, tf.gather(self.classes, tf.maximum(labels, 0)), "")
        return {
            "ids": tf.where(found, tf.gather(self.ids, positions), ""),
            "distances": tf.where(found, distances, -1),
            "labels": labels,
            "classes": known,
        }

    def _search_members(self, codes, k, label, outputs):
        """Return what `retrieval.search` does, each query among the items that have a label, or one of several."""
        numbers = self.numbers[: self.retrieval.size]
        queries = (codes, label) if outputs is None else (codes, label, outputs)

        def one(query):
            code, label, *output = query
            allowed = tf.gather(tf.gather(self.members, tf.maximum(label, 0)), numbers)
            how = {"outputs": output[0][None]} if output else {}
            positions, distances = self.retrieval.search(code[None], k, allowed=allowed, **how)
            return positions[0], distances[0]

        kinds = (tf.TensorSpec((None,), tf.int32),) * 2
        return tf.cond(
            # Of no query `map_fn` cannot say how long its rows would be.
            tf.shape(codes)[0] > 0,
            lambda: tf.map_fn(one, queries, fn_output_signature=kinds),
            lambda: self.retrieval.search(codes, k),
        )

    @staticmethod
    def _checked(k, queries):
        k = _one_each("k as one number", k, queries)
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(k >= 1), ["Expected k from 1. Received", k])]):
            return tf.identity(k)

    def _label(self, class_name, queries):
        """Return what `retrieval` calls a class, `(queries,)` int32: -1 for any, from 1 for those that there are."""
        name = _one_each("class_name as one text", class_name, queries)
        numbers = tf.range(1, tf.size(self.names) + 1)
        found = tf.reduce_sum(tf.where(name[:, None] == self.names, numbers, 0), axis=1)
        label = tf.where(name == "", -1, found)
        message = ["Expected the name of a class, or nothing for any. Received", name, "The classes are", self.names]
        known = tf.debugging.Assert(tf.reduce_all(label != 0), message, summarize=_LISTED)
        with tf.control_dependencies([known]):
            return tf.identity(label)


def _one_each(expected, value, queries):
    """Return a scalar or vector as one value for each query."""
    value = tf.reshape(value, [-1])
    fits = (tf.size(value) == 1) | (tf.size(value) == queries)
    check = tf.debugging.Assert(fits, [f"Expected {expected}, or one for each query. Received", value])
    with tf.control_dependencies([check]):
        return tf.broadcast_to(value, [queries])


def _texts(texts, name):
    values = np.array([str(text).encode() for text in texts], object)
    return tf.Variable(tf.constant(values, tf.string, (len(values),)), trainable=False, name=name)
