"""Encode tiles into an archive in small batches, appended in pieces, so that a kill loses one piece at most."""

import collections
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from keras_dhnn.archive.appending import Appended
from keras_dhnn.archive.geoparquet import footprints
from keras_dhnn.archive.manifest import Identity
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.schema import make_rows
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.tiles.tile import Form, Tile

# Takes rows and their image source, see `Archive.append`.
Append = Callable[[pa.Table, str], Appended]
PIECE = 2048
SECONDS = 60
_COLUMNS = ("label", "path", "time", "scene", "row", "col", "size", "crs")


class Encoder(Protocol):
    """Turn images into codes.

    Attributes:
        identity: the `Identity` of archives that it fills.
        form: the `Form` of the images that it takes.
        batch: how many it takes at a time.
    """

    identity: Identity
    form: Form
    batch: int

    def stream(self, batches: Iterable[np.ndarray]) -> Iterator[Queries]:
        """Yield codes, and outputs and features where it has them, of batches of images `(b, H, W, C)`, in order."""


@dataclass
class Encoded:
    """Describe what became of tiles, as `Archive.append` counts: tiles that hold nothing or were known before are not
    read.

    Attributes:
        added: items that are new.
        replaced: items that were there with other content.
        known: tiles that were there with the same content, or hold nothing.
        relabelled: items that were there, and got another label.
    """

    added: int = 0
    replaced: int = 0
    known: int = 0
    relabelled: int = 0

    def add(self, appended: "Appended | Encoded") -> None:
        """Count one piece."""
        self.added += appended.added
        self.replaced += appended.replaced
        self.known += appended.known


def encode_tiles(
    archive: Archive,
    tiles: Iterable[Tile | None],
    encoder: Encoder,
    source: str = "image",
    *,
    progress: Callable[[int], object] | None = None,
    piece: int = PIECE,
    seconds: float = SECONDS,
    append: Append | None = None,
) -> Encoded:
    """Encode tiles and append them.

    Args:
        archive: `Archive` of the encoder's identity.
        tiles: iterable of `Tile`, or None for one that is known or empty.
        encoder: an `Encoder`.
        source: the image source of the tiles.
        progress: `progress(done)`, called with the number of tiles so far; or None.
        piece: rows after which they are appended.
        seconds: time after which they are, even if fewer.
        append: what is called with the rows of each piece and the source; None: the archive's own `append`.

    Returns:
        `Encoded`.
    """
    counted, since, done, put = Encoded(), time.monotonic(), 0, append or archive.append
    rows: list[tuple[list[Tile], Queries]] = []
    read: collections.deque[list[Tile]] = collections.deque()

    def fresh() -> Iterator[Tile]:
        """Yield the tiles that are to be encoded."""
        for tile in tiles:
            if tile is None:
                counted.known += 1
            else:
                yield tile

    def images() -> Iterator[np.ndarray]:
        """Yield pixels of batches, whose tiles are kept until their codes are there."""
        for batch, pixels in image_batches(fresh(), encoder.batch):
            read.append(batch)
            yield pixels

    def add() -> None:
        """Append what is encoded so far."""
        if rows:
            counted.add(put(tile_rows(*_joined(rows), encoder.identity), source))
            rows.clear()

    try:
        for encoded in encoder.stream(images()):
            rows.append((read.popleft(), encoded))
            done += len(encoded)
            if sum(len(batch) for batch, _ in rows) >= piece or time.monotonic() - since > seconds:
                add()
                since = time.monotonic()
            if progress is not None:
                progress(done + counted.known)
    except KeyboardInterrupt:
        add()  # what is encoded is kept
        raise
    add()
    return counted


def image_batches(tiles: Iterable[Tile], size: int) -> Iterator[tuple[list[Tile], np.ndarray]]:
    """Yield `size` tiles at a time: the tiles without their pixels, and these in one array `(b, H, W, C)`."""
    tiles = iter(tiles)
    while batch := list(itertools.islice(tiles, size)):
        bare = [Tile(tile.id, tile.content, None, tile.values, tile.corners) for tile in batch]
        yield bare, np.stack([np.asarray(tile.image) for tile in batch])


def tile_rows(tiles: list[Tile], encoded: Queries, identity: Identity) -> pa.Table:
    """Return the rows of an archive of tiles and their codes.

    Args:
        tiles: list of n `Tile`; the last of those with the same id counts.
        encoded: `Queries` of n.
        identity: the archive's `Identity`.
    """
    last = list({tile.id: number for number, tile in enumerate(tiles)}.values())
    tiles = [tiles[number] for number in last]
    columns = {name: [tile.values.get(name) for tile in tiles] for name in _COLUMNS}
    columns["time"] = times(columns["time"])
    nowhere = np.full((4, 2), np.nan)
    corners = np.array([nowhere if tile.corners is None else tile.corners for tile in tiles])
    return make_rows(
        [tile.id for tile in tiles],
        encoded.codes[last],
        encoded.features[last] if identity.features and encoded.features is not None else None,
        content=[tile.content for tile in tiles],
        **columns,
        **footprints(corners),
    )


def times(texts: Iterable[str | None]) -> pa.Array:
    """Return ISO 8601 texts, or None, as an array of timestamps, UTC; what is no such text is null."""
    return pa.array([_milliseconds(text) for text in texts], pa.int64()).cast(pa.timestamp("ms"))


def _milliseconds(text):
    import datetime

    if text is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    utc = moment.replace(tzinfo=datetime.timezone.utc) if moment.tzinfo is None else moment
    return round(utc.timestamp() * 1000)


def _joined(rows: list[tuple[list[Tile], Queries]]) -> tuple[list[Tile], Queries]:
    tiles = [tile for part, _ in rows for tile in part]
    parts = [encoded for _, encoded in rows]
    features = None if parts[0].features is None else np.concatenate([part.features for part in parts])
    return tiles, Queries(np.concatenate([part.codes for part in parts]), features=features)
