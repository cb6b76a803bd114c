"""Sums of precision in the stable order: by distance, and among equal distances by the items' numbers.

Bins in which all items are relevant, or none, need no order: their sum is closed-form. Only the items of
mixed bins are ordered, a chunk at a time, each chunk continuing where those before it have left every bin.
"""

import numpy as np

from keras_dhnn.metrics.ties import earlier, optimistic_sums

# While at most one item in this many lies in a mixed bin, collecting these is faster than ordering all.
_FEW = 32
# Items ordered at a time: what they need stays in the processor's cache.
_CHUNK = 2**16


def stable_sums(tied, relevant, distances, is_relevant, groups, excluded, cutoffs):
    """Sum over the relevant ranks i of precision at i, for one query in the stable order.

    Args:
        tied: `(l + 1,)` integers, database items at each distance (without an excluded one).
        relevant: `(l + 1,)` integers, the relevant ones among them.
        distances: `(g,)` unsigned, distance of each group of database items.
        is_relevant: `(m,)` bool, of each item.
        groups: `Groups` of the database.
        excluded: the database item that is left out, or -1.
        cutoffs: cut-offs k, each an integer or None for the whole ranking.

    Returns:
        `(cutoffs,)` float64.
    """
    mixed = (relevant > 0) & (relevant < tied)
    few = _FEW * tied[mixed].sum() <= tied.sum()
    closed = ~mixed if few else np.zeros_like(mixed)
    sums = np.array([optimistic_sums(tied, relevant, k)[closed].sum() for k in cutoffs])
    if few and not mixed.any():
        return sums
    items = np.sort(groups.members(np.flatnonzero(mixed[distances]))) if few else None
    orders = []
    for chunk in _chunks(len(is_relevant), items, excluded):
        of_chunk = distances[chunk] if groups.all_distinct else distances[groups.of_item[chunk]]
        orders.append(_chunk_order(of_chunk, is_relevant[chunk], len(tied)))
    ranks, precision = _precision(orders, earlier(tied), earlier(relevant))
    return sums + [precision.sum() if k is None else precision[ranks <= k].sum() for k in cutoffs]


def _chunks(total, items, excluded):
    """Runs of some items, or of all `total` if None, without the excluded one: slices or numbers."""
    if items is not None:
        items = items[items != excluded]
        yield from np.split(items, range(_CHUNK, len(items), _CHUNK))
        return
    parts = [(0, total)] if excluded < 0 else [(0, excluded), (excluded + 1, total)]
    for first, end in parts:
        for start in range(first, end, _CHUNK):
            yield slice(start, min(start + _CHUNK, end))


def _chunk_order(distances, is_relevant, bins):
    """A run of items in the stable order.

    Args:
        distances: `(c,)` unsigned.
        is_relevant: `(c,)` bool.
        bins: l + 1.

    Returns:
        (positions, items, relevant): `(r,)` positions of the relevant items, from 0, ascending; and how many
        items, and relevant items, are nearer than each distance, `(l + 2,)` each.
    """
    # Stable sorting of 8- and 16-bit integers is a radix sort: a pass or two over the items.
    order = np.argsort(distances, kind="stable")
    # Distance and relevance travel as one small number, since following the order is what costs.
    kind = np.uint8 if bins < 128 else np.uint16
    ordered = ((distances.astype(kind) << 1) | is_relevant)[order]
    positions = np.flatnonzero((ordered & 1).astype(bool))
    edges = np.arange(bins + 1, dtype=kind) << 1
    return positions, np.searchsorted(ordered, edges), np.searchsorted(ordered[positions], edges)


def _precision(orders, before, found):
    """Ranks of the relevant items, and precision there, from the order inside each chunk.

    Args:
        orders: what `_chunk_order` returned for each chunk, in item order.
        before: `(l + 1,)`, the number of items at smaller distances.
        found: `(l + 1,)`, the number of relevant ones among them.

    Returns:
        (ranks, precision): `(r,)` each, ranks from 1.
    """
    positions = np.concatenate([order[0] for order in orders])
    tied, relevant = (np.diff(np.array([order[i] for order in orders])) for i in (1, 2))
    # What ranks before each chunk's first item at each distance: nearer items, and those of earlier chunks.
    before = before + np.cumsum(tied, axis=0) - tied
    found = found + np.cumsum(relevant, axis=0) - relevant
    # From places inside a chunk, and among all relevant items of all chunks, to places inside a distance.
    before, found = before - earlier(tied), found.ravel() - earlier(relevant.ravel())
    repeats = relevant.ravel()
    ranks = positions + 1 + np.repeat(before.ravel(), repeats)
    return ranks, (np.arange(1, len(positions) + 1) + np.repeat(found, repeats)) / ranks
