"""Describe an archive as a whole, and all of its items."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_dhnn.archive.manifest import Identity, Part


class Items(NamedTuple):
    """Describe all items of one image source, in order of id: the order in which equal distances are listed.

    Attributes:
        ids: `(n,)` str objects.
        codes: `(n, l / 8)` uint8, as `codes.pack` makes them.
    """

    ids: np.ndarray
    codes: np.ndarray


@dataclass(frozen=True)
class ArchiveInfo:
    """Describe what is known of an archive without reading its rows.

    Attributes:
        path: its folder.
        model: fingerprint of the model of its codes.
        bits: their length.
        pipeline: what happens to an image before the network, in words.
        features: length of the int8 feature vectors beside the codes, 0: none.
        encoder: how a query is encoded, see `Identity`.
        sources: `{source: number of items}`.
        files: number of Parquet files.
        bytes: size of all of them.
    """

    path: Path
    model: str
    bits: int
    pipeline: str
    features: int
    encoder: dict
    sources: dict
    files: int
    bytes: int

    @classmethod
    def of(cls, path: Path, identity: Identity, parts: Sequence[Part]) -> "ArchiveInfo":
        """Return what is known of an archive of some files."""
        sources: Counter[str] = Counter()
        for part in parts:
            sources[part.source] += part.rows
        return cls(
            path,
            identity.model,
            identity.bits,
            identity.pipeline,
            identity.features,
            identity.encoder,
            dict(sources),
            len(parts),
            sum(part.bytes for part in parts),
        )

    @property
    def rows(self) -> int:
        """Return the number of items of all sources."""
        return sum(self.sources.values())
