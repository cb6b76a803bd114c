"""Run the same searches by Spark: the same files, the same order, on as many machines as a master has.

Each worker asks DuckDB, so that a condition means the same whichever engine is named.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from keras_dhnn.archive.calibration import load_calibration, with_precision
from keras_dhnn.archive.engine import Engine
from keras_dhnn.archive.manifest import Part
from keras_dhnn.archive.places import address, place
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.results import Results
from keras_dhnn.archive.search import as_results, nearest_rows
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.wanted import DEFAULT_COLUMNS
from keras_dhnn.archive.where import Box, Times
from keras_dhnn.errors import DataError, KerasDhnnError, MissingPackage, SettingError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

APP = "keras-dhnn"


@contextlib.contextmanager
def spark_session(master: str = "local[*]", **settings: str) -> Iterator["SparkSession"]:
    """Open a Spark session and stop it in the end; one that is open already is used and stays.

    Args:
        master: Spark's, such as `local[*]` or `spark://host:7077`.
        **settings: of Spark, by their names or with `_` for `.`; they go before our own.

    Yields:
        `pyspark.sql.SparkSession`.

    Raises:
        MissingPackage: if pyspark is not installed, or there is no Java.
        DataError: if Spark does not start, as with a master that it does not know.
    """
    session_type = _load_spark()
    active = session_type.getActiveSession()
    if active is not None:
        yield active
        return
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = session_type.builder.master(master).appName(APP)
    for name, value in spark_settings(master, settings).items():
        builder = builder.config(name, value)
    session = _started(builder, master)
    try:
        yield session
    finally:
        session.stop()


def spark_settings(master: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that a session gets: our own for a master, and those given, which go before them.

    Args:
        master: Spark's. Workers of another machine find the driver by the name that Spark chooses for it.
        given: `{name: value}`, the names with `_` for `.`, or as Spark has them.
    """
    own = _SETTINGS | (_ON_THIS_MACHINE if master.partition("[")[0] in ("local", "local-cluster") else {})
    return own | {name if "." in name else name.replace("_", "."): value for name, value in given.items()}


def parse_settings(texts: Sequence[str]) -> dict[str, str]:
    """Return `{name: value}` of Spark's settings that are written `NAME=VALUE`.

    Raises:
        SettingError: if one is not.
    """
    pairs = [text.partition("=") for text in texts]
    for name, sign, _ in pairs:
        if not (sign and name.startswith("spark.")):
            raise SettingError(
                f"Expected --spark-conf as NAME=VALUE, such as spark.executor.memory=4g. Received: {name}{sign}"
            )
    return {name: value for name, _, value in pairs}


def run_by_workers(
    session: "SparkSession", work: Callable[[Any], Any], pieces: Sequence[Any]
) -> list[Any | KerasDhnnError | FileNotFoundError]:
    """Return what `work` gives for each piece, done by whichever worker is free.

    What a user can mend is returned in place of a result: raised, Spark would try it again, and tell it as its own.

    Args:
        session: a Spark session.
        work: function of a piece.
        pieces: sequence of what `work` takes.

    Raises:
        DataError: if Spark gives up.
    """

    here = os.getcwd()

    def attempt(piece: Any) -> Any:
        # Relative paths are of the driver's folder, where the workers have it too.
        with contextlib.suppress(OSError):
            os.chdir(here)
        try:
            return work(piece)
        except (KerasDhnnError, FileNotFoundError) as error:
            return error

    try:
        return session.sparkContext.parallelize(pieces, len(pieces)).map(attempt).collect()
    except Exception as error:
        if not type(error).__module__.startswith(("pyspark.", "py4j.")):
            raise
        raise DataError(f"Spark gave up: {_reason(error)}. Its log says more.") from error


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
    wanted = archive.wanted(queries, k, radius, archive.condition(where, bbox, time), rank, rerank, columns)
    found = archive.attempt(lambda: _search(session, archive, queries, source, wanted))
    return with_precision(found, load_calibration(archive, source), precision)


def _search(session, archive, queries, source, wanted):
    """Return `Results`: each worker searches files of the archive, and the nearest of all are put in order here."""
    root, identity = address(archive.root), archive.identity
    parts = [part for part in archive.parts if part.source == source]

    def search(part: Part) -> bytes:
        with contextlib.closing(Engine(place(root), identity, [part])) as engine:
            return _to_bytes(nearest_rows(engine, source, queries, wanted, part.rows))

    if not parts:
        return archive.search(queries, wanted.k, radius=wanted.radius, source=source, columns=wanted.columns)
    found = run_by_workers(session, search, parts)
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


_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.executorEnv.PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
}
_ON_THIS_MACHINE = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}


def _load_spark():
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingPackage("--engine spark needs PySpark: pip install 'keras-dhnn[spark]', and Java 17") from error
    return SparkSession


def _started(builder, master):
    try:
        session = builder.getOrCreate()
    except Exception as error:  # Spark's own, Java's and py4j's
        if "JAVA" in str(error).upper() and "GATEWAY" in str(error).upper():
            raise MissingPackage(
                "Spark needs Java 17 or later: install it (Debian: apt install openjdk-17-jre-headless) or name it by "
                "JAVA_HOME."
            ) from error
        raise DataError(f"Spark does not start with --master {master}: {_reason(error)}.") from error
    session.sparkContext.setLogLevel("ERROR")
    return session


def _reason(error):
    """Return what went wrong, of the many lines that Spark says it in: the last of a worker's traceback, or the first
    of Java's.
    """
    lines = [line.strip() for line in str(error).split("\n\tat ")[0].splitlines() if line.strip()]
    if any("Traceback (most recent call last)" in line for line in lines):
        return lines[-1].rstrip(".")
    # py4j's own line comes before.
    return next((line[2:] for line in lines if line.startswith(": ")), lines[0] if lines else "no reason given").rstrip(
        "."
    )
