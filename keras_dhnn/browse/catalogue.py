"""Hold what is known of all items of one image source in memory, in order of id: an item's number is its place there.

A million items take some 470 MB, and the archive in memory 280 MB more: what a page shows of any sixty of them must not
wait for files.
"""

import bisect
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute

from keras_dhnn.archive import Archive, Queries
from keras_dhnn.archive.schema import FEATURES, code_columns, table_codes, table_features
from keras_dhnn.archive.wkb import from_wkb
from keras_dhnn.browse.parameters import Filters
from keras_dhnn.browse.refusal import Refusal, not_found
from keras_dhnn.errors import SettingError

# Its functions are made when it is imported: type checkers see none.
pc: Any = pyarrow.compute
_SHOWN = ("label", "time", "scene", "row", "col", "size", "bbox", "content", "path")
_BOX = ("xmin", "ymin", "xmax", "ymax")
_FILTERS_KEPT = 32
_SEED = 0


class Catalogue:
    """Hold the items of one image source.

    Args:
        archive: `Archive`.
        source: the image source.

    Attributes:
        source: its name.
        ids: `(n,)` str objects, ascending.
        codes: `(n, l / 8)` uint8.
        features: `(n, d)` int8, or None.
        labels: `(n,)` int32, places in `label_names`; -1: none.
        label_names: texts, in alphabetical order.
        scenes: as `labels`, in `scene_names`.
        scene_names: texts.
    """

    def __init__(self, archive: Archive, source: str):
        self.archive, self.source, self._guard = archive, source, threading.Lock()
        bits, kept = archive.identity.bits, [FEATURES] if archive.identity.features else []
        columns = ["id", *code_columns(bits), *_SHOWN, "crs", "geometry", *kept]
        rows = archive.rows(columns, source).sort_by("id").combine_chunks()
        self.ids = rows["id"].to_numpy(zero_copy_only=False)
        self.codes = table_codes(rows, bits)
        self.features = table_features(rows) if kept and len(rows) else None
        self.labels, self.label_names = _numbered(rows["label"])
        self.scenes, self.scene_names = _numbered(rows["scene"])
        self._footprints = rows["geometry"]
        self._rows = rows.drop(["geometry", *kept])
        self._database = self._open()
        self.matching = lru_cache(_FILTERS_KEPT)(self._matching)
        self.mixed = lru_cache(_FILTERS_KEPT)(self._mixed)
        self.extent = lru_cache(_FILTERS_KEPT)(self._extent)

    def __len__(self) -> int:
        return len(self.ids)

    def number(self, key: str) -> int:
        """Return the number of an item.

        Raises:
            Refusal: 404 if there is none of that id.
        """
        place = bisect.bisect_left(self.ids, key)
        if place == len(self.ids) or self.ids[place] != key:
            raise not_found(f"There is no item {key!r} of source {self.source!r} in this archive.")
        return place

    def numbers(self, keys: Sequence[str]) -> np.ndarray:
        """Return the numbers of items, `(k,)` int64; `Refusal` as of `number`."""
        return np.array([self.number(key) for key in keys], np.int64)

    def numbers_of(self, found: np.ndarray) -> np.ndarray:
        """Return the numbers of items that a search of the archive has found.

        Raises:
            Refusal: 409 if one is new: somebody has changed the archive, and this reader has looked again.
        """
        places = np.searchsorted(self.ids, found).clip(max=max(len(self) - 1, 0))
        if len(found) and (not len(self) or (self.ids[places] != found).any()):
            raise Refusal(
                409, "conflict", "The archive has changed since this page was opened. Start keras-dhnn browse again."
            )
        return places

    def path(self, number: int) -> dict[str, Any]:
        """Return what says where an item's picture is: path, row, col, size and scene."""
        return {name: self._rows[name][number].as_py() for name in ("path", "row", "col", "size", "scene")}

    def table_names(self, numbers: np.ndarray) -> list[str]:
        """Return what some items are called in tables of labels: a tile that is the only one of its file by the path of
        that, as others read it, else an item by its id.
        """
        rows = self._rows.select(["id", "path", "scene"]).take(pa.array(numbers, pa.int64())).to_pylist()
        paths = self._rows["path"]
        held = paths.filter(pc.is_in(paths, pa.array({row["path"] for row in rows}, pa.string()))).value_counts()
        counts = {one["values"]: one["counts"] for one in held.to_pylist()}
        alone = (row["scene"] and row["path"] and counts[row["path"]] == 1 for row in rows)
        return [row["path" if only else "id"] for row, only in zip(rows, alone, strict=True)]

    def queries(self, numbers: np.ndarray) -> Queries:
        """Return some items as queries."""
        features = None if self.features is None else self.features[numbers]
        return Queries(self.codes[numbers], features=features)

    def scene_path(self, name: str | None) -> str | None:
        """Return the path of a scene's file, None if there is no such scene."""
        if name not in self.scene_names:
            return None
        return self._rows["path"][int(np.argmax(self.scenes == self.scene_names.index(name)))].as_py()

    def time_order(self, numbers: np.ndarray) -> np.ndarray:
        """Return the places of some items in order of time, those without one last."""
        times = self._rows["time"].take(pa.array(numbers)).combine_chunks()
        return pc.array_sort_indices(times, null_placement="at_end").to_numpy()

    def items(self, numbers: np.ndarray, *, geometry: bool = False) -> list[dict[str, Any]]:
        """Return what a page is told of some items, dictionaries for JSON in their order.

        Args:
            numbers: `(k,)` of the items.
            geometry: whether footprints are wanted.
        """
        numbers = np.asarray(numbers, np.int64)
        rows = self._rows.select(["id", *_SHOWN]).take(pa.array(numbers)).to_pylist()
        items = [self._item(row, code) for row, code in zip(rows, self.codes[numbers], strict=True)]
        if geometry:
            for item, wkb in zip(items, self._footprints.take(pa.array(numbers)).to_pylist(), strict=True):
                item["geometry"] = None if wkb is None else from_wkb(wkb)
        return items

    def _item(self, row, code):
        time, box = row["time"], row["bbox"]
        return {
            "id": row["id"],
            "label": row["label"],
            "time": None if time is None else f"{time.isoformat()}Z",
            "scene": row["scene"],
            "row": row["row"],
            "col": row["col"],
            "size": row["size"],
            "bbox": None if box is None else [box[name] for name in _BOX],
            "code": code.tobytes().hex(),
            "thumb": self.thumb(row["id"], row["content"]),
        }

    def thumb(self, key: str, content: int | None) -> str:
        """Return the address of an item's picture; another one when the picture changes."""
        version = format((content or 0) % (1 << 64), "x")
        return f"/api/thumb?{urlencode({'source': self.source, 'id': key, 'v': version})}"

    def _open(self):
        """Return a database over the rows, shut off from every file."""
        database = duckdb.connect(":memory:")
        database.register("items", self._rows.append_column("number", pa.array(np.arange(len(self._rows)))))
        database.execute("SET enable_external_access = false")
        database.execute("SET lock_configuration = true")
        return database

    def _matching(self, filters: Filters) -> np.ndarray:
        """Return the numbers of the items that meet some filters, ascending."""
        how = filters.conditions()
        if filters.where is not None:  # alone as well: in brackets of ours, others could be closed
            self.archive.condition(filters.where)
        condition = self.archive.condition(**how)
        if condition is None:
            return np.arange(len(self))
        try:
            with self._guard:
                found = self._database.execute(f"SELECT number FROM items AS i WHERE {condition}").fetchnumpy()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise SettingError(f"The condition {filters.where!r} cannot be used: {reason}") from error
        return np.sort(np.asarray(found["number"], np.int64))

    def _mixed(self, filters: Filters) -> np.ndarray:
        """Return the same numbers shuffled, always in one way."""
        return np.random.default_rng(_SEED).permutation(self.matching(filters))

    def _extent(self, filters: Filters) -> dict[str, Any]:
        """Return `time`, the first and last, and `bbox`, west, south, east, north, of what filters leave, or None."""
        rows, numbers = self._rows.select(["time", "bbox"]), self.matching(filters)
        if len(numbers) < len(self):
            rows = rows.take(pa.array(numbers))
        first, last = pc.min_max(rows["time"]).values()
        boxes = rows["bbox"].combine_chunks()
        sides = [pc.struct_field(boxes, name) for name in _BOX]
        bounds = [*map(pc.min, sides[:2]), *map(pc.max, sides[2:])]
        return {
            "time": [f"{end.as_py().isoformat()}Z" for end in (first, last)] if first.is_valid else None,
            "bbox": [bound.as_py() for bound in bounds] if bounds[0].is_valid else None,
        }


def _numbered(column):
    """Return `(numbers, names)` of a column of texts, numbers -1 where there is none."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    names = np.array(encoded.dictionary.to_pylist(), object)
    numbers = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    order = np.argsort(names)
    places = np.empty(len(names) + 1, np.int32)
    places[order], places[-1] = np.arange(len(names)), -1
    return places[numbers], names[order].tolist()
