"""Turn an archive into a prepared data set: all of it or nothing, and only once."""

import fnmatch
import itertools
import json
import math
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from keras_dhnn._version import __version__
from keras_dhnn.errors import DataError
from keras_dhnn.files import atomic_folder
from keras_dhnn.pipelines.example import Annotations, Archive
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.published_split import FILE as SPLIT_FILE
from keras_dhnn.pipelines.published_split import save_published
from keras_dhnn.pipelines.store.dataset_info import INFO_FILE, ITEMS_FILE, LABELS_FILE, DatasetInfo

# A prepared data set. A folder with anything else is never replaced.
OUR_FILES = (INFO_FILE, ITEMS_FILE, LABELS_FILE, SPLIT_FILE, "records-*.tfrecord")
_SHARD_BYTES = 128 << 20
# What options decide of an origin.
_OPTIONS = {
    "layout": "--layout",
    "image_size": "--image-size",
    "scaling": "--percentiles or --scale",
    "rgb_bands": "--rgb-bands",
    "grey_to_rgb": "--grey-to-rgb",
}


class Prepared(NamedTuple):
    """Describe the data set, and whether it was written just now (False: it was there already, from the same
    source).
    """

    info: DatasetInfo
    fresh: bool


def prepare(
    archive: Archive,
    directory: Path | str,
    *,
    synthetic: bool = False,
    force: bool = False,
    shards: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Prepared:
    """Write an archive as a prepared data set into `directory`, whose last part is the data set's name.

    It is written beside its place in a hidden folder, which is moved there when everything is on disk. A killed run
    leaves only that hidden folder; the next one removes it and starts afresh.

    Args:
        archive: Archive, from a reader such as `ucmd.open_archive`.
        directory: the data set's folder, such as data/ucmd.
        synthetic: whether the archive is a twin with made-up images.
        force: write it even if it is there, from this or another source.
        shards: number of TFRecord files; by default 8, or as many as keep them near 128 MiB.
        seed: of the order of records in the shards.
        progress: called as `progress(done, total)` after each item.

    Returns:
        Prepared

    Raises:
        DataError: if the source is damaged, the folder holds something else, another process is preparing it, or
            it cannot be written (disk full, read-only).
    """
    _check_classes(archive.classes)
    name, place = Path(directory).name, Path(directory).resolve()
    info = find_prepared(directory, archive.origin, force=force)
    if info:
        return Prepared(info, fresh=False)
    try:
        with atomic_folder(place) as workspace:
            _write(archive, workspace, name, synthetic, shards, seed, progress)
    except OSError as error:
        raise DataError(
            f"Cannot write {directory}: {error.strerror or error}. What was written of it is removed. Free space or "
            "choose another folder by --data, then run the same command again."
        ) from error
    return Prepared(DatasetInfo.load(directory), fresh=True)


def find_prepared(directory: Path | str, origin: Mapping[str, Any], *, force: bool = False) -> DatasetInfo | None:
    """Return the finished data set in `directory`, if it was made from `origin`; None if it has to be written.

    One that is unfinished, damaged or of another format version has to be written anew.

    Args:
        directory: the data set's folder.
        origin: an Archive's `origin`.
        force: as if it had to be written in any case.

    Raises:
        DataError: if the folder must not be replaced: it holds other files, or (without `force`) a finished data
            set from another source, or one that other options made.
    """
    directory = Path(directory)
    if not directory.exists():
        return None
    found = sorted(entry.name for entry in directory.iterdir()) if directory.is_dir() else [directory.name]
    foreign = [name for name in found if not any(fnmatch.fnmatch(name, ours) for ours in OUR_FILES)]
    if foreign:
        raise DataError(
            f"{directory} will not be replaced: it holds what is no part of a prepared data set: "
            f"{', '.join(foreign[:5])}. Move that elsewhere, or choose another folder by --data."
        )
    if force:
        return None
    try:
        info = DatasetInfo.load(directory)
    except DataError:
        return None
    if info.origin["fingerprint"] == origin["fingerprint"]:
        return info
    difference = _describe_difference(info.origin, json.loads(json.dumps(origin)))
    raise DataError(f"{directory} {difference} Replace it by --force, or choose another folder by --data.")


def _describe_difference(old, new):
    """Return in what a prepared data set differs from what it would be now; both are origins as JSON has them."""
    source, other = (f"{origin['kind']} {origin['path']}" for origin in (old, new))
    files = old.get("files")  # data sets of before have none
    options = ", ".join(
        option if key == "scaling" else f"{option} {_shown(old.get(key))} there, {_shown(new.get(key))} here"
        for key, option in _OPTIONS.items()
        if old.get(key) != new.get(key)
    )
    if options and (files == new.get("files") if files else source == other):
        unsure = "" if files else ", unless its files have changed since"
        return f"holds a data set from this source, with other options{unsure}: {options}. To keep it, give the same."
    if source == other:
        or_names = " (or is read with another --zip-encoding)" if files and new["kind"] == "zip" else ""
        return f"holds a data set from {source}, which has changed since{or_names}."
    return f"holds a data set from another source: {source}. Received: {other}."


def _shown(option):
    """Return the value of an option as it is given."""
    if isinstance(option, dict):
        return " ".join(f"{name}={_shown(value)}" for name, value in option.items())
    return ",".join(map(str, option)) if isinstance(option, list) else "not given" if option is None else str(option)


def _check_classes(classes):
    """Check that class names are lines, as lists and tables need them."""
    for name in classes:
        if not name.strip() or any(unicodedata.category(sign) in ("Cc", "Zl", "Zp", "Cs") for sign in name):
            raise DataError(
                f"Expected names of classes that can be read in one line. Found: {name!r}. Rename its folder."
            )
    if len(set(classes)) != len(classes):
        raise DataError(f"Expected a name of its own for each class. Found: {', '.join(classes)}.")


def _write(archive, workspace, name, synthetic, shards, seed, progress):
    skipped = []
    fields = _write_records(
        archive,
        skipped,
        workspace,
        classes=archive.classes,
        seed=seed,
        progress=progress and (lambda done: progress(done, archive.count)),
        **({"shards": shards} if shards else {}),
    )
    info = DatasetInfo(
        directory=workspace,
        name=name,
        classes=archive.classes,
        origin=archive.origin,
        synthetic=synthetic,
        skipped=tuple(skipped),
        package_version=__version__,
        **fields,
    )
    if archive.annotations:
        _annotate(workspace, info.ids.tolist(), archive.annotations)
    info.save()


def _annotate(workspace: Path, ids: list[str], annotations: Annotations) -> None:
    """Write the labels and the split of the images that were read."""
    labels = Labels.of_names(annotations.classes, (annotations.labels.get(name, ()) for name in ids))
    labels.save(workspace / LABELS_FILE)
    if annotations.parts:
        save_published(workspace, [annotations.parts.get(name) for name in ids])


def _write_records(archive, skipped, workspace, **how):
    """Write the archive's items, in blocks if it gives blocks, and return fields of the DatasetInfo."""
    # TensorFlow is needed only to write.
    if archive.blocks:
        from keras_dhnn.pipelines.store.block_records import write_blocks

        first, blocks = _peek(archive.blocks())
        nbytes = sum(images[0].nbytes for images in first.images.values()) if first else 0
        return write_blocks(blocks, workspace, **{"shards": _shard_count(archive.count, nbytes)} | how)
    from keras_dhnn.pipelines.store.records import write_shards

    first, examples = _peek(archive.read(skipped))
    nbytes = sum(image.nbytes for image in first.images.values()) if first else 0
    return write_shards(examples, workspace, **{"shards": _shard_count(archive.count, nbytes)} | how)


def _peek(items):
    """Return the first of the items, or None, and an iterator over all of them."""
    first = next(items, None)
    return first, items if first is None else itertools.chain([first], items)


def _shard_count(count, nbytes):
    """Return enough files to shuffle each in memory, not so many that they cannot all be open at once."""
    return min(max(8, math.ceil(count * nbytes / _SHARD_BYTES)), 512)
