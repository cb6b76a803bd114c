"""Find the nearest items of an archive by DuckDB: exact, in one order whatever files the rows lie in.

The order is that of `HammingRetrieval` over `Archive.codes`: by distance, then id. Where many queries are asked at
once, an upper bound of each one's k-th distance is found on samples that grow twelvefold; the k-th smallest of some
distances is never below the k-th smallest of all, so the last pass looks at all rows and keeps a few of them.
"""

from collections.abc import Callable

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from keras_dhnn.archive.engine import PLACE, Engine, read_error
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.ranking import alike_within, order_candidates
from keras_dhnn.archive.results import Results
from keras_dhnn.archive.schema import FEATURES, code_columns, make_schema
from keras_dhnn.archive.wanted import Wanted
from keras_dhnn.codes import to_words

# Each sample is so many times as large as the one before, and all rows as the last: what the last pass keeps of every
# query is some k times this, and the samples together cost a tenth of that pass.
_GROWTH = 12
_SMALLEST_SAMPLE = 4096
# Results up to which those rows are picked out of their files by number.
_PICKED = 2000


# Of queries, their bounds and every n-th row: items at each distance, `(q, l + 1)`.
CountByDistance = Callable[[Queries, np.ndarray, int], np.ndarray]


def find(engine: Engine, source: str, queries: Queries, wanted: Wanted, rows: int) -> Results:
    """Return the `Results` of queries.

    Args:
        engine: the `Engine`.
        source: the image source to search in.
        queries: `Queries`.
        wanted: `Wanted`.
        rows: number of items of the source.

    Raises:
        DataError: if a file is damaged.
        FileNotFoundError: if one is gone, because another process has changed the archive.
    """
    return as_results(engine, source, queries, wanted, nearest_rows(engine, source, queries, wanted, rows))


def nearest_rows(engine: Engine, source: str, queries: Queries, wanted: Wanted, rows: int) -> pa.Table:
    """Return what `find` chooses among: the k nearest of each query, and whatever is as far as the last of them.

    Args:
        engine: this and all others as of `find`.

    Returns:
        `pyarrow.Table` of `query`, `distance`, `id`, where each lies, and what puts it in order.
    """
    bits = engine.identity.bits
    bound = bits if wanted.radius is None else min(wanted.radius, bits)
    try:
        cursor = engine.cursor()
        candidates = _in_memory(engine, source, queries, wanted, bound)
        if candidates is None:
            candidates = _candidates(engine, cursor, engine.items(source), queries, wanted, bound, rows)
        scored = {FEATURES: [FEATURES], "asymmetric": code_columns(bits)}.get(wanted.rank, [])
        return _with_columns(engine, cursor, source, candidates, ("id", *scored))
    except duckdb.Error as error:
        raise read_error(engine.root, error) from error


def as_results(engine: Engine, source: str, queries: Queries, wanted: Wanted, candidates: pa.Table) -> Results:
    """Return the `Results` among rows of `nearest_rows`: in order, with the columns that are wanted."""
    try:
        found = order_candidates(candidates, queries, wanted, engine.identity.bits)
        found = _with_columns(engine, engine.cursor(), source, found, wanted.columns)
        return Results(found.drop(list(PLACE)), source)
    except duckdb.Error as error:
        raise read_error(engine.root, error) from error


def count_by_distance(engine: Engine, source: str, query_code: np.ndarray, condition: str | None = None) -> np.ndarray:
    """Return how many items lie at each distance of one query `(1, l / 8)` uint8: `(l + 1,)` int64."""
    bits = engine.identity.bits
    where = f"WHERE {condition}" if condition else ""
    distance = distance_to(query_code, bits)
    try:
        found = engine.cursor().execute(
            f"SELECT {distance} AS distance, count(*) FROM {engine.items(source)} AS i {where} GROUP BY distance"
        )
        counts = np.zeros(bits + 1, np.int64)
        for at, count in found.fetchall():
            counts[at] = count
    except duckdb.Error as error:
        raise read_error(engine.root, error) from error
    return counts


