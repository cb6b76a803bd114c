"""Open DuckDB over an archive's files, shut off from every other file."""

import re
import threading
from collections.abc import Iterable
from pathlib import Path

import duckdb

from keras_dhnn.archive.manifest import Identity, Part
from keras_dhnn.archive.many_queries import ManyQueries
from keras_dhnn.archive.parts import check_parts
from keras_dhnn.archive.places import (
    Unreadable,
    file_name,
    gives_whole_files,
    is_address,
    readable_system,
    whole_files_only,
)
from keras_dhnn.archive.schema import FEATURES, code_columns, make_schema
from keras_dhnn.errors import DataError, SettingError

_TYPES_AND_RANGES = (
    duckdb.BinderException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.ParserException,
)
# Of what fsspec raises DuckDB tells the whole traceback; this is its line that says what.
_RAISED = re.compile(r"^[A-Za-z_][\w.]*: .*", re.MULTILINE)
# What says where a row lies; `filename` and `file_row_number` are DuckDB's names.
PLACE = ("filename", "file_row_number")


class Engine:
    """Open a database in memory with one view for each image source: `items_<source>`.

    Args:
        root: Path of the archive.
        identity: its `Identity`.
        parts: the list of `Part` that is seen.
        memory: whether the rows, without footprints, are read into memory now.
    """

    def __init__(self, root: Path, identity: Identity, parts: list[Part], memory: bool = False):
        self.root, self.identity, self.memory = root, identity, memory
        self._files: dict[str, list[str]] = {}
        self._parts, self._guard = parts, threading.Lock()
        self._many: dict[str, ManyQueries] = {}
        self._connection = duckdb.connect(":memory:")
        check_parts(root, parts, make_schema(identity.bits, identity.features))
        for part in parts:
            self._files.setdefault(part.source, []).append(part.file(root))
        if is_address(root):
            # Read through fsspec, not through an extension that DuckDB would fetch.
            self._connection.execute("SET autoinstall_known_extensions = false")
            self._connection.register_filesystem(readable_system(root))
        self._connection.execute("SET preserve_insertion_order = false")
        self._connection.execute("SET parquet_metadata_cache = true")
        self._shut_off()
        for source in self._files:
            self._make_items(source)

    def close(self) -> None:
        """Give back memory and files."""
        self._connection.close()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection for one thread's use."""
        return self._connection.cursor()

    def items(self, source: str) -> str:
        """Return SQL of the rows of an image source: a view's name, or no rows."""
        if source not in self._files:
            return f"(SELECT {self._empty_columns()} LIMIT 0)"
        return _quoted(f"items_{source}")

    def items_of_files(self, source: str, files: Iterable[str]) -> str:
        """Return SQL of all columns of the rows in some files of an image source, from disk."""
        return _read(sorted(set(files) & set(self._files[source])))

    def many(self, source: str) -> ManyQueries:
        """Return what searches an image source for many queries at once."""
        with self._guard:
            if source not in self._many:
                own = [part for part in self._parts if part.source == source]
                self._many[source] = ManyQueries(self.root, self.identity, own)
            return self._many[source]

    def _shut_off(self):
        folder = file_name(self.root).rstrip("/") + "/"
        # As it is, and as the pattern that stands for it, which is what DuckDB compares first.
        self._connection.execute(f"SET allowed_directories = [{_literal(folder)}, {_literal(_pattern(folder))}]")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def _make_items(self, source):
        kept = ["id", *code_columns(self.identity.bits), "label", "path", "time", "scene", "row", "col", "size", "crs"]
        kept += ["content", "bbox", *([FEATURES] if self.identity.features else []), *PLACE]
        columns = ", ".join(kept) if self.memory else "*"
        kind = "TABLE" if self.memory else "VIEW"
        try:
            self._connection.execute(
                f"CREATE {kind} {_quoted(f'items_{source}')} AS SELECT {columns} FROM {_read(self._files[source])}"
            )
        except duckdb.Error as error:
            raise read_error(self.root, error) from error

    def _empty_columns(self):
        schema = make_schema(self.identity.bits, self.identity.features)
        types = {"string": "VARCHAR", "int64": "BIGINT", "int32": "INTEGER", "timestamp[ms]": "TIMESTAMP"}
        columns = [f"NULL::{types.get(str(field.type), 'BLOB')} AS {field.name}" for field in schema]
        box = "NULL::STRUCT(xmin DOUBLE, ymin DOUBLE, xmax DOUBLE, ymax DOUBLE) AS bbox"
        columns = [box if column.endswith(" bbox") else column for column in columns]
        return ", ".join([*columns, "''::VARCHAR AS filename", "0::BIGINT AS file_row_number"])


def read_error(root: Path, error: duckdb.Error) -> DataError | SettingError | FileNotFoundError:
    """Return what a user is told of DuckDB's failure: a missing file as such, so that a reader can look again.

    What the files hold has been checked before: types that do not fit and values out of range are a condition's.
    """
    raised = _RAISED.findall(str(error)) if str(error).startswith("Traceback") else []
    reason = (raised[-1] if raised else str(error).splitlines()[0]).removesuffix(".")
    if gives_whole_files(reason):
        return Unreadable(whole_files_only(root))
    if isinstance(error, _TYPES_AND_RANGES) or "Division by zero" in reason:
        return SettingError(
            f"The condition cannot be used on the items of {root}: {reason}. Compare columns with constants of their "
            "own types, such as label = 'forest' and row > 100."
        )
    if "No files found" in str(error) or ("Cannot open file" in str(error) and "No such file" in str(error)):
        named = re.search(r'"(.+?)"', str(error))
        return FileNotFoundError(2, str(error), _without_pattern(named[1]) if named else str(root))
    if reason.startswith("FileNotFoundError"):
        return FileNotFoundError(2, reason, reason.partition(": ")[2])
    return DataError(
        f"A file of the archive {root} cannot be read ({reason}). Which ones are damaged says: "
        f"keras-dhnn archive verify {root}"
    )


def _read(files):
    names = ", ".join(_literal(_pattern(name)) for name in files)
    return f"read_parquet([{names}], hive_partitioning = true, filename = true, file_row_number = true)"


def _pattern(name):
    """Return a file name in which signs that would be patterns stand for themselves."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _without_pattern(pattern):
    """Return the file name that `_pattern` was given."""
    return re.sub(r"\[([*?\[])\]", r"\1", pattern)


def _literal(text):
    return "'" + text.replace("'", "''") + "'"


def _quoted(name):
    return '"' + name.replace('"', '""') + '"'
