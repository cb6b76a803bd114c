"""Tell what a distance is worth: how often an item at it is of the query's label, or how rare such a distance is.

Where an archive has labels, some labelled items search the others, and for every distance d it is counted how many of
the items at d share the query's label. The shares are made to fall with d (isotonic regression, pool adjacent
violators), which noise alone prevents them from. Queries of an archive are taken for what users will ask; each item is
left out of its own search.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from keras_dhnn.archive import manifest
from keras_dhnn.archive.labels import membership
from keras_dhnn.archive.ranking import ranks_within
from keras_dhnn.archive.results import Results
from keras_dhnn.archive.schema import code_columns, table_codes
from keras_dhnn.codes import hamming_distances
from keras_dhnn.errors import DataError
from keras_dhnn.files import check_kind

if TYPE_CHECKING:
    from keras_dhnn.archive.store import Archive

FILE = "calibration.json"
_KINDS = {"precision": (list, type(None)), "background": list, "queries": int, "rows": int}
_ROUNDED = 1e-9
_QUERIES = 1000
_ITEMS = 200_000
_CHUNK = 32


@dataclass(frozen=True)
class Calibration:
    """Hold the calibration of one image source.

    Attributes:
        precision: `(l + 1,)` share of the items at each distance that have the query's label; None without labels.
        background: `(l + 1,)` share of random pairs that are at this distance or nearer.
        queries: how many items searched.
        rows: how many were searched.
    """

    precision: np.ndarray | None
    background: np.ndarray
    queries: int
    rows: int

    @property
    def farthest(self) -> int:
        """Return the largest distance at which there was a pair: what is said of greater ones is the same."""
        return int(np.argmax(self.background))

    def radius_for(self, precision: float, counts: np.ndarray) -> int:
        """Return the largest distance at which a list is still expected to be right to a share.

        Args:
            precision: the share, 0 to 1.
            counts: `(l + 1,)` items found at each distance.

        Returns:
            Distance, -1 if already the nearest items fall short.
        """
        right, found = np.cumsum(counts * self.precision), np.cumsum(counts)
        enough = (right >= precision * found) & (counts > 0)
        # Precision falls with distance, so the list's mean falls too: the last distance that is good enough.
        return int(np.flatnonzero(enough)[-1]) if enough.any() else -1


def measure(
    codes: np.ndarray, labels: Sequence[str | None], *, queries: int = _QUERIES, items: int = _ITEMS, seed: int = 0
) -> Calibration:
    """Measure what distances are worth.

    Args:
        codes: `(n, l / 8)` uint8.
        labels: list of n texts, None where there is none; of several (`a|b`) one in common is enough.
        queries: how many items search at most.
        items: among how many at most.
        seed: of the choice of both.

    Returns:
        `Calibration`; its `precision` is None if no two items share a label.
    """
    rng = np.random.default_rng(seed)
    members = membership(labels)
    known = np.flatnonzero(members.any(axis=1))
    among = rng.permutation(len(codes))[:items]
    searched = rng.permutation(known if len(known) else len(codes))[:queries]
    right, labelled, every = _counts(codes, members, searched, among)
    precision = _falling(right, labelled) if right.sum() else None
    return Calibration(precision, np.cumsum(every) / max(every.sum(), 1), len(searched), len(among))


def calibrate(archive: "Archive", source: str | None = None, *, queries: int = _QUERIES, seed: int = 0) -> Calibration:
    """Measure an archive's distances and keep the result with it.

    Args:
        archive: `Archive`.
        source: the image source; may be left out where there is one.
        queries: how many items search at most.
        seed: of their choice.

    Returns:
        `Calibration`.

    Raises:
        DataError: if the archive has fewer than two items, or cannot be written.
    """
    source = archive.source(source)
    rows = archive.rows(["id", "label", *code_columns(archive.identity.bits)], source)
    if len(rows) < 2:
        raise DataError(f"{archive.root} has {len(rows)} item(s) of {source!r}. Calibration takes two at least.")
    measured = measure(table_codes(rows, archive.identity.bits), rows["label"].to_pylist(), queries=queries, seed=seed)
    with manifest.locked(archive.root):
        kept = manifest.load_json(archive.root / FILE)
        manifest.replace_json(archive.root / FILE, kept | {source: _to_json(measured)})
    return measured


def load_calibration(archive: "Archive", source: str) -> Calibration | None:
    """Return the `Calibration` that is kept with an archive, None if it has none of that source.

    Raises:
        DataError: if it is damaged.
    """
    kept = manifest.load_json(archive.root / FILE).get(source)
    if kept is None:
        return None
    try:
        check_kind(kept, _KINDS, f"its {source!r}")
        precision = None if kept["precision"] is None else _shares(kept["precision"], archive.identity.bits)
        background = _shares(kept["background"], archive.identity.bits)
    except ValueError as error:
        raise DataError(
            f"{archive.root / FILE} is damaged: {error}. Remove it, then measure again: "
            f"keras-dhnn archive calibrate {archive.root}"
        ) from error
    return Calibration(precision, background, kept["queries"], kept["rows"])


def _shares(values, bits):
    """Return shares from JSON, one for each distance, as an array."""
    check_kind(values, [float], "one of its lists")
    if len(values) != bits + 1 or not all(-_ROUNDED <= value <= 1 + _ROUNDED for value in values):
        raise ValueError(f"one of its lists is not {bits + 1} numbers from 0 to 1")
    return np.array(values, np.float64)


def with_precision(results: Results, calibration: Calibration | None, least: float | None = None) -> Results:
    """Return results with what is expected of each distance, cut where a list falls short.

    Args:
        results: `Results`.
        calibration: `Calibration`, or None.
        least: the share of a list that is to be right; None: nothing is cut.

    Returns:
        `Results` with the column `precision` (of labelled archives) or `background` (the share of random pairs that are
        as near) where there is a calibration.

    Raises:
        DataError: if something is to be cut and the archive's labels were never calibrated.
    """
    if least is not None and (calibration is None or calibration.precision is None):
        raise DataError(
            "Where to cut is learned from an archive's labels: run keras-dhnn archive calibrate ARCHIVE first. "
            "Archives without labels are cut by --radius or -k."
        )
    if calibration is None:
        return results
    table = results.table
    distances = table["distance"].to_numpy()
    name = "background" if calibration.precision is None else "precision"
    table = table.append_column(name, pa.array(getattr(calibration, name)[distances]))
    if least is not None:
        table = table.filter(pa.array(_kept(table["query"].to_numpy(), distances, calibration, least)))
        # Small distances are in no order where features order them: what was taken out may have been in between.
        ranks = pa.array(ranks_within(table["query"].to_numpy()).astype(np.int32))
        table = table.set_column(table.column_names.index("rank"), "rank", ranks)
    return Results(table, results.source)


def _kept(query, distances, calibration, least):
    kept = np.zeros(len(query), bool)
    for number in np.unique(query):
        own = query == number
        counts = np.bincount(distances[own], minlength=len(calibration.precision))
        kept[own] = distances[own] <= calibration.radius_for(least, counts)
    return kept


def _to_json(measured):
    precision = None if measured.precision is None else measured.precision.tolist()
    return {
        "precision": precision,
        "background": measured.background.tolist(),
        "queries": measured.queries,
        "rows": measured.rows,
    }


def _counts(codes, members, searched, among):
    """Return pairs at each distance, no item with itself: with a label in common, of two labelled items, all;
    `(l + 1,)` each.
    """
    bits, labelled_items = 8 * codes.shape[1], members.any(axis=1)
    # One product tells which of many pairs have a label in common.
    of_items = members[among].astype(np.float32)
    right, labelled, every = np.zeros((3, bits + 1), np.int64)
    for first in range(0, len(searched), _CHUNK):
        queries = searched[first : first + _CHUNK]
        distances = hamming_distances(codes[queries], codes[among])
        other = queries[:, None] != among[None]
        known = other & labelled_items[queries][:, None] & labelled_items[among][None]
        same = known & (members[queries].astype(np.float32) @ of_items.T > 0)
        for counts, pairs in ((right, same), (labelled, known), (every, other)):
            counts += np.bincount(distances[pairs], minlength=bits + 1)
    return right, labelled, every


def _falling(right, total):
    """Return shares `right / total` that never rise from left to right; where there is no pair, as at its
    neighbours.
    """
    from sklearn.isotonic import IsotonicRegression

    met = np.flatnonzero(total)
    regression = IsotonicRegression(increasing=False, out_of_bounds="clip")
    regression.fit(met, right[met] / total[met], sample_weight=total[met])
    return regression.predict(np.arange(len(total)))
