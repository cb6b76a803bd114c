"""Measure what can be said of codes without labels: whether they find what the float features find."""

from collections.abc import Sequence

import numpy as np

from keras_dhnn.codes import hamming_distances, pack
from keras_dhnn.directions import unit_rows
from keras_dhnn.pipelines.splits import Split

AT = (10, 100)
_BLOCK_BYTES = 64 << 20


def neighbour_agreement(
    outputs: np.ndarray, features: np.ndarray, split: Split, at: Sequence[int] = AT
) -> dict[str, float]:
    """Return the share of the float features' nearest neighbours that are among the codes' nearest, by k.

    Both search the whole database of a split with its queries: features by cosine, codes by Hamming distance, where of
    those at one distance every order counts alike.

    Args:
        outputs: `(n, l)` real, hash outputs of all items.
        features: `(n, d)` real, float features of all items.
        split: the `Split`.
        at: numbers of neighbours; those beyond the database's size are left out.

    Returns:
        `{k: mean over queries}`.
    """
    codes, database, queries = pack(outputs), split.database, split.queries
    searched = unit_rows(np.asarray(features[database], np.float32))
    found = {k: 0.0 for k in at if k <= len(database)}
    step = max(1, _BLOCK_BYTES // (8 * len(database)))
    for first in range(0, len(queries), step):
        block = queries[first : first + step]
        distances = hamming_distances(codes[block], codes[database])
        similarities = unit_rows(np.asarray(features[block], np.float32)) @ searched.T
        for k in found:
            found[k] += _shared(distances, similarities, k).sum()
    return {str(k): float(total / len(queries)) for k, total in found.items()}


def _shared(distances, similarities, k):
    """Return `(q,)` expected share of the k most similar items that are among the k nearest."""
    neighbours = np.argpartition(-similarities, k - 1, axis=1)[:, :k]
    theirs = np.take_along_axis(distances, neighbours, axis=1)
    ranked = np.sort(distances, axis=1)
    shares = []
    for row, own in zip(ranked, theirs, strict=True):
        before, upto = np.searchsorted(row, own), np.searchsorted(row, own, side="right")
        shares.append(np.clip((k - before) / (upto - before), 0, 1).mean())
    return np.array(shares)