def distance_to(query_code: np.ndarray, bits: int) -> str:
    """Return SQL of an item's distance to one code `(1, l / 8)` uint8."""
    words = to_words(query_code)[0]
    return _sum_of_bits(
        f"bit_count(xor(i.{name}, {int(word)}::BIGINT))" for name, word in zip(code_columns(bits), words, strict=True)
    )


def distance_to_queries(bits: int) -> str:
    """Return SQL of an item's distance to the row `q` of a table of queries with the columns `q0`, `q1`, ..."""
    return _sum_of_bits(f"bit_count(xor(i.{name}, q.q{number}))" for number, name in enumerate(code_columns(bits)))


def query_table(queries: Queries, bounds: ArrayLike) -> pa.Table:
    """Return queries as a table: `query`, `q0`, `q1`, ... and `bound`, the distance that is still wanted."""
    words = to_words(queries.codes)
    columns = {f"q{number}": word for number, word in enumerate(words.T)}
    # Of the type of one word's distance where that is enough: comparing two types costs a pass over all pairs.
    kind = np.int8 if np.max(bounds, initial=0) <= 64 else np.int16
    return pa.table({"query": np.arange(len(words), dtype=np.int32), **columns, "bound": np.asarray(bounds, kind)})


def _in_memory(engine, source, queries, wanted, bound):
    """Return what `_candidates` does, by codes in memory; None where that is not faster."""
    if wanted.condition is not None or wanted.k is None or len(queries) == 1:
        return None
    many, k = engine.many(source), max(wanted.k, wanted.rerank)
    plan = many.plan(queries, k)
    whole = None if wanted.rank == "hamming" else alike_within(wanted.rank, engine.identity.bits)
    return None if plan is None else many.candidates(queries, k, bound, whole, plan)


def _candidates(engine, cursor, items, queries, wanted, bound, rows):
    """Return the k nearest of each query, and whatever counts as no farther than the last, where order takes more than
    ids.

    Rows have `query`, `distance`, `PLACE`, the codes where their order needs these, and what costs little: in memory
    all columns but footprints; in files a column is decoded for all rows, so that of one query's rows ids come later.
    """
    bits, k = engine.identity.bits, None if wanted.k is None else max(wanted.k, wanted.rerank)
    ranked = [FEATURES] if wanted.rank == FEATURES else []
    extra = [*(name for name in wanted.columns if name not in ("geometry", FEATURES)), *ranked] if engine.memory else []
    codes = code_columns(bits) if wanted.rank == "asymmetric" else []
    columns, alike = [*codes, *PLACE, *extra], alike_within(wanted.rank, bits)
    if len(queries) == 1:
        distance = distance_to(queries.codes, bits)
        bound = min(max(_bound_one(cursor, items, distance, k, wanted.condition, bound), alike), bound)
        tests, query, tables = [wanted.condition, f"{distance} <= {bound}"], "0::INTEGER AS query", f"{items} AS i"
        columns, order = (["id", *columns], _order(k, wanted.rank, "", alike)) if engine.memory else (columns, "")
    else:
        distance, count = distance_to_queries(bits), _counter(cursor, items, wanted.condition, bits)
        bounds = bound_queries(count, queries, k, bound, rows, alike)
        cursor.register("queries", query_table(queries, bounds))
        tests, query, tables = [wanted.condition, f"{distance} <= q.bound"], "q.query", f"{items} AS i, queries AS q"
        columns, order = ["id", *columns], _order(k, wanted.rank, "PARTITION BY query", alike)
    named, where = ", ".join(f"i.{name}" for name in columns), " AND ".join(test for test in tests if test)
    return cursor.sql(
        f"SELECT {query}, {named}, ({distance})::SMALLINT AS distance FROM {tables} WHERE {where} {order}"
    ).to_arrow_table()


def _order(k, rank, partition, alike):
    if k is None:
        return ""
    if rank != "hamming":
        # All of the last tie, since it is put in order afterwards.
        return f"QUALIFY rank() OVER ({partition} ORDER BY greatest(distance, {alike})) <= {k}"
    if partition:
        return f"QUALIFY row_number() OVER ({partition} ORDER BY distance, id) <= {k}"
    return f"ORDER BY distance, id LIMIT {k}"


