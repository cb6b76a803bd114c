"""Hold what a search found, and the forms in which it leaves the house."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from keras_dhnn.archive.wkb import from_wkb
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.files import whole, write_json


@dataclass(frozen=True)
class Results:
    """Describe items found for one or several queries.

    Attributes:
        table: `pyarrow.Table` with the columns `query` (number of the query), `rank` (from 1), `id`, `distance` (bits
            that differ), `score` where that, not the distance, puts items in order, `precision` where the archive is
            calibrated (see `calibration`), and those columns of the archive that were asked for; in order of query and
            rank.
        source: the image source that was searched.
    """

    table: pa.Table
    source: str

    def __len__(self) -> int:
        return len(self.table)

    def of_query(self, number: int) -> "Results":
        """Return the `Results` of one query."""
        import pyarrow.compute as pc

        return Results(self.table.filter(pc.equal(self.table["query"], number)), self.source)

    def to_list(self) -> list[dict[str, Any]]:
        """Return a list of dictionaries fit for JSON: without geometry and features, times as ISO 8601.

        Raises:
            DataError: if a time is no date.
        """
        kept = [name for name in self.table.column_names if name not in ("geometry", "features")]
        try:
            rows = self.table.select(kept).to_pylist()
        except (OverflowError, ValueError) as error:
            raise DataError(
                f"An item that was found cannot be shown: {error}. Which file of the archive holds it says: keras-dhnn "
                "archive verify ARCHIVE"
            ) from error
        for row in rows:
            if row.get("time") is not None:
                row["time"] = f"{row['time'].isoformat()}Z"
        return rows

    def to_geojson(self) -> dict[str, Any]:
        """Return a GeoJSON FeatureCollection (RFC 7946) as a dictionary: footprints in longitude and latitude.

        Items without a place have a null geometry. Needs the column `geometry`.

        Raises:
            SettingError: if the search was not asked for that column.
        """
        self._check_columns("geometry")
        features = []
        for row, wkb in zip(self.to_list(), self.table["geometry"].to_pylist(), strict=True):
            geometry = None if wkb is None else from_wkb(wkb)
            box = row.pop("bbox", None)
            feature = {"type": "Feature", "id": row["id"], "geometry": geometry, "properties": row}
            if geometry and box:
                feature["bbox"] = [box["xmin"], box["ymin"], box["xmax"], box["ymax"]]
            features.append(feature)
        return {"type": "FeatureCollection", "features": features}

    def write_geojson(self, path: Path) -> None:
        """Write `to_geojson` to a file; `SettingError` as there."""
        write_json(path, self.to_geojson())

    def write_geoparquet(self, path: Path) -> None:
        """Write the results as a GeoParquet 1.1 file. Needs the columns `geometry` and `bbox`.

        Raises:
            SettingError: if the search was not asked for these columns.
        """
        self._check_columns("geometry", "bbox")
        import pyarrow.parquet as pq

        from keras_dhnn.archive.geoparquet import geo_metadata

        table = self.table.replace_schema_metadata({"geo": json.dumps(geo_metadata(self.table))})
        with whole(path) as partial:
            pq.write_table(table, partial)

    def _check_columns(self, *names):
        missing = [name for name in names if name not in self.table.column_names]
        if missing:
            columns = "".join(f'"{name}", ' for name in names).rstrip(", ")
            raise SettingError(
                f"The results have no column {' and no column '.join(map(repr, missing))}. Search with columns=(..., "
                f'{columns}), such as archive.search(queries, 50, columns=("label", {columns})).'
            )
