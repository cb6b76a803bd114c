"""Read and write what a prepared data set says of itself: `info.json` and `items.npz`. Without TensorFlow."""

import dataclasses
import functools
import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.errors import DataError
from keras_dhnn.files import check_kind, is_inside, read_arrays, read_json, write_text
from keras_dhnn.files.checksums import checksum
from keras_dhnn.pipelines.example import DTYPES, ImageSpec
from keras_dhnn.pipelines.labels import UNLABELLED, Labels

FORMAT_VERSION = 1
INFO_FILE = "info.json"
ITEMS_FILE = "items.npz"
LABELS_FILE = "labels.npz"
_OWN_CHECKSUM = "sha256"
# Bytes of a record beside its pixels, for each thing that it holds: more than its name's and lengths' own, of both
# kinds of names letters of up to four bytes.
_MOST_BESIDE = 64
_FILE = {"file": str, "count": int, "bytes": int, "sha256": str}
_INFO = {
    "name": str,
    "classes": [str],
    "images": {str: {"height": int, "width": int, "channels": int, "dtype": str}},
    "count": int,
    "class_counts": [int],
    "shards": [_FILE],
    "items_file": _FILE,
    "checksum": str,
    "source": {"kind": str, "path": str, "fingerprint": str},
    "synthetic": bool,
    "skipped": [[str]],
    "package_version": str,
    "items_per_record": int,
}
_ITEMS = {"labels": ("i", 1), "ids": ("U", 1), "places": ("i", 2)}


@dataclass(frozen=True)
class StoredFile:
    """Describe one file of a data set: its name, size, content, and how many items it holds."""

    file: str
    count: int
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path, count: int) -> "StoredFile":
        """Describe a file on disk."""
        return cls(path.name, count, path.stat().st_size, checksum(path))

    def damage(self, directory: Path, *, content: bool) -> str | None:
        """Return what is wrong with the file in `directory`, or None; it is read only to compare its `content`."""
        path = directory / self.file
        if not path.is_file():
            return f"{self.file} is missing"
        if path.stat().st_size != self.bytes:
            return f"{self.file} has {path.stat().st_size:,} bytes instead of {self.bytes:,}"
        return f"{self.file} has changed" if content and StoredFile.of(path, self.count) != self else None


