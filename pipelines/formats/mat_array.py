"""Read a numeric array in a MATLAB file a slab at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class MatArray:
    """Describe where an array is and what it is; nothing of it is in memory.

    MATLAB stores the first axis fastest. Read as NumPy arrays are, the axes therefore come in reverse, and so both
    kinds of MATLAB files store one item after the other where items are along MATLAB's last axis.

    Attributes:
        name: of the variable.
        shape: its axes in the order of NumPy, that is, MATLAB's `size` in reverse.
        dtype: NumPy type of its elements.
        read: see `slabs`.
    """

    name: str
    shape: tuple
    dtype: np.dtype
    read: Callable[[int], Iterator[np.ndarray]]

    @property
    def matlab_size(self) -> tuple[int, ...]:
        """Return its axes as MATLAB shows them."""
        return self.shape[::-1]

    def slabs(self, items: int) -> Iterator[np.ndarray]:
        """Read the array from front to back.

        Args:
            items: entries of the first axis to read at a time, from 1.

        Returns:
            Iterator of `(k, *shape[1:])` arrays, `1 <= k <= items`.

        Raises:
            DataError: while iterating, if the file is damaged or cannot be read.
        """
        return self.read(items)
