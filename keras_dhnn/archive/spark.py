"""Run the same searches by Spark: the same files, the same order, on as many machines as a master has."""

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from keras_dhnn.archive.calibration import load_calibration, with_precision
from keras_dhnn.archive.engine import Engine
from keras_dhnn.archive.manifest import Part
from keras_dhnn.archive.parts import check_parts
from keras_dhnn.archive.places import address, is_address, place
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.ranking import alike_within, order_candidates
from keras_dhnn.archive.results import Results
from keras_dhnn.archive.schema import FEATURES, code_columns, make_schema
from keras_dhnn.archive.search import (
    as_results,
    bound_queries,
    nearest_rows,
    query_table,
)
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.wanted import DEFAULT_COLUMNS, Wanted
from keras_dhnn.archive.where import Box, Times
from keras_dhnn.errors import DataError, MissingPackage

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

APP = "keras-dhnn"


@contextlib.contextmanager
def spark_session(master: str = "local[*]", **settings: str) -> Iterator["SparkSession"]:
    """Open a Spark session and stop it in the end; one that is open already is used and stays.

    Args:
        master: Spark's, such as `local[*]` or `spark://host:7077`.
        **settings: of Spark, with `_` for `.`.

    Yields:
        `pyspark.sql.SparkSession`.

    Raises:
        MissingPackage: if pyspark is not installed, or there is no Java.
    """
    session_type = _load_spark()
    active = session_type.getActiveSession()
    if active is not None:
        yield active
        return
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = session_type.builder.master(master).appName(APP)
    for name, value in (_SETTINGS | {key.replace("_", "."): value for key, value in settings.items()}).items():
        builder = builder.config(name, value)
    session = _started(builder)
    try:
        yield session
    finally:
        session.stop()


def search_by_spark(
    session: "SparkSession",
    archive: Archive,
    queries: Queries | np.ndarray,
    k: int | None = 50,
    *,
    radius: int | None = None,
    where: str | None = None,
    bbox: Box | None = None,
    time: Times | None = None,
    source: str | None = None,
    rank: str = "auto",
    rerank: int = 0,
    precision: float | None = None,
    columns: str | Sequence[str] = DEFAULT_COLUMNS,
) -> Results:
    """Find what `Archive.search` finds, by Spark: all queries in one job over the archive's files.

    Args:
        session: a Spark session whose workers can read the archive: at the same path, or at its address by what they
            have of fsspec and of keys in their environment.
        archive: `Archive`.
        queries: `Queries`, or codes.
        k: this and all others as of `Archive.search`.

    Returns:
        `Results`, the same rows in the same order.

    Raises:
        ValueError: as of `Archive.search`.
        DataError: likewise.
    """
    queries, source = archive.checked(queries), archive.source(source)
    at_address = is_address(archive.root)
    condition = archive.condition(where, bbox, time, dialect="duckdb" if at_address else "spark")
    wanted = archive.wanted(queries, k, radius, condition, rank, rerank, columns)
    search = _at_address if at_address else _in_files
    found = archive.attempt(lambda: search(session, archive, queries, source, wanted))
    return with_precision(found, load_calibration(archive, source), precision)


def _in_files(session, archive, queries, source, wanted):
    """Return `Results`, by Spark's own reader and SQL."""
    own = [part for part in archive.parts if part.source == source]
    check_parts(archive.root, own, make_schema(archive.identity.bits, archive.identity.features))
    items = _Items(session, archive, source, wanted.condition)
    candidates = items.candidates(queries, wanted, archive.info.sources.get(source, 0))
    found = order_candidates(candidates, queries, wanted, archive.identity.bits)
    return Results(items.with_columns(found, wanted.columns), source)


def _at_address(session, archive, queries, source, wanted):
    """Return `Results`: workers search files of the archive through fsspec, which Spark's own reader does not know."""
    root, identity = address(archive.root), archive.identity
    parts = [part for part in archive.parts if part.source == source]

    def search(part: Part) -> bytes | DataError | FileNotFoundError:
        try:
            with contextlib.closing(Engine(place(root), identity, [part])) as engine:
                return _to_bytes(nearest_rows(engine, source, queries, wanted, part.rows))
        except (DataError, FileNotFoundError) as error:
            return error  # which would be tried again, and come as Spark's own

    if not parts:
        return archive.search(queries, wanted.k, radius=wanted.radius, source=source, columns=wanted.columns)
    found = session.sparkContext.parallelize(parts, len(parts)).map(search).collect()
    for one in found:
        if isinstance(one, Exception):
            raise one
    tables = [pa.ipc.open_stream(one).read_all() for one in found]
    # Types of what is not there may differ from those of what is.
    candidates = pa.concat_tables([table for table in tables if len(table)] or tables[:1])
    # Of the others nothing is read.
    held = set(candidates["filename"].unique().to_pylist())
    parts = [part for part in parts if part.file(archive.root) in held]
    with contextlib.closing(Engine(archive.root, identity, parts)) as engine:
        return as_results(engine, source, queries, wanted, candidates)


