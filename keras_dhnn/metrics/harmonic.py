"""Differences of harmonic numbers: what a sum of precisions over a tie comes down to."""

import numpy as np
from scipy.special import digamma

# From here on the series below is exact to the last digit of float64.
_SERIES_FROM = 64


def harmonic_difference(start, count):
    """`H(start + count) - H(start)`, that is the sum of `1 / (start + i)` over `i = 1..count`.

    The plain difference of two digammas is right to 1e-15, which is not enough: average precision multiplies
    it by as much as the database's size. So large `start` takes the difference of digamma's asymptotic series
    term by term, which is right to 1e-16 of its own value.

    Args:
        start: integers >= 0, any shape.
        count: integers >= 0, broadcast against `start`.

    Returns:
        float64 of the broadcast shape.
    """
    first, count = np.broadcast_arrays(np.asarray(start, np.float64) + 1, np.asarray(count, np.float64))
    few = np.minimum(first, _SERIES_FROM)
    difference = digamma(few + count) - digamma(few)
    return np.where(first < _SERIES_FROM, difference, _series(np.maximum(first, _SERIES_FROM), count))


def _series(x, m):
    """`digamma(x + m) - digamma(x)` for large x, without subtracting nearly equal numbers."""
    u, v = 1 / x, 1 / (x + m)
    powers_1 = m * u * v  # u - v
    powers_2 = powers_1 * (u + v)  # u^2 - v^2
    u, v = u * u, v * v
    return (
        np.log1p(m / x)
        + powers_1 / 2
        + powers_2 / 12
        - powers_2 * (u + v) / 120
        + powers_2 * (u * u + u * v + v * v) / 252
    )
