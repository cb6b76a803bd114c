"""Open, extend and read an archive on disk. `Archive` is what everybody else uses."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from keras_dhnn.archive import manifest
from keras_dhnn.archive.appending import Appended, append_rows, content_of_ids, contents_of_scene
from keras_dhnn.archive.calibration import load_calibration, with_precision
from keras_dhnn.archive.engine import Engine, read_error
from keras_dhnn.archive.info import ArchiveInfo, Items
from keras_dhnn.archive.labels import SEPARATOR
from keras_dhnn.archive.manifest import Identity, Part
from keras_dhnn.archive.parts import read_part
from keras_dhnn.archive.places import exists, is_address, place
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.ranking import choose_rank
from keras_dhnn.archive.results import Results
from keras_dhnn.archive.schema import FEATURES, code_columns, make_schema, table_codes, table_features
from keras_dhnn.archive.search import count_by_distance, find
from keras_dhnn.archive.wanted import DEFAULT_COLUMNS, Wanted
from keras_dhnn.archive.where import Box, Times, box_condition, make_condition, time_condition
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.files import as_list, is_text

_ATTEMPTS = 5
_T = TypeVar("_T")


class Archive:
    """Keep hash codes of many images with what is known of each, in Parquet files; searched by DuckDB or Spark.

    Made by `Archive.open` or `Archive.create`. It sees the files that counted when it was opened, or at the last
    `refresh`; whatever others append, remove or compact meanwhile does not disturb it. One object may be used by
    several threads.

    Attributes:
        root: Path of its folder.
        identity: whose codes it holds, `Identity`.
    """

    def __init__(self, root: Path, identity: Identity):
        self.root, self.identity = place(root), identity
        self._parts: list[Part] = []
        self._engine: Engine | None = None
        self._memory, self._guard = False, threading.Lock()
        self.refresh()

    @classmethod
    def open(cls, path: Path | str) -> "Archive":
        """Open an archive that exists.

        Args:
            path: its folder, or an address.

        Returns:
            `Archive`.

        Raises:
            DataError: if there is none, or it cannot be read.
        """
        root = place(path)
        return cls(root, manifest.read_identity(root))

    @classmethod
    def create(cls, path: Path | str, identity: Identity) -> "Archive":
        """Open an archive, and make it if there is none.

        Args:
            path: its folder, which need not exist, or an address such as s3://bucket/tiles.
            identity: the `Identity` that it has or gets.

        Returns:
            `Archive`.

        Raises:
            DataError: if the archive there holds codes of another model or length, or cannot be written, or something
                else of ours is there.
        """
        made = cls.make(path, identity)
        if made is not None:
            return made
        found = cls.open(path)
        manifest.check_same_model(found.root, found.identity, identity)
        return found

    @classmethod
    def make(
        cls, path: Path | str, identity: Identity, learned: Mapping[str, np.ndarray] | None = None
    ) -> "Archive | None":
        """Make an archive; None if there is one already, which stays as it is, whoever makes another at the same time.

        Args:
            path: as of `create`.
            identity: the `Identity` that it gets.
            learned: `{name: array}` that its encoder learned, kept beside it; or None.

        Raises:
            DataError: if it cannot be written, or something else of ours is there.
        """
        root = place(path)
        manifest.check_place(root)
        if exists(root / manifest.IDENTITY):
            return None
        try:
            if not is_address(root):
                root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{root} cannot be made: {error.strerror}. Give another folder by --archive.") from error
        with manifest.locked(root):
            if exists(root / manifest.IDENTITY):
                return None
            manifest.write_new(root, identity, learned)
        return cls.open(root)

    @property
    def info(self) -> ArchiveInfo:
        """Return the archive's `ArchiveInfo`."""
        return ArchiveInfo.of(self.root, self.identity, self._parts)

    @property
    def parts(self) -> list[Part]:
        """Return the list of `Part` that this object sees."""
        return list(self._parts)

    def refresh(self) -> bool:
        """See what others have changed since; returns whether anything was."""
        with self._guard:
            parts = manifest.read_parts(self.root)
            changed = parts != self._parts
            if changed:
                # Other threads may be in the middle of a search: what they read by goes when the last of them is done.
                self._parts, self._engine = parts, None
        return changed

    def source(self, name: str | None = None) -> str:
        """Return the image source that a user named, or the only one.

        Raises:
            SettingError: if there are several and none is named, or there is none of that name.
        """
        sources = list(self.info.sources) or ["image"]
        if name is None and len(sources) == 1:
            return sources[0]
        if name is None or name not in sources:
            raise SettingError(f"{self.root} holds images of {', '.join(sources)}. Name one of them. Received: {name}")
        return name

    def codes(self, source: str | None = None) -> Items:
        """Return the ids and codes of all items of one image source, in memory: 8 bytes an item and its id.

        Args:
            source: the image source; may be left out where there is one.

        Returns:
            `Items`, in order of id. `HammingRetrieval(items.codes)` finds what `search` finds, in the same order.

        Raises:
            SettingError: if there is no such source.
            DataError: if a file is damaged.
        """
        rows = self.rows(["id", *code_columns(self.identity.bits)], source).sort_by("id")
        return Items(rows["id"].to_numpy(), table_codes(rows, self.identity.bits))

    def rows(self, columns: str | Sequence[str] | None = None, source: str | None = None) -> pa.Table:
        """Return all items of one image source, in the order of the files.

        Args:
            columns: names of those that are wanted; None: all.
            source: as of `codes`.

        Returns:
            `pyarrow.Table`.
        """
        source = self.source(source)
        schema = make_schema(self.identity.bits, self.identity.features)
        wanted = schema.names if columns is None else as_list(columns)
        empty = schema.empty_table().select(wanted)
        read = self.attempt(lambda: [read_part(self.root, p, empty.schema) for p in self._parts if p.source == source])
        return pa.concat_tables([empty, *(table.replace_schema_metadata() for table in read)])

    def search(
        self,
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
        """Find the nearest items of each query, exactly: by distance, then score (see `rank`), then id.

        Args:
            queries: `Queries`, or codes `(q, l / 8)` uint8.
            k: at most so many for each query; None: all within the radius.
            radius: at most so many bits differ; None: any number.
            where: condition over the columns, such as `"label = 'forest' and size = 256"`; see `where.make_condition`.
            bbox: west, south, east, north in degrees, which the footprint must meet; or None.
            time: (start, end), ISO 8601, either may be None: start <= time < end; or None.
            source: the image source to search in; may be left out where there is one.
            rank: what puts equal distances in order: "hamming" (nothing: id), "asymmetric" (the query's outputs against
                the items' signs), "features" (cosine), or "auto": the last of these that query and archive allow.
            rerank: so many of the best are ordered by score first, not only those at equal distances.
            precision: cut each list where its calibrated precision falls below this; see `calibration`.
            columns: names of columns that the results have beside `query`, `rank`, `id` and `distance`; add "geometry"
                for footprints.

        Returns:
            `Results`.

        Raises:
            SettingError: for an argument that is not as above, or codes of another length.
            DataError: if a file is damaged or missing.
        """
        queries = self.checked(queries)
        source = self.source(source)
        wanted = self.wanted(queries, k, radius, self.condition(where, bbox, time), rank, rerank, columns)
        rows = self.info.sources.get(source, 0)
        found = self.attempt(lambda: find(self._database(), source, queries, wanted, rows))
        return with_precision(found, load_calibration(self, source), precision)

    def histogram(
        self,
        query: Queries | np.ndarray,
        *,
        where: str | None = None,
        bbox: Box | None = None,
        time: Times | None = None,
        source: str | None = None,
    ) -> np.ndarray:
        """Count the items at each distance from one query.

        Args:
            query: `Queries` of one, or its code `(1, l / 8)` uint8.
            where: as of `search`; so are bbox, time and source.

        Returns:
            `(l + 1,)` int64: the number of items at distance 0, 1, ..., l.

        Raises:
            SettingError: for several queries or none, and as `search`.
        """
        query, source = self.checked(query), self.source(source)
        if len(query) != 1:
            raise SettingError(f"Expected one query. Received {len(query)}.")
        condition = self.condition(where, bbox, time)
        return self.attempt(lambda: count_by_distance(self._database(), source, query.codes, condition))

    def get(
        self, ids: str | Sequence[str], columns: str | Sequence[str] | None = None, source: str | None = None
    ) -> pa.Table:
        """Return rows by id, in the order of `ids`.

        Args:
            ids: an id, or several.
            columns: names of columns; None: all.
            source: as of `search`.

        Returns:
            `pyarrow.Table`.

        Raises:
            SettingError: if an id is not there.
        """
        ids, columns = as_list(ids), columns if columns is None else as_list(columns)
        # What is no UTF-8, as names of files may be, is no item; nor is null.
        source, values = self.source(source), pa.array([one if is_text(one) else None for one in ids], pa.string())
        found = self.attempt(lambda: self._rows_of(values.drop_null(), source, columns))
        places = pc.index_in(values, found["id"])
        if places.null_count:
            missing = ids[places.is_null().to_pylist().index(True)]
            raise SettingError(f"The archive {self.root} has no item {missing!r} of source {source!r}.")
        return found.take(places).select(found.column_names if columns is None else columns)

    def queries(self, ids: str | Sequence[str], source: str | None = None) -> Queries:
        """Return stored items as `Queries`: "more like these".

        Args:
            ids: an id, or several.
            source: as of `search`.

        Raises:
            SettingError: if an id is not there.
        """
        features = [FEATURES] if self.identity.features else []
        rows = self.get(ids, ["id", *code_columns(self.identity.bits), *features], source)
        return Queries(table_codes(rows, self.identity.bits), features=table_features(rows) if features else None)

    def files(self, source: str = "image") -> dict[tuple[str, str | None], int]:
        """Return `{(path, scene): number of items}` of the files that items are of, as the archive is on disk now."""
        self.refresh()

        def read() -> dict[tuple[str, str | None], int]:
            found: Counter[tuple[str, str | None]] = Counter()
            for part in self._parts:
                if part.source == source:
                    rows = read_part(self.root, part, ["path", "scene"])
                    counted = rows.group_by(["path", "scene"]).aggregate([([], "count_all")]).to_pydict()
                    keys = zip(counted["path"], counted["scene"], strict=True)
                    found.update(dict(zip(keys, counted["count_all"], strict=True)))
            return {key: count for key, count in found.items() if key[0] is not None}

        return self.attempt(read)

    def labels(
        self, source: str | None = None, *, where: str | None = None, bbox: Box | None = None, time: Times | None = None
    ) -> dict[str | None, int]:
        """Return `{label: number of items}`, None for those without, most frequent first; arguments of `search`.

        An item of several labels counts for each.
        """
        condition = self.condition(where, bbox, time) or "true"
        return dict(
            self.sql(
                lambda items: (
                    "SELECT nullif(trim(one), '') AS name, count(*) AS n FROM (SELECT unnest(string_split("
                    f"coalesce(label, ''), '{SEPARATOR}')) AS one FROM {items} AS i WHERE {condition}) "
                    "GROUP BY name ORDER BY n DESC, name"
                ),
                source,
            )
        )

    def labelled(self, source: str | None = None) -> int:
        """Return how many items have a label."""
        return self.sql(lambda items: f"SELECT count(*) FROM {items} AS i WHERE trim(label) <> ''", source)[0][0]

    def condition(self, where: str | None = None, bbox: Box | None = None, time: Times | None = None) -> str | None:
        """Return SQL for the conditions of `search`, None if there are none.

        Raises:
            SettingError: if one is not as it should be.
        """
        columns = [*make_schema(self.identity.bits, self.identity.features).names]
        parts = [
            None if where is None else make_condition(where, columns),
            None if bbox is None else box_condition(bbox),
            None if time is None else time_condition(*time),
        ]
        return " AND ".join(part for part in parts if part) or None

    def wanted(
        self,
        queries: Queries,
        k: int | None,
        radius: int | None,
        condition: str | None,
        rank: str,
        rerank: int,
        columns: str | Sequence[str],
    ) -> Wanted:
        """Return what a search of this archive is to find, whichever engine answers it.

        Args:
            queries: `Queries`.
            k: as of `search`, as are the others but the condition.
            radius: likewise.
            condition: SQL, or None.
            rank: likewise.
            rerank: likewise.
            columns: likewise.

        Raises:
            SettingError: if neither k nor radius is given, or query or archive lack what `rank` needs.
        """
        if k is None and radius is None:
            raise SettingError("Expected k, radius or both: how many items, or how far. Received neither.")
        return Wanted(k, radius, condition, choose_rank(rank, queries, self.identity), rerank, as_list(columns))

    def load(self) -> None:
        """Read what a search needs into memory, where it is several times as fast.

        All columns but footprints are held: docs/measurements/archive.md says how many bytes an item.
        """
        with self._guard:
            self._memory, self._engine = True, None
        self.attempt(self._database)

    def sql(self, make_sql: Callable[[str], str], source: str | None = None) -> list[tuple]:
        """Return the rows, as tuples, of SQL of our own: `make_sql` is given what stands for a source's items."""
        source = self.source(source)

        def run() -> list[tuple]:
            engine = self._database()
            try:
                return engine.cursor().execute(make_sql(engine.items(source))).fetchall()
            except duckdb.Error as error:
                raise read_error(self.root, error) from error

        return self.attempt(run)

    def append(self, rows: pa.Table, source: str = "image") -> Appended:
        """Add items: all of them or none, once each, however often and from wherever the same ones are appended.

        An item whose id is there with the same `content` stays as it is; with other content it is replaced. Null
        content equals null.

        Args:
            rows: `pyarrow.Table` that `schema.make_rows` made.
            source: their image source: letters, digits and - _ .

        Returns:
            `Appended`.

        Raises:
            DataError: if the archive cannot be changed.
            SettingError: if the rows are not of this archive's columns, or an id comes twice in them.
            OSError: if the disk is full; the archive is as it was.
        """
        appended = append_rows(self.root, self.identity, rows, source)
        self.refresh()
        return appended

    def known(self, ids: list[str], source: str = "image", column: str = "content") -> dict[str, Any]:
        """Return `{id: content}`, or another column, of those ids that are in the archive, as it is on disk now."""
        self.refresh()
        values = pa.array(filter(is_text, ids), pa.string())
        return self.attempt(lambda: content_of_ids(self.root, self._parts, values, source, column=column))

    def contents_of_scene(self, scene: str, source: str = "image") -> set[tuple[int | None, str | None]]:
        """Return (content, path) of all tiles of a scene that are in the archive, as it is on disk now."""
        self.refresh()
        return self.attempt(lambda: contents_of_scene(self.root, self._parts, scene, source))

    def attempt(self, read: Callable[[], _T]) -> _T:
        """Return `read()`; again if a file vanished meanwhile because another process compacted or removed."""
        for attempt in range(_ATTEMPTS):
            seen = self._parts
            try:
                return read()
            except FileNotFoundError as error:
                self.refresh()
                # Another thread may have been first to see what has changed.
                if self._parts == seen or attempt == _ATTEMPTS - 1:
                    raise DataError(
                        f"{error.filename or error} is missing from the archive {self.root}. Restore it, or take it "
                        f"out: keras-dhnn archive verify {self.root} --drop-damaged"
                    ) from error
        raise AssertionError("unreachable")

    def _database(self):
        with self._guard:
            if self._engine is None:
                self._engine = Engine(self.root, self.identity, self._parts, self._memory)
            return self._engine

    def checked(self, queries: Queries | np.ndarray) -> Queries:
        """Return `Queries` of what a search was given, a matrix of codes too.

        Raises:
            SettingError: if the codes are of another length than the archive's.
        """
        queries = queries if isinstance(queries, Queries) else Queries(np.asarray(queries))
        codes = np.asarray(queries.codes)
        if codes.dtype != np.uint8 or codes.ndim != 2 or 8 * codes.shape[1] != self.identity.bits:
            raise SettingError(
                f"Expected codes of {self.identity.bits} bits, uint8 of shape (q, {self.identity.bits // 8}), as "
                f"codes.pack makes them. Received: {codes.dtype}, shape={codes.shape}"
            )
        return queries

    def _rows_of(self, ids, source, columns):
        """Return rows with these ids, in no order; each file whose range of ids they may be in is read once."""
        low, high = (bound.as_py() for bound in pc.min_max(ids).values())
        schema = make_schema(self.identity.bits, self.identity.features)
        wanted = schema.names if columns is None else ["id", *(name for name in columns if name != "id")]
        found = [schema.empty_table().select(wanted)]
        for part in self._parts:
            if part.source == source and len(ids) and part.first <= high and low <= part.last:
                held = read_part(self.root, part, ["id"])["id"]
                if pc.any(pc.is_in(held, value_set=ids)).as_py():
                    rows = read_part(self.root, part, found[0].schema).replace_schema_metadata()
                    found.append(rows.filter(pc.is_in(rows["id"], value_set=ids)))
        return pa.concat_tables(found)