def _to_bytes(table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


class _Items:
    """Describe the rows of one image source as Spark sees them."""

    def __init__(self, session: "SparkSession", archive: Archive, source: str, condition: str | None):
        self.session, self.identity, self.condition = session, archive.identity, condition
        self.bits, self.codes = archive.identity.bits, code_columns(archive.identity.bits)
        files = [str((archive.root / part.name).absolute()) for part in archive.parts if part.source == source]
        self.rows = session.read.parquet(*files) if files else None
        self.distance = " + ".join(f"bit_count(i.{name} ^ q.q{number})" for number, name in enumerate(self.codes))

    def candidates(self, queries: Queries, wanted: Wanted, rows: int) -> pa.Table:
        """Return `pyarrow.Table` of the k nearest of each query and whatever is as far as the last."""
        extra = {"asymmetric": self.codes, FEATURES: [FEATURES]}.get(wanted.rank, [])
        schema = self._schema(["id", *extra]).insert(0, pa.field("query", pa.int32()))
        schema = schema.append(pa.field("distance", pa.int16()))
        if self.rows is None:
            return schema.empty_table()
        bound = self.bits if wanted.radius is None else min(wanted.radius, self.bits)
        k = None if wanted.k is None else max(wanted.k, wanted.rerank)
        alike = alike_within(wanted.rank, self.bits)
        bounds = bound_queries(self._count, queries, k, bound, rows, alike)
        named = ", ".join(f"i.{name}" for name in ["id", *extra])
        near = self._join(queries, bounds, f"q.query, {named}, cast({self.distance} as smallint) as distance")
        if k is not None:
            near.createOrReplaceTempView("near")
            near = self.session.sql(
                "SELECT * FROM (SELECT *, rank() OVER (PARTITION BY query "
                f"ORDER BY greatest(distance, {alike})) AS place FROM near) WHERE place <= {k}"
            ).drop("place")
        return _table(near.collect(), schema)

    def with_columns(self, found: pa.Table, columns: Sequence[str]) -> pa.Table:
        """Return the rows found with more columns, in the same order."""
        names = [name for name in columns if name not in found.column_names]
        schema = self._schema(["id", *names])
        ids = found["id"].unique().to_pylist()
        if not names or not ids or self.rows is None:
            empty = schema.empty_table()
            return pa.table([*found.columns, *(empty[name] for name in names)], [*found.column_names, *names])
        wanted = self.session.createDataFrame([(key,) for key in ids], "id string")
        rows = self.rows.join(wanted.hint("broadcast"), "id").select("id", *names).collect()
        more = _table(rows, schema)
        places = pa.compute.index_in(found["id"], more["id"])
        more = more.take(places)
        return pa.table([*found.columns, *(more[name] for name in names)], [*found.column_names, *names])

    def _count(self, queries, bounds, step):
        """Return `(q, l + 1)` items at each distance up to a bound, in every n-th row, by a hash of its id."""
        near = self._join(queries, bounds, f"q.query, {self.distance} as distance", f"pmod(xxhash64(i.id), {step}) = 0")
        counts = np.zeros((len(queries), self.bits + 1), np.int64)
        for row in near.groupBy("query", "distance").count().collect():
            counts[row[0], row[1]] = row[2]
        return counts

    def _join(self, queries, bounds, selected, test="true"):
        table = query_table(queries, bounds)
        rows = [tuple(row.values()) for row in table.to_pylist()]
        types = ", ".join(f"{name} {'bigint' if name.startswith('q') else 'int'}" for name in table.column_names)
        self.session.createDataFrame(rows, types.replace("query bigint", "query int")).createOrReplaceTempView(
            "queries"
        )
        self.rows.createOrReplaceTempView("items")
        return self.session.sql(
            f"SELECT /*+ BROADCAST(q) */ {selected} FROM items AS i CROSS JOIN queries AS q "
            f"WHERE {self.distance} <= q.bound AND {test} AND {self.condition or 'true'}"
        )

    def _schema(self, names):
        whole = make_schema(self.identity.bits, self.identity.features)
        return pa.schema([whole.field(name) for name in names])


_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    # A part of the archive is some 30 MB: pieces of it for every core.
    "spark.sql.files.maxPartitionBytes": "16m",
    "spark.sql.shuffle.partitions": "16",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.showConsoleProgress": "false",
    "spark.executorEnv.PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
}


def _load_spark():
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingPackage("--engine spark needs PySpark: pip install 'keras-dhnn[spark]', and Java 17") from error
    return SparkSession


def _started(builder):
    try:
        session = builder.getOrCreate()
    except Exception as error:
        if "JAVA" in str(error).upper() and "GATEWAY" in str(error).upper():
            raise MissingPackage(
                "Spark needs Java 17 or later: install it (Debian: apt install openjdk-17-jre-headless) or name it by "
                "JAVA_HOME."
            ) from error
        raise
    session.sparkContext.setLogLevel("ERROR")
    return session


def _table(rows, schema):
    columns = [[row[name] for row in rows] for name in schema.names]
    return pa.Table.from_arrays(
        [pa.array(_plain(values), field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )


def _plain(values):
    """Return Spark's rows in rows (a box) as dictionaries, its byte arrays as bytes."""
    return [
        value.asDict() if hasattr(value, "asDict") else bytes(value) if isinstance(value, bytearray) else value
        for value in values
    ]
