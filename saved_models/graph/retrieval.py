"""Find exact nearest neighbours of hash codes by stock TensorFlow operations: what an export searches with."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_dhnn.codes import to_words
from keras_dhnn.errors import invalid
from keras_dhnn.saved_models.graph.block_top_k import NO_CLASS, count_within, fill_block, nearest, query_words, tiling
from keras_dhnn.saved_models.graph.code_groups import Database, group, only_allowed
from keras_dhnn.saved_models.graph.expansion import expand
from keras_dhnn.saved_models.graph.tie_order import order_ties

# Of a code that is searched, at most.
MOST_BITS = 256
# Of a label.
MOST_LABEL = 2**31 - 1
# Items that one tile of queries may have to sort at once, 8 bytes each.
TILE_ITEMS = 2**24


class HammingRetrieval(tf.Module):
    """Find exact k nearest neighbours in a database of packed hash codes that lives in a graph.

    The codes are non-trainable variables, so that they are saved beside the graph and not inside it. Equal codes are
    stored once where that pays (`code_groups`). Positions are those of a stable sort by (distance, position), or by
    (distance, inner product with a query's outputs, position) where these are given.

    Args:
        codes: `(n, l / 8)` uint8, as `codes.pack` makes them, `l` from 8 to 256.
        labels: `(n,)` integers from 0 to 2^31 - 1, or None if no search asks for one class.
        name: of the module.

    Attributes:
        size: n.
        bits: l.
        distinct: number m of codes that a search looks at: distinct (code, label) where equal ones are grouped, else n.

    Raises:
        ValueError: if the codes are not packed codes of 8 to 256 bits, or there is not one such label for each.
    """

    def __init__(
        self, codes: np.ndarray, labels: Sequence[int] | np.ndarray | None = None, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        codes, numbers = _check_codes(codes), _check_labels(labels, len(codes))
        self.size, self.bits = len(codes), 8 * codes.shape[1]
        words, starts, positions = to_words(codes), None, None
        groups = group(words, numbers)
        if groups is not None:
            words, numbers, starts, positions = groups
        self.distinct = len(words)
        words = fill_block(words)
        self.words = [_variable(np.ascontiguousarray(word), "words") for word in words.T]
        self.labels = _variable(
            None if numbers is None else np.pad(numbers, (0, len(words) - len(numbers)), "edge"), "labels"
        )
        self.starts, self.positions = _variable(starts, "starts"), _variable(positions, "positions")
        self._define_functions()

    def search(
        self,
        query_codes: tf.Tensor | np.ndarray,
        k: tf.Tensor | int,
        *,
        label: tf.Tensor | int | None = None,
        allowed: tf.Tensor | np.ndarray | None = None,
        outputs: tf.Tensor | np.ndarray | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the k nearest codes of each query, by (distance, position).

        Where a filter leaves fewer than k, the rest of a row has position -1 and distance l + 1.

        Args:
            query_codes: `(q, l / 8)` uint8.
            k: scalar int32 >= 0, may be a tensor.
            label: scalar or `(q,)` int32: only positions of this label; -1 for any. Others below 0 find nothing.
            allowed: `(n,)` bool: only these positions. Costs a pass over all positions in each call.
            outputs: `(q, l)` real outputs that the queries' codes are the signs of: of equal distances that comes first
                whose signs have the greatest inner product with them, as an archive's `rank="asymmetric"`. Costs a
                second scan.

        Returns:
            Positions and distances, both `(q, min(k, n))` int32.

        Raises:
            ValueError: if the queries are no packed codes or of other length, a label is asked for and there are none,
                or there are not as many outputs as queries.
        """
        query_codes, k = self._check_queries(query_codes), tf.convert_to_tensor(k, tf.int32)
        if self.size == 0:
            empty = tf.zeros((tf.shape(query_codes)[0], 0), tf.int32)
            return empty, empty
        if outputs is not None:
            return self._search_ordered(query_codes, k, label, allowed, self._check_outputs(outputs, query_codes))
        if label is None and allowed is None:
            return self._search_all(query_codes, k)
        label = self._check_label(label, query_codes)
        if allowed is None:
            return self._search_label(query_codes, k, label)
        return self._search_allowed(query_codes, k, label, self._check_allowed(allowed))

    def _search_ordered(self, query_codes, k, label, allowed, outputs):
        found = self.search(query_codes, k, label=label, allowed=allowed)
        label = self._check_label(label, query_codes)
        allowed = None if allowed is None else self._check_allowed(allowed)

        def ordered() -> tuple[tf.Tensor, tf.Tensor]:
            if allowed is None:
                return self._order_label(query_codes, outputs, *found, label)
            return self._order_allowed(query_codes, outputs, *found, label, allowed)

        # Of no query there is nothing to put in order, and `map_fn` cannot say how long its rows would be.
        return tf.cond(tf.shape(query_codes)[0] > 0, ordered, lambda: found)

    def radius_search(
        self, query_codes: tf.Tensor | np.ndarray, radius: tf.Tensor | int
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return all codes within a distance of each query, by (distance, position).

        Args:
            query_codes: `(q, l / 8)` uint8.
            radius: scalar int32, may be a tensor.

        Returns:
            Positions `(r,)` and distances `(r,)` int32 of all queries one after the other, and `(q + 1,)` int64
            row splits: those of query i are at `splits[i]` to `splits[i + 1]`.

        Raises:
            ValueError: if the queries are no packed codes, or of other length.
        """
        query_codes = self._check_queries(query_codes)
        if self.size == 0:
            empty = tf.zeros((0,), tf.int32)
            return empty, empty, tf.zeros((tf.shape(query_codes)[0] + 1,), tf.int64)
        return self._radius_search(query_codes, tf.convert_to_tensor(radius, tf.int32))

    def _define_functions(self):
        codes, k = tf.TensorSpec((None, self.bits // 8), tf.uint8), tf.TensorSpec((), tf.int32)
        label, allowed = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((self.size,), tf.bool)

        def define(function: Callable, *signature: tf.TensorSpec) -> Callable:
            return tf.function(function, input_signature=signature, autograph=False)

        self._search_all = define(lambda codes, k: self._search_tiles(codes, k, None, None), codes, k)
        self._search_label = define(lambda codes, k, label: self._search_tiles(codes, k, label, None), codes, k, label)
        self._search_allowed = define(self._search_tiles, codes, k, label, allowed)
        outputs, found = tf.TensorSpec((None, self.bits), tf.float32), tf.TensorSpec((None, None), tf.int32)
        self._order_label = define(lambda *given: self._order_ties(*given, None), codes, outputs, found, found, label)
        self._order_allowed = define(self._order_ties, codes, outputs, found, found, label, allowed)
        self._radius_search = define(self._radius_search_tiles, codes, k)

    def _search_tiles(self, query_codes, k, label, allowed):
        queries, k = tf.shape(query_codes)[0], tf.minimum(k, self.size)
        database = self._database(label is not None, allowed)

        def answer(query_codes: tf.Tensor, label: tf.Tensor | None) -> list[tf.Tensor]:
            found = self._nearest(database, query_codes, k, label)
            return [tf.reshape(part, [-1]) for part in found]

        positions, distances = _by_tiles(answer, self._tile(k), 2, query_codes, label)
        return tf.reshape(positions, [queries, k]), tf.reshape(distances, [queries, k])

    def _order_ties(self, query_codes, outputs, positions, distances, label, allowed):
        """Return what was found, positions and distances `(q, k)`, anew: in another order inside ties."""
        database, k = self._database(self.labels is not None, allowed), tf.shape(positions)[1]

        def one(given):
            words, outputs, bound, label = given
            return order_ties(database, self.distinct, tf.unstack(words), outputs, bound, k, label)

        words, kinds = tf.stack(query_words(query_codes), axis=1), [tf.TensorSpec((None,), tf.int32)] * 2
        bounds = tf.reduce_max(distances, axis=1)
        positions, distances = tf.map_fn(one, (words, outputs, bounds, label), fn_output_signature=tuple(kinds))
        return positions, distances

    def _radius_search_tiles(self, query_codes, radius):
        database = self._database(False, None)
        sizes = None if self.starts is None else self.starts[1:] - self.starts[:-1]

        def answer(query_codes: tf.Tensor, _: None) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            counts = count_within(query_words(query_codes), database.words, self.distinct, self.bits, radius, sizes)
            positions, distances = self._nearest(
                database, query_codes, tf.reduce_max(tf.concat([counts, [0]], 0)), None
            )
            within = distances <= radius
            return positions[within], distances[within], counts

        positions, distances, counts = _by_tiles(answer, self._tile(self.size), 3, query_codes, None)
        return positions, distances, tf.concat([[0], tf.cumsum(tf.cast(counts, tf.int64))], 0)

    def _nearest(self, database, query_codes, k, label):
        """Return positions and distances `(t, k)` of one tile of queries."""
        groups = tf.minimum(k, self.distinct)
        indices, distances = nearest(
            query_words(query_codes), database.words, self.distinct, groups, self.bits, database.classes, label
        )
        if self.positions is None:
            return tf.where(distances > self.bits, -1, indices), distances
        if database.order is not None:
            indices = tf.gather(database.order, indices)
        starts = tf.gather(database.starts, indices)
        sizes = tf.gather(database.starts, indices + 1) - starts
        return expand(distances, starts, sizes, database.positions, k, self.bits + 1)

    def _database(self, by_label, allowed):
        """Return what is searched: all, or what `allowed` `(n,)` leaves."""
        words = [word.read_value() for word in self.words]
        database = Database(words, self.labels if by_label else None, self.starts, self.positions, None)
        if allowed is None:
            return database
        if self.positions is None:
            classes = 0 if self.labels is None else self.labels[: self.size]
            classes = tf.where(allowed, classes, NO_CLASS)
            filling = [[0, words[0].shape[0] - self.size]]
            return database._replace(classes=tf.pad(classes, filling, constant_values=NO_CLASS))
        return only_allowed(database, self.labels, allowed)

    def _tile(self, k):
        """Return queries searched at a time; fewer where their items would take too much memory, `min(k^2, n)` at
        worst.
        """
        k, n = tf.cast(k, tf.int64), tf.constant(self.size, tf.int64)
        fitting = TILE_ITEMS // tf.maximum(tf.minimum(k * k, n), 1)
        return tf.cast(tf.clip_by_value(fitting, 1, tiling(self.distinct)[0]), tf.int32)

    def _check_label(self, label, query_codes):
        """Return `(q,)` int32."""
        label = -1 if label is None else label
        if self.labels is None and not (isinstance(label, int) and label == -1):
            raise ValueError(
                invalid("argument `label`", "None, since there are no labels: give them to the constructor", label)
            )
        return tf.broadcast_to(tf.convert_to_tensor(label, tf.int32), [tf.shape(query_codes)[0]])

    def _check_allowed(self, allowed):
        allowed = tf.convert_to_tensor(allowed)
        if allowed.dtype != tf.bool or not allowed.shape.is_compatible_with((self.size,)):
            raise ValueError(
                invalid(
                    "argument `allowed`",
                    f"one bool for each of {self.size} codes",
                    allowed.dtype.name,
                    shape=tuple(allowed.shape),
                )
            )
        return allowed

    def _check_outputs(self, outputs, query_codes):
        outputs, queries = tf.cast(tf.convert_to_tensor(outputs), tf.float32), query_codes.shape[0]
        if not outputs.shape.is_compatible_with((queries, self.bits)):
            expected = f"the queries' real outputs, shape ({'q' if queries is None else queries}, {self.bits})"
            raise ValueError(invalid("argument `outputs`", expected, shape=tuple(outputs.shape)))
        return outputs

    def _check_queries(self, query_codes):
        query_codes = tf.convert_to_tensor(query_codes)
        if query_codes.dtype != tf.uint8 or not query_codes.shape.is_compatible_with((None, self.bits // 8)):
            expected = f"packed codes as long as the database's, uint8 of shape (q, {self.bits // 8})"
            raise ValueError(
                invalid("argument `query_codes`", expected, query_codes.dtype.name, shape=tuple(query_codes.shape))
            )
        return query_codes


def _check_codes(codes):
    codes = np.asarray(codes)
    if codes.dtype != np.uint8 or codes.ndim != 2 or not 8 <= 8 * codes.shape[1] <= MOST_BITS:
        raise ValueError(
            invalid(
                "argument `codes`",
                f"packed codes of 8 to {MOST_BITS} bits, uint8 of shape (n, l / 8), as `keras_dhnn.codes.pack` makes "
                "them",
                codes.dtype,
                shape=codes.shape,
            )
        )
    return np.ascontiguousarray(codes)


def _check_labels(labels, size):
    if labels is None:
        return None
    labels = np.asarray(labels)
    fits = labels.dtype.kind in "iu" and (size == 0 or (labels.min() >= 0 and labels.max() <= MOST_LABEL))
    if labels.shape != (size,) or (size and not fits):
        ends = {"smallest": labels.min().item(), "largest": labels.max().item()} if labels.size else {}
        expected = f"one integer from 0 to {MOST_LABEL} for each of {size} codes"
        raise ValueError(invalid("argument `labels`", expected, str(labels.dtype), shape=labels.shape, **ends))
    return labels.astype(np.int32)


def _variable(value, name):
    return None if value is None else tf.Variable(value, trainable=False, name=name)


def _by_tiles(answer, tile, outputs, query_codes, label):
    """Call `answer` for one tile of queries after the other, two at a time, and join the vectors that it returns.

    Args:
        answer: function of codes `(t, l / 8)` and labels `(t,)` or None that returns int32 vectors.
        tile: scalar int32, queries at a time.
        outputs: how many vectors.
        query_codes: `(q, l / 8)` uint8.
        label: `(q,)` int32, or None.
    """
    queries = tf.shape(query_codes)[0]
    tiles = -(-queries // tile)

    def by_loop() -> list[tf.Tensor]:
        arrays = [tf.TensorArray(tf.int32, tiles, element_shape=(None,), infer_shape=False) for _ in range(outputs)]

        def body(i: tf.Tensor, *arrays: tf.TensorArray) -> tuple:
            rows = slice(i * tile, (i + 1) * tile)
            parts = answer(query_codes[rows], None if label is None else label[rows])
            return i + 1, *(array.write(i, part) for array, part in zip(arrays, parts, strict=True))

        _, *arrays = tf.while_loop(lambda i, *_: i < tiles, body, (0, *arrays), parallel_iterations=2)
        return [array.concat() for array in arrays]

    # A loop costs a tenth of a millisecond, which a single query need not pay.
    return tf.cond(tiles <= 1, lambda: list(answer(query_codes, label)), by_loop)
