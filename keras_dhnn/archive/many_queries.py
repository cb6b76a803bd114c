"""Find the nearest items of many queries by tables of codes in memory, where that is faster than comparing all pairs.

Positions of a table ascend with ids, so that ties are as everywhere: files whose ids lie one behind the other share a
table, and what several tables found is merged by (distance, id).
"""

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from keras_dhnn.archive.code_tables import WIDTH, CodeTables, steps_of, substrings_within
from keras_dhnn.archive.manifest import Identity, Part
from keras_dhnn.archive.parts import read_part
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.schema import code_columns, table_codes
from keras_dhnn.codes import count_bits, to_words
from keras_dhnn.machine import cores

# Tables of so many bytes are held at a time, and kept for the next search.
_MOST_BYTES = 1 << 30
# Measured (docs/measurements/archive.md): nanoseconds of DuckDB for a pair; of tables for a code that is looked at, for
# a run of equal substrings, for a code that is compared without tables, for a query, and for putting a code into them.
_PAIR, _CODE, _SLICE, _COMPARED, _QUERY, _BUILD = 1.5, 8, 250, 4, 200_000, 300
_SAMPLE, _SAMPLED_QUERIES = 1 << 13, 8


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

    def pays(self, queries: Queries, k: int | None) -> bool:
        """Return whether tables are expected to be faster than comparing all pairs.

        Args:
            queries: `Queries`.
            k: how many items of each are wanted; None: all within a radius, for which this is never said.
        """
        count = len(queries)
        build = 0 if self._kept is not None else _BUILD * self._rows
        if k is None or not self._runs or count * self._rows * _PAIR < build + count * _QUERY:
            return False
        largest = max((part for run in self._runs for part in run), key=lambda part: part.rows)
        words = self._words(largest).view(np.uint64)
        words = words[:: max(len(words) // _SAMPLE, 1)]
        asked = to_words(queries.codes[:: max(count // _SAMPLED_QUERIES, 1)]).view(np.uint64)
        cost = np.mean([self._cost(words, query, k) for query in asked])
        return build + count * cost < count * self._rows * _PAIR

    def candidates(self, queries: Queries, k: int, bound: int, ties: bool) -> pa.Table:
        """Return the k nearest rows of each query: `query`, `filename`, `file_row_number`, `distance`.

        Of several files more than k are returned where they tie; what is as far as the k-th is whole if asked for.

        Args:
            queries: `Queries`.
            k: how many.
            bound: the largest distance that is wanted.
            ties: whether all rows as far as the k-th are wanted.
        """
        asked, bounds, found = to_words(queries.codes), np.full(len(queries), bound), []
        nearest: list[np.ndarray] = [np.zeros(0, np.int16)] * len(queries)
        for block in self._blocks():
            search = functools.partial(block.tables.nearest, k=k, ties=ties)
            with ThreadPoolExecutor(min(cores(), 8)) as pool:
                near = list(pool.map(lambda code, bound, search=search: search(code, bound=bound), asked, bounds))
            for number, one in enumerate(near):
                nearest[number] = np.sort(np.concatenate([nearest[number], one.distances]))[:k]
                if len(nearest[number]) == k:
                    bounds[number] = min(bounds[number], nearest[number][-1])
            found.append(_rows_of(block, near, self._root))
        table = pa.concat_tables(found)
        return table.filter(pa.array(table["distance"].to_numpy() <= bounds[table["query"].to_numpy()]))

    def _cost(self, words, query, k):
        """Return nanoseconds that one query is expected to take, by what it finds in a sample `(s, w)` of words."""
        distances = np.sort(count_bits(words ^ query).astype(np.int64).sum(axis=1))
        radius = int(distances[min(int(k * len(words) / self._rows), len(words) - 1)])
        looked = (steps_of(words.T, query, self._bits) <= radius).sum() / len(words)
        distinct = self._rows * len(np.unique(words, axis=0)) / len(words)
        slices = _SLICE * substrings_within(self._bits, radius)
        return _QUERY + min(_CODE * looked * distinct + slices, _COMPARED * distinct)

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
