"""Find the nearest items of many queries in memory: by comparing all codes, or by tables of them, as is faster.

Positions of a block ascend with ids, so that ties are as everywhere: files whose ids lie one behind the other share a
block, and what several blocks found is merged by (distance, id).
"""

import functools
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from keras_dhnn.archive.code_tables import WIDTH, CodeTables, steps_of, substrings_within
from keras_dhnn.archive.manifest import Identity, Part
from keras_dhnn.archive.parts import read_part
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.schema import code_columns, table_codes
from keras_dhnn.codes import count_bits, to_words

# Codes and tables of so many bytes are held at a time, and kept for the next search.
_MOST_BYTES = 1 << 30
# Measured (docs/measurements/archive.md), nanoseconds of processor time: of DuckDB for a pair and for what it keeps of
# a query; of comparing in memory for a word of a pair, and for reading a code; of tables for a code that is looked at,
# for a run of equal substrings, for a query, and for putting a code into them.
_PAIR, _SORTED = 1.3, 400_000
_COMPARED, _READ = (0.7 if hasattr(np, "bitwise_count") else 1.9), 20
_CODE, _SLICE, _QUERY, _BUILD = 8, 250, 200_000, 300
_SAMPLE, _SAMPLED_QUERIES = 1 << 13, 8
# What `ManyQueries.plan` returns.
COMPARE, TABLES = "compare", "tables"


class _Block(NamedTuple):
    """Describe the codes of some files: their parts, where each begins, and the tables."""

    parts: list[Part]
    starts: np.ndarray
    tables: CodeTables


class ManyQueries:
    """Search one image source for many queries at once.

    Args:
        root: Path of the archive.
        identity: its `Identity`.
        parts: list of the source's `Part`.
    """

    def __init__(self, root: Path, identity: Identity, parts: list[Part]):
        self._root, self._identity, self._bits = root, identity, identity.bits
        self._runs = _runs(parts, identity.bits)
        self._kept: list[_Block] | None = None
        self._rows = sum(part.rows for part in parts)

    def plan(self, queries: Queries, k: int | None) -> str | None:
        """Return what is expected to be fastest: `COMPARE` or `TABLES`, None where it is comparing by DuckDB.

        Args:
            queries: `Queries`.
            k: how many items of each are wanted; None: all within a radius, which is left to DuckDB.
        """
        if k is None or not self._runs or not len(queries):
            return None
        count, read = len(queries), 0 if self._kept is not None else _READ * self._rows
        others = count * (_SORTED + self._rows * _PAIR)
        if others < read:
            return None
        words, distinct = self._sample
        compare = read + count * (_QUERY + words.shape[1] * distinct * _COMPARED)
        tables = float(read + count * _QUERY) + (0 if self._sorted else _BUILD * distinct)
        if tables < compare:
            asked = to_words(queries.codes[:: max(count // _SAMPLED_QUERIES, 1)]).view(np.uint64)
            tables += count * float(np.mean([self._looks(query, k) for query in asked]))
        if others < min(compare, tables):
            return None
        return COMPARE if compare <= tables else TABLES

    def candidates(self, queries: Queries, k: int, bound: int, whole: int | None, plan: str = TABLES) -> pa.Table:
        """Return the k nearest rows of each query: `query`, `filename`, `file_row_number`, `distance`.

        Of several files more than k are returned where they tie.

        Args:
            queries: `Queries`.
            k: how many.
            bound: the largest distance that is wanted.
            whole: see `CodeTables.nearest`.
            plan: `COMPARE` or `TABLES`.
        """
        asked, bounds, found = to_words(queries.codes), np.full(len(queries), bound), []
        nearest: list[np.ndarray] = [np.zeros(0, np.int16)] * len(queries)
        for block in self._blocks():
            near = block.tables.nearest_of_all(asked, k, bounds, whole, plan == TABLES)
            for number, one in enumerate(near):
                nearest[number] = np.sort(np.concatenate([nearest[number], one.distances]))[:k]
                if len(nearest[number]) == k:
                    bounds[number] = min(bounds[number], max(nearest[number][-1], whole or 0))
            found.append(_rows_of(block, near, self._root))
        table = pa.concat_tables(found)
        return table.filter(pa.array(table["distance"].to_numpy() <= bounds[table["query"].to_numpy()]))

    @functools.cached_property
    def _sample(self):
        """Return `(s, w)` uint64, codes from all over the largest part, and how many distinct ones there may be."""
        largest = max((part for run in self._runs for part in run), key=lambda part: part.rows)
        words = self._words(largest).view(np.uint64)
        words = words[:: max(len(words) // _SAMPLE, 1)]
        return words, self._rows * len(np.unique(words, axis=0)) / len(words)

    @property
    def _sorted(self):
        return self._kept is not None and all(block.tables.sorted for block in self._kept)

    def _looks(self, query, k):
        """Return nanoseconds that one query `(w,)` is expected to take in tables, by what it finds in the sample."""
        words, distinct = self._sample
        distances = np.sort(count_bits(words ^ query).astype(np.int64).sum(axis=1))
        share = min(k / self._rows, 1 - 1 / len(words))
        radius = int(distances[int(share * len(words))])
        if share * len(words) < 1 and distances.std() > 0:
            # Nearer than whatever is in the sample: as far as the lower end of a normal distribution would have it.
            normal = NormalDist(float(distances.mean()), float(distances.std()))
            radius = min(radius, max(int(normal.inv_cdf(share)), 0))
        looked = (steps_of(words.T, query, self._bits) <= radius).sum() / len(words)
        return _CODE * looked * distinct + _SLICE * substrings_within(self._bits, radius)

    def _blocks(self) -> Iterator[_Block]:
        """Yield the blocks; they are kept if they are small enough together."""
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[_Block] = []
        for run in self._runs:
            words = np.concatenate([self._words(part) for part in run])
            block = _Block(run, np.cumsum([0, *(part.rows for part in run)]), CodeTables(words, self._bits))
            kept.append(block)
            yield block
            if sum(one.tables.bytes for one in kept) > _MOST_BYTES:
                kept.clear()
        self._kept = kept if len(kept) == len(self._runs) else None

    def _words(self, part):
        return to_words(table_codes(read_part(self._root, part, code_columns(self._bits)), self._bits))


def _runs(parts, bits):
    """Return lists of parts whose ids lie one behind the other, each of no more codes than fit."""
    columns = len(code_columns(bits))
    most = _MOST_BYTES // (8 * columns + -(-bits // WIDTH) * (8 * columns + 4))
    runs: list[list[Part]] = []
    for part in sorted(parts, key=lambda part: part.first):
        for run in runs:
            if run[-1].last < part.first and sum(one.rows for one in run) + part.rows <= most:
                run.append(part)
                break
        else:
            runs.append([part])
    return runs


def _rows_of(block, near, root):
    """Return what was found in a block, a list of `Near`, as rows."""
    positions = np.concatenate([one.positions for one in near])
    which = np.searchsorted(block.starts, positions, side="right") - 1
    files = pa.array([part.file(root) for part in block.parts], pa.string())
    return pa.table(
        {
            "query": pa.array(np.repeat(np.arange(len(near), dtype=np.int32), [len(one.positions) for one in near])),
            "filename": files.take(pa.array(which)),
            "file_row_number": pa.array(positions - block.starts[which]),
            "distance": pa.array(np.concatenate([one.distances for one in near])),
        }
    )
