"""Find all images of a data set that show the same as another, and which belong together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from keras_dhnn.evaluation.leakage.copies import find_copies
from keras_dhnn.evaluation.leakage.fingerprints import take_fingerprints
from keras_dhnn.evaluation.leakage.lookalikes import find_lookalikes
from keras_dhnn.evaluation.leakage.overlaps import find_overlaps
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.progress import Bar, no_bar

# Of 256 bits. Edited copies (JPEG, brightness, noise, 2 pixels cut away) stay below; in UC Merced no two others do.
THRESHOLD = 40
KINDS = ("copy", "lookalike", "overlap")


@dataclass(frozen=True)
class Pair:
    """Describe two images that show the same.

    Attributes:
        kind: "copy" (equal pixels), "lookalike" (near perceptual hashes) or "overlap" (crops that share ground).
        first: number of a stored image.
        second: number of the other.
        symmetry: the first looks like the second under this one, see `leakage.symmetries`.
        distance: of their perceptual hashes, in bits of 256; None for an overlap.
        share: of the area, what both show: 1 but for an overlap.
        shift: (rows, columns) by which the second, so turned, is to be moved onto the first.
        correlation: of the pixels that both show; None but for an overlap.
    """

    kind: str
    first: int
    second: int
    symmetry: int
    distance: int | None = 0
    share: float = 1.0
    shift: tuple = (0, 0)
    correlation: float | None = None


def find_pairs(info: DatasetInfo, threshold: int = THRESHOLD, bar: Bar = no_bar) -> list[Pair]:
    """Return all images of a data set that show the same as another.

    Args:
        info: `DatasetInfo`; of two sources the one with the finest pixels is looked at.
        threshold: largest distance of two perceptual hashes of 256 bits, for lookalikes.
        bar: progress bar factory `bar(description, total, unit)`.

    Returns:
        List of `Pair`, the worst first. Of copies each is paired with the first of its kind only, and stands back for
        it in the other kinds of pairs.
    """
    with bar("Looking at the images", info.count, "image") as update:
        prints = take_fingerprints(info, update)
    first, symmetries = find_copies(info, prints.contents)
    originals = np.flatnonzero(first == np.arange(info.count))
    copies = np.flatnonzero(first != np.arange(info.count))
    pairs = [Pair("copy", int(first[copy]), int(copy), int(symmetries[copy])) for copy in copies]
    with bar("Comparing them", len(originals), "image") as update:
        alike, distances, symmetries = find_lookalikes(prints.hashes[originals], threshold, update)
    for (one, other), distance, symmetry in zip(originals[alike].tolist(), distances, symmetries, strict=True):
        pairs.append(Pair("lookalike", one, other, int(symmetry), int(distance)))
    known = {(pair.first, pair.second) for pair in pairs}
    with bar("Checking overlaps", None, "pair") as update:
        for found in find_overlaps(info, prints, originals, update):
            if (found.first, found.second) not in known:
                where: dict[str, Any] = {"share": found.share, "shift": found.shift, "correlation": found.correlation}
                pairs.append(Pair("overlap", found.first, found.second, found.symmetry, None, **where))
    return sorted(pairs, key=lambda pair: (KINDS.index(pair.kind), pair.distance or 0, -pair.share))


def groups_of(pairs: Sequence[Pair], count: int) -> np.ndarray:
    """Return images that are connected by pairs: `(count,)` int64, equal numbers stay together."""
    one, other = np.array([(pair.first, pair.second) for pair in pairs], np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(pairs), bool), (one, other)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)