def _bound_one(cursor, items, distance, k, condition, bound):
    """Return the distance of one query's k-th item: a pass over the codes alone, so that ids are read of few rows."""
    if k is None:
        return bound
    where = f"WHERE {condition}" if condition else ""
    nearest = f"SELECT {distance} AS distance FROM {items} AS i {where} ORDER BY distance LIMIT {k}"
    ((found,),) = cursor.execute(f"SELECT max(distance) FROM ({nearest})").fetchall()
    return bound if found is None else min(int(found), bound)


def bound_queries(
    count: CountByDistance, queries: Queries, k: int | None, bound: int, rows: int, alike: int = 0
) -> np.ndarray:
    """Find upper bounds of the distances of each query's k-th item, on samples that grow.

    Args:
        count: function `count(queries, bounds, step)` that gives the number of items of every n-th row, n = step,
            at each distance up to the queries' bounds, `(q, l + 1)`.
        queries: `Queries`.
        k: of them, or None.
        bound: that all queries begin with.
        rows: number of all items.
        alike: below which no bound falls, see `alike_within`.

    Returns:
        `(q,)` int16.
    """
    bounds = np.full(len(queries), bound, np.int16)
    for step in sampling_steps(rows) if k is not None else ():
        reached = count(queries, bounds, step).cumsum(axis=1) >= k
        bounds = np.where(reached.any(axis=1), reached.argmax(axis=1), bounds).astype(np.int16)
    return np.minimum(np.maximum(bounds, alike), bound).astype(np.int16)


def sampling_steps(rows: int) -> list[int]:
    """Return the numbers n of samples that consist of every n-th row, the smallest sample first."""
    steps: list[int] = []
    while rows >= _SMALLEST_SAMPLE * (_GROWTH ** (len(steps) + 1)):
        steps.append(_GROWTH ** (len(steps) + 1))
    return steps[::-1]


def _counter(cursor, items, condition, bits):
    """Return the `count` of `bound_queries` by DuckDB."""
    where, distance = f"AND {condition}" if condition else "", distance_to_queries(bits)

    def count(queries: Queries, bounds: np.ndarray, step: int) -> np.ndarray:
        cursor.register("queries", query_table(queries, bounds))
        found = cursor.execute(
            f"SELECT q.query, {distance} AS distance, count(*) AS items FROM {items} AS i, queries AS q "
            f"WHERE i.file_row_number % {step} = 0 AND {distance} <= q.bound {where} GROUP BY ALL"
        ).fetchnumpy()
        counts = np.zeros((len(queries), bits + 1), np.int64)
        counts[found["query"], found["distance"]] = found["items"]
        return counts

    return count


def _with_columns(engine, cursor, source, found, columns):
    """Return the rows found with more columns of the archive, in the same order."""
    names = [name for name in columns if name not in found.column_names]
    if not names:
        return found
    if not len(found):
        schema = _schema(engine, names)
        return pa.table([*found.columns, *schema.empty_table().columns], [*found.column_names, *names])
    items = engine.items_of_files(source, found["filename"].unique().to_pylist())
    numbered = found.select(list(PLACE)).append_column("found", pa.array(np.arange(len(found))))
    cursor.register("found", numbered)
    numbers = ", ".join(map(str, found["file_row_number"].unique().to_pylist())) if len(found) <= _PICKED else ""
    where = f"WHERE i.file_row_number IN ({numbers})" if numbers else ""
    more = cursor.sql(
        f"SELECT {', '.join(f'i.{name}' for name in names)} FROM {items} AS i "
        f"JOIN found AS f USING (filename, file_row_number) {where} ORDER BY f.found"
    ).to_arrow_table()
    return pa.table([*found.columns, *more.columns], [*found.column_names, *names])


def _schema(engine: Engine, names: list[str]) -> pa.Schema:
    """Return the Arrow schema of some columns of an archive."""
    whole = make_schema(engine.identity.bits, engine.identity.features)
    return pa.schema([whole.field(name) for name in names])


def _sum_of_bits(terms):
    """Return one term, a TINYINT, which a sum of several would not fit into."""
    terms = list(terms)
    return terms[0] if len(terms) == 1 else "(" + " + ".join(f"{term}::SMALLINT" for term in terms) + ")"