@dataclass(frozen=True)
class DatasetInfo:
    """Describe a prepared data set.

    Attributes:
        directory: its folder.
        name: such as "ucmd".
        classes: class names; a label is a position here.
        images: {source: ImageSpec}, such as {"image": 256 x 256 x 3 uint8}.
        count: number of items.
        class_counts: items of each class, in the order of `classes`.
        shards: the TFRecord files, as StoredFile.
        items_file: `items.npz`, as StoredFile.
        checksum: sha256 over ids, labels and pixels in the order of items; the same whether the origin was a
            folder or a zip, and however many shards there are.
        origin: where it came from (`kind`, `path`, `fingerprint`); "source" in the file.
        synthetic: whether the images are made up.
        skipped: (name, reason) of each file of the origin that was left out.
        package_version: the version of keras-dhnn that wrote it.
        items_per_record: 1, or how many items a record holds at most: small images are stored in blocks.
        given: `labels` and `true_labels` that are seen instead of those stored, see `with_labels`; None if none are.
        table: the `Labels` that were given; None if none were.
        prepared: the same data set without labels that were given later; None if none were.
    """

    directory: Path
    name: str
    classes: tuple
    images: dict
    count: int
    class_counts: tuple
    shards: tuple
    items_file: StoredFile
    checksum: str
    origin: dict
    synthetic: bool
    skipped: tuple
    package_version: str
    items_per_record: int = 1
    given: dict | None = None
    table: Labels | None = None
    prepared: "DatasetInfo | None" = None

    @classmethod
    def load(cls, directory: Path | str) -> "DatasetInfo":
        """Read the data set in a folder, checking that what it says of itself is what was written, and that its files
        are all there, by size.

        Raises:
            DataError: if there is none, or it is unfinished, damaged, or of another format version.
        """
        directory = Path(directory)
        name, place = (shlex.quote(str(part)) for part in (directory.name, directory.parent))
        remedy = f"Run: keras-dhnn prepare {name} --data {place} (--source PATH or --synthetic)"
        if not (directory / INFO_FILE).is_file():
            raise DataError(f"No prepared data set in {directory}. {remedy}")
        values = read_json(directory / INFO_FILE, {"format_version": int}, remedy=remedy)
        written = values.pop(_OWN_CHECKSUM, None)  # data sets that were prepared by version 0.1 have none
        now, version = _checksum_of(values), values.pop("format_version")
        if version != FORMAT_VERSION:
            raise DataError(
                f"{directory} was written in format {version}, where {FORMAT_VERSION} is expected: another version of "
                f"keras-dhnn made it. {remedy}"
            )
        if written not in (None, now):
            raise DataError(f"{directory / INFO_FILE} is damaged: it is not what was written. {remedy}")
        try:
            info = cls._from_json(directory, {"items_per_record": 1, **values})
        except (ValueError, TypeError) as error:
            raise DataError(f"{directory / INFO_FILE} is damaged: {error}. {remedy}") from error
        info._check(content=False, remedy=remedy)
        labels = directory / LABELS_FILE
        return info.with_labels(Labels.load(labels)) if labels.is_file() else info

    @classmethod
    def _from_json(cls, directory, values):
        check_kind(values, _INFO)
        values["images"] = {source: ImageSpec(**spec) for source, spec in values["images"].items()}
        values["shards"] = tuple(StoredFile(**shard) for shard in values["shards"])
        values["items_file"] = StoredFile(**values["items_file"])
        values["skipped"] = tuple(map(tuple, values["skipped"]))
        values["classes"], values["class_counts"] = tuple(values["classes"]), tuple(values["class_counts"])
        # By this name in the files of all versions.
        values["origin"] = values.pop("source")
        info = cls(directory=directory, **values)
        fault = _fault(info)
        if fault:
            raise ValueError(fault)
        return info

    def save(self) -> None:
        """Write `info.json`, the last file of a data set, with a checksum of what it says."""
        values = dataclasses.asdict(dataclasses.replace(self, given=None, table=None, prepared=None))
        for name in ("directory", "given", "table", "prepared"):
            del values[name]
        values["source"] = values.pop("origin")
        values = {"format_version": FORMAT_VERSION, **values}
        values[_OWN_CHECKSUM] = _checksum_of(values)
        text = json.dumps(values, indent=2, ensure_ascii=False)
        write_text(self.directory / INFO_FILE, text + "\n")

    def verify(self) -> None:
        """Read every file and compare its checksum.

        Raises:
            DataError: naming the first file that is missing or differs.
        """
        self._check(content=True, remedy="Prepare the data set again, with --force.")

    def _check(self, *, content, remedy):
        for file in (self.items_file, *self.shards):
            # Ids and labels are read always, and are small; records have checksums of their own.
            damage = file.damage(self.directory, content=content or file is self.items_file)
            if damage:
                raise DataError(f"The data set in {self.directory} is damaged: {damage}. {remedy}")

    @property
    def sources(self) -> tuple[str, ...]:
        """Return names of the sources, sorted."""
        return tuple(sorted(self.images))

    @property
    def layout(self) -> str | None:
        """Return what kind of archive it was read from, such as "folder"; None of those that are known by name."""
        return self.origin.get("layout")

    @property
    def scaling(self) -> dict[str, dict[str, list[float]]] | None:
        """Return {source: {"low": [...], "high": [...]}}, what becomes 0 and 255 in each band; None if stored so, as
        uint8.
        """
        return self.origin.get("scaling")

    def rgb_bands_of(self, source: str) -> tuple[int, ...]:
        """Return numbers, from 1, of the bands of a source that are red, green and blue.

        They are (1, 2, 3) where there are fewer than three bands, or nobody said.
        """
        bands = self.origin.get("rgb_bands")
        return tuple((bands.get(source) if isinstance(bands, dict) else bands) or (1, 2, 3))

    @property
    def nbytes(self) -> int:
        """Return bytes that all images take in memory, as stored."""
        return self.count * sum(spec.nbytes for spec in self.images.values())

    def with_labels(self, labels: Labels, *, to_score: bool = False) -> "DatasetInfo":
        """Return the same data set, seen with other labels, some of which may be missing.

        Where every label is a class that the data set has already, those classes are kept, and images whose class it
        knows since it was prepared are scored by it; otherwise its folders are taken for no classes. Where images have
        several labels, each set of them is a class of its own.

        Args:
            labels: `Labels` of its images.
            to_score: whether the labels are what scores go by, whatever class the data set knows.

        Raises:
            DataError: if they are of another number of images.
        """
        if len(labels.sets) != self.count:
            raise DataError(
                f"Labels of {len(labels.sets)} images are not those of {self.directory}, which has {self.count}. Give "
                "the labels again."
            )
        prepared, (classes, numbers) = self.prepared or self, labels.as_classes()
        known, true = labels.known, numbers
        if not labels.several and set(labels.classes) <= set(self.classes) - {UNLABELLED}:
            own = {name: place for place, name in enumerate(self.classes)}
            missing = () if known.all() or UNLABELLED in own else (UNLABELLED,)
            classes = (*self.classes, *missing)
            places = {name: place for place, name in enumerate(classes)}
            names = (*labels.classes, UNLABELLED)
            renamed = np.array([places.get(name, -1) for name in names], np.int32)
            numbers = renamed[np.where(known, labels.sets.argmax(axis=1), -1)]
            true = np.where(known, numbers, self.true_labels)
            if not to_score and self.classes[: len(prepared.classes)] == prepared.classes:
                true = np.where(prepared.truly_known, prepared.true_labels, true)
        return dataclasses.replace(
            self,
            classes=classes,
            class_counts=tuple(np.bincount(true, minlength=len(classes)).tolist()),
            given={"labels": numbers, "true_labels": true},
            table=labels,
            prepared=prepared,
        )

    @property
    def folders(self) -> np.ndarray:
        """Return (count,) str: the folder of each item that is its class in the archive; "" where none is."""
        prepared = self.prepared or self
        classes = np.array(["" if name == UNLABELLED else name for name in prepared.classes])[prepared.labels]
        inside = [str(name).startswith(f"{of}/") for name, of in zip(self.ids, classes, strict=True)]
        return np.where(inside, classes, "")

    @property
    def class_labels(self) -> tuple[tuple[str, ...], ...]:
        """Return the labels that items of each class have: one, where images have several those of the set, or none."""
        if self.label_sets is not None:
            return tuple(map(self.label_sets.names_of, self.label_sets.distinct))
        return tuple(() if name == UNLABELLED else (name,) for name in self.classes)

    @functools.cached_property
    def truth(self) -> Labels:
        """Return the `Labels` to score by, in order of names: of each item its one, its several, or none."""
        labels = self.class_labels
        names = sorted({name for number in np.unique(self.true_labels) for name in labels[number]})
        return Labels(tuple(names), np.array([[name in of for name in names] for of in labels], bool)[self.true_labels])

    @property
    def label_sets(self) -> Labels | None:
        """Return the `Labels` behind `true_labels` where images have several; None where each has one at most."""
        return self.table if self.table is not None and self.table.several else None

    @property
    def known(self) -> np.ndarray:
        """Return (count,) bool: whether each item has a label to train on."""
        return self._known(self.labels)

    @property
    def truly_known(self) -> np.ndarray:
        """Return (count,) bool: whether each item has a label to score by."""
        return self._known(self.true_labels)

    def _known(self, labels):
        unlabelled = self.classes.index(UNLABELLED) if UNLABELLED in self.classes else -1
        return labels != unlabelled

    @property
    def labels(self) -> np.ndarray:
        """Return (count,) int32: class of each item."""
        return self._items["labels"] if self.given is None else self.given["labels"]

    @property
    def ids(self) -> np.ndarray:
        """Return (count,) str: name of each item in its archive."""
        return self._items["ids"]

    @property
    def places(self) -> np.ndarray:
        """Return (count, 3) int64: shard number, first byte and length in bytes of each item's record."""
        return self._items["places"]

    @property
    def pixels(self) -> np.ndarray:
        """Return (count, sources) int64: the first byte of each item's images in its shard, where records are
        blocks.
        """
        return self._items["pixels"]

    @property
    def checks(self) -> np.ndarray | None:
        """Return (count, 1) int64, the CRC-32 of each item's record, or where records are blocks (count, sources), of
        each image; None of data sets that were prepared before there were such.
        """
        return self._items.get("checks")

    @property
    def true_labels(self) -> np.ndarray:
        """Return (count,) int32: class of each item to score by. It is `labels`, but where those are noisy or
        missing.
        """
        return self._items["true_labels"] if self.given is None else self.given["true_labels"]

    @functools.cached_property
    def _items(self):
        remedy, kinds = "Prepare the data set again, with --force.", dict(_ITEMS)
        if self.items_per_record > 1:
            kinds["pixels"] = ("i", 2)
        items = read_arrays(self.directory / ITEMS_FILE, kinds, remedy=remedy)
        items.setdefault("true_labels", items["labels"])
        fault = _fault_of_items(self, items)
        if fault:
            raise DataError(f"{self.directory / ITEMS_FILE} is damaged: {fault}. {remedy}")
        for array in items.values():
            array.flags.writeable = False
        return items


