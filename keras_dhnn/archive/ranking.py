"""Order items at the same distance, which a trained code has many of, or at distances that say as little."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from keras_dhnn.archive.manifest import Identity
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.schema import FEATURES, table_codes, table_features
from keras_dhnn.archive.wanted import Wanted
from keras_dhnn.codes import unpack
from keras_dhnn.directions import unit_rows
from keras_dhnn.errors import SettingError

RANKS = ("hamming", "asymmetric", "features")
# Where features put items in order, distances up to one bit in so many count as equal: measured, that costs no mAP, and
# a changed copy of an item is as far from it (docs/measurements/archive.md).
_BITS_ALIKE = 16


def choose_rank(rank: str, queries: Queries, identity: Identity) -> str:
    """Return what puts equal distances in order.

    Args:
        rank: one of `RANKS`, or "auto": features where both sides have them, else outputs where the query has them.
        queries: `Queries`.
        identity: the archive's `Identity`.

    Raises:
        SettingError: for another name, or one for which the query or the archive lacks what it needs.
    """
    able = {
        "hamming": True,
        "asymmetric": queries.outputs is not None,
        "features": bool(identity.features) and queries.features is not None,
    }
    if rank == "auto":
        return next(name for name in reversed(RANKS) if able[name])
    if rank not in able:
        raise SettingError(f"Expected --rank auto, {', '.join(RANKS)}. Received: {rank!r}")
    if not able[rank]:
        need = "the query's real outputs" if rank == "asymmetric" else "features beside the codes and of the query"
        raise SettingError(
            f"--rank {rank} needs {need}, which are not known here. Leave it out, or say --rank hamming."
        )
    return rank


def alike_within(rank: str, bits: int) -> int:
    """Return up to which distance all count as equal, of codes of so many bits put in order by one of `RANKS`."""
    return bits // _BITS_ALIKE if rank == FEATURES else 0


def order_candidates(candidates: pa.Table, queries: Queries, wanted: Wanted, bits: int) -> pa.Table:
    """Return the k items of each query in order, with their `rank` from 1.

    By distance, of which all up to `alike_within` are one, then score (highest first), then id. Of the best
    `wanted.rerank` of these, by score, then distance, then id; these have their `score`.

    Args:
        candidates: `pyarrow.Table` with `query`, `id`, `distance` and what the scores need.
        queries: `Queries`.
        wanted: `Wanted`.
        bits: l.
    """
    scores = _scores(candidates, queries, wanted.rank, bits)
    query, distance = (candidates[name].to_numpy() for name in ("query", "distance"))
    order = np.lexsort(
        [_text_ranks(candidates["id"]), -scores, np.maximum(distance, alike_within(wanted.rank, bits)), query]
    )
    rank = ranks_within(query[order])
    if wanted.rerank:
        again = rank <= wanted.rerank
        keys = [rank, np.where(again, -scores[order], 0), ~again, query[order]]
        order = order[np.lexsort(keys)]
        rank = ranks_within(query[order])
    kept = order if wanted.k is None else order[rank <= wanted.k]
    found = candidates.take(pa.array(kept))
    if wanted.rerank and wanted.rank != "hamming":
        found = found.append_column("score", pa.array(scores[kept]))
    extra = [name for name in found.column_names if name.startswith("code") or name == FEATURES]
    found = found.drop(extra).append_column("rank", pa.array(ranks_within(query[kept]).astype(np.int32)))
    first = ["query", "rank", "id", "distance"]
    return found.select([*first, *(name for name in found.column_names if name not in first)])


def asymmetric_scores(outputs: ArrayLike, codes: np.ndarray) -> np.ndarray:
    """Return the inner products of real outputs `(n, l)` with signs of packed codes `(n, l / 8)`: `(n,)` float64.

    Between codes at the same distance this prefers the one that differs where the query was least sure.
    """
    return np.einsum("ij,ij->i", np.asarray(outputs, np.float64), unpack(codes).astype(np.float64))


def _scores(candidates, queries, rank, bits):
    query = candidates["query"].to_numpy()
    if rank == "asymmetric":
        return asymmetric_scores(queries.outputs[query], table_codes(candidates, bits))
    if rank == "features" and len(query):
        theirs, ours = table_features(candidates).astype(np.float64), np.asarray(queries.features, np.float64)[query]
        return np.einsum("ij,ij->i", unit_rows(theirs), unit_rows(ours))
    return np.zeros(len(query))


def _text_ranks(ids):
    # Arrow compares bytes of UTF-8, whose order is that of the texts; an array of NumPy is as wide as the longest.
    return pc.rank(ids, tiebreaker="dense").to_numpy()


def ranks_within(query: np.ndarray) -> np.ndarray:
    """Return numbers from 1 inside runs of equal queries `(n,)`."""
    starts = np.flatnonzero(np.diff(query, prepend=-1))
    return np.arange(len(query)) - np.repeat(starts, np.diff(starts, append=len(query))) + 1
