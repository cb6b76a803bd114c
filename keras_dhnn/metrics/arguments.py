"""Check the arguments that the metrics share."""

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.codes import check_packed
from keras_dhnn.errors import invalid


def check_codes(query_codes: ArrayLike, database_codes: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays.

    Raises:
        ValueError: unless they are packed codes of equal length and neither is empty.
    """
    query_codes = check_packed("query_codes", query_codes, 1)
    database_codes = check_packed("database_codes", database_codes, 1)
    bits, database_bits = 8 * query_codes.shape[1], 8 * database_codes.shape[1]
    if bits != database_bits:
        expected = f"codes as long as the queries', {bits} bits"
        raise ValueError(invalid("argument `database_codes`", expected, bits=database_bits))
    return query_codes, database_codes


def check_length(name: str, labels: ArrayLike, items: int) -> np.ndarray:
    """Return the labels as an array.

    Raises:
        ValueError: unless there is one (or a row of them) for each item.
    """
    labels = np.asarray(labels)
    if labels.ndim == 0 or len(labels) != items:
        raise ValueError(
            invalid(f"argument `{name}`", f"the labels of {items} items, as many as codes", shape=labels.shape)
        )
    return labels


def check_cutoff(name: str, k: int | None) -> int | None:
    """Return a cut-off as int, or None for the whole ranking.

    Raises:
        ValueError: if it is neither.
    """
    if k is None:
        return None
    return check_integer(name, k, smallest=1)


def check_integer(name: str, value: Any, smallest: int) -> int:
    """Return the value as int.

    Raises:
        ValueError: unless it is an integer of at least `smallest`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = smallest - 1
    if number < smallest:
        raise ValueError(invalid(f"argument `{name}`", f"an integer of at least {smallest}", value))
    return number
