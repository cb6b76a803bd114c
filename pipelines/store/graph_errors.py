"""Bring what reading raises inside a TensorFlow graph out of it as it was raised."""

import contextlib
import functools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from keras_dhnn.errors import DataError

_last: list[DataError | OSError] = []  # one at most


def in_graph(read: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function for `tf.numpy_function`; what it raises of damaged or unreadable files, `as_raised` raises."""

    @functools.wraps(read)
    def reading(index: np.ndarray) -> np.ndarray:
        try:
            return read(index)
        except (DataError, OSError) as error:
            _last[:] = [error]
            raise

    return reading


@contextlib.contextmanager
def as_raised() -> Iterator[None]:
    """Raise what a function of `in_graph` raised, where TensorFlow gives an error of its own with that message."""
    try:
        yield
    except tf.errors.OpError as error:
        for cause in _last:
            if str(cause) in str(error):
                raise cause from None
        raise
