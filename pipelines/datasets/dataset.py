"""Describe a data set: how its archive is read, where it is published, how its synthetic twin is drawn."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_dhnn.pipelines.example import Archive


@dataclass(frozen=True)
class Twin:
    """Describe the synthetic twin of a data set.

    Attributes:
        writer: "module:function" of `function(folder, *, seed, progress, **sizes)`, which writes the twin in the
            archive's own format. Imported when it is used, since writers know the constants of their readers.
        sizes: what the function takes beside, with the values of a twin for trials, e.g. `{"per_class": 20}`.
    """

    writer: str
    sizes: Mapping[str, int | float]

    def write(self, folder: Path, **how: Any) -> None:
        """Write the twin into a folder; arguments as of the writer."""
        module, _, function = self.writer.partition(":")
        getattr(importlib.import_module(module), function)(folder, **how)


@dataclass(frozen=True)
class Download:
    """Describe the file that a data set's authors publish.

    Attributes:
        url: where it is.
        file: its name.
        size: in bytes.
        checksum: "sha256:" and 64 digits.
    """

    url: str
    file: str
    size: int
    checksum: str


@dataclass(frozen=True)
class Dataset:
    """Describe one data set, or one layout of anybody's images.

    Attributes:
        open_archive: `open_archive(source, **options)` lists and checks an archive, for `store.prepare`.
        options: names of the options of `open_archive` that a user may set.
        sources: whether the archive is several trees, `{source: path}`, instead of one.
        twin: its synthetic twin, if it has one.
        download: where it is published, if it can be fetched.
    """

    open_archive: Callable[..., Archive]
    options: tuple[str, ...] = ()
    sources: bool = False
    twin: Twin | None = None
    download: Download | None = None
