"""Describe what is searched for: codes, and where they are known the outputs or features that codes are made of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.codes import pack, unpack

# Of "like these, unlike those" so many of the nearest are put in order by the bits' weights.
WEIGHED = 5000


@dataclass(frozen=True)
class Queries:
    """Describe one or several queries.

    Attributes:
        codes: `(q, l / 8)` uint8.
        outputs: `(q, l)` real outputs of the hash layer, by which equal distances can be put in order; or None.
        features: `(q, d)` real or int8 features, as the archive keeps them; or None.
    """

    codes: np.ndarray
    outputs: np.ndarray | None = None
    features: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def from_outputs(cls, outputs: ArrayLike, features: np.ndarray | None = None) -> "Queries":
        """Return the queries with these real outputs `(q, l)`."""
        return cls(pack(outputs), np.asarray(outputs, np.float32), features)


def combine(liked: Queries, unliked: Queries | None = None, weight: float = 0.5) -> Queries:
    """Return one query that is like some items and unlike others (Rocchio's rule, on signs).

    Each bit is weighed by how much the liked items agree on it and the unliked ones do not share it.

    Args:
        liked: `Queries` of one item or more.
        unliked: `Queries`, or None.
        weight: of the unliked.

    Returns:
        `Queries` of one, with outputs.
    """
    outputs = unpack(liked.codes).mean(axis=0, dtype=np.float64)
    features = None if liked.features is None else np.asarray(liked.features, np.float32).mean(axis=0)
    if unliked is not None and len(unliked):
        outputs = outputs - weight * unpack(unliked.codes).mean(axis=0, dtype=np.float64)
        if features is not None:
            features = features - weight * np.asarray(unliked.features, np.float32).mean(axis=0)
    # A bit on which the weights cancel is as the first liked item's.
    outputs = np.where(outputs == 0, 1e-6 * unpack(liked.codes[:1])[0], outputs)
    return Queries.from_outputs(outputs[None], None if features is None else features[None])