def _checksum_of(values: dict[str, Any]) -> str:
    """Return the sha256 of what a description says, however it is laid out in lines."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _fault(info):
    """Return what does not fit together in a description, whose parts are of the right kinds; None if all does."""
    files = (info.items_file, *info.shards)
    foreign = [file.file for file in files if Path(file.file).name != file.file or not is_inside(file.file)]
    if foreign:
        return f"{foreign[0][:40]!r} is no file of the data set"
    for spec in info.images.values():
        if min(spec.shape) < 1 or spec.dtype not in DTYPES:
            return f"images are {spec}"
    if not info.images or info.count < 1 or info.items_per_record < 1:
        return f"it claims {info.count} items of {len(info.images)} images"
    if len(info.class_counts) != len(info.classes) or sum(info.class_counts) != info.count:
        return f"{len(info.classes)} classes of {info.class_counts} items are not {info.count} items"
    stored = sum(shard.bytes for shard in info.shards)
    if info.nbytes > stored:
        return f"{info.count:,} images take {info.nbytes:,} bytes, and {stored:,} are stored"
    return _fault_of_bands(info)


def _fault_of_bands(info):
    """Return the same of what is said of bands."""
    check_kind(info.scaling or {}, {str: dict}, "scaling")
    for source, spec in info.images.items():
        bands, scaling = info.rgb_bands_of(source), (info.scaling or {}).get(source)
        given = info.origin.get("rgb_bands") is not None
        if len(bands) != 3 or (
            given and spec.channels > 2 and not all(band in range(1, spec.channels + 1) for band in bands)
        ):
            return f"the red, green and blue bands are {bands} of {spec.channels}"
        if scaling is not None:
            check_kind(scaling, {"low": [float], "high": [float]}, "scaling")
            if {len(scaling["low"]), len(scaling["high"])} != {spec.channels}:
                return f"the scaling is of {len(scaling['low'])} bands, where images have {spec.channels}"
    return None


def _fault_of_items(info, items):
    """Return the same of what is kept of each item."""
    shapes = {name: (info.count,) for name in ("labels", "true_labels", "ids")} | {"places": (info.count, 3)}
    if info.items_per_record > 1:
        shapes["pixels"] = (info.count, len(info.images))
    if "checks" in items:
        shapes["checks"] = (info.count, len(info.images) if info.items_per_record > 1 else 1)
    for name, shape in shapes.items():
        if items[name].shape != shape:
            return f"its {name} are {items[name].shape}; expected {shape}"
    for name in ("labels", "true_labels"):
        # Of labels that were given later, the classes are others.
        if info.given is None and not 0 <= items[name].min() <= items[name].max() < len(info.classes):
            return f"its {name} are not all of 0 to {len(info.classes) - 1}"
    shard, first, size = items["places"].T
    if shard.min() < 0 or shard.max() >= len(info.shards):
        return "it names shards that there are not"
    ends = np.array([file.bytes for file in info.shards])[shard]
    sizes = [info.images[source].nbytes for source in info.sources]
    if info.items_per_record > 1:
        starts = items["pixels"].T
        lasts = np.array(sizes)[:, None] + starts
    else:
        starts, lasts = [first], first + size
        beside = _MOST_BESIDE * (2 + len(sizes)) + 4 * (np.char.str_len(items["ids"]) + len("".join(info.sources)))
        fits = (size >= sum(sizes)) & (size <= sum(sizes) + beside)
        if not fits.all():
            return f"records are of {size.min():,} to {size.max():,} bytes, where images have {sum(sizes):,}"
    if (
        min(first.min(), size.min(), *(start.min() for start in starts)) < 0
        or max((first + size - ends).max(), (lasts - ends).max()) > 0
    ):
        return "its items lie outside of their shards"
    return None
