"""Write the next version of an exported model: the same network, another index."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.errors import SettingError
from keras_dhnn.files.owner import owned
from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.pipelines.formats.image_file import read_image
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.report.thumbnails import thumbnail
from keras_dhnn.saved_models.index import UNKNOWN, Index
from keras_dhnn.saved_models.version.exporter import EXTRA, Export, load_version, write_version
from keras_dhnn.saved_models.version.versions import list_versions, next_version
from keras_dhnn.saved_models.version.warmup import FILE
from keras_dhnn.workflows.export import has_item, new_version, today
from keras_dhnn.workflows.image_paths import image_paths

_BATCH = 32


def add_images(
    base: Path,
    paths: Sequence[Path | str],
    *,
    label: str | None = None,
    source: str | None = None,
    known: list[str] | None = None,
    bar: Bar = no_bar,
) -> Path:
    """Write a version whose index has more items, at its end. Their keys are the paths as given.

    Items whose keys are there stay as they are; where all are, no version is written.

    Images are read and encoded a batch at a time: memory holds one, however many there are.

    Args:
        base: Path of the exported model, `RUN/export/NAME`.
        paths: of image files, and of folders: all images below them are meant.
        label: class name of all of them, one that the model knows; None: not known.
        source: which of several image sources they are of.
        known: list that gets the keys that are there.
        bar: context manager factory `bar(description, total, unit)` whose value is `update(done, note)`.

    Returns:
        Path of the version, or of the last one.

    Raises:
        DataError: if a file is no image as the data set's are.
        SettingError: if there is no such model, class or source, or a path is given twice.
    """
    given = image_paths(paths)

    def change(export: Export, name: str) -> Index:
        index = export.indexes[name]
        keys, there = _keys(given), set(index.ids.tolist())
        paths = [path for key, path in zip(keys, given, strict=True) if key not in there]
        if known is not None:
            known.extend(key for key in keys if key in there)
        labels = [_label(export, label)] * len(paths)
        if not paths:
            return index
        keys = [key for key in keys if key not in there]
        spec, bands = ImageSpec(**export.card["images"][name]), export.card["rgb_bands"][name]
        codes, pictured = [], bool(export.thumbnails)
        with bar("Encoding", len(paths), "image") as update:
            for first in range(0, len(paths), _BATCH):
                images = [read_image(path, spec) for path in paths[first : first + _BATCH]]
                codes.append(_encode(export.encoders[name], images))
                if pictured:
                    of_batch = zip(keys[first : first + _BATCH], images, strict=True)
                    export.thumbnails |= {key: thumbnail(image, bands) for key, image in of_batch}
                update(first + len(images))
        return index.add(np.concatenate(codes), keys, labels)

    return _write_next(base, change, source, bar)


def remove_items(base: Path, keys: Sequence[str], *, source: str | None = None, bar: Bar = no_bar) -> Path:
    """Write a version whose index lacks some items; arguments, result and errors as of `add_images`."""
    return _write_next(base, lambda export, name: export.indexes[name].remove(keys), source, bar)


def _write_next(base, change, source, bar):
    if not list_versions(base):
        raise SettingError(f"{base} holds no version of a model. Expected RUN/export/NAME after keras-dhnn export RUN.")
    # A version is made from the one that it follows: of two updates at a time one waits for the other.
    with owned(base, wait=True, links=True):
        return _write_from(base, list_versions(base), change, source, bar)


def _write_from(base, found, change, source, bar):
    latest = base / str(found[-1])
    export = load_version(latest)
    name = _source(export, source)
    changed = change(export, name)
    if changed is export.indexes[name]:
        return latest
    export.indexes[name] = changed
    keys = {key for index in export.indexes.values() for key in index.ids.tolist()}
    export.thumbnails = {image: picture for image, picture in export.thumbnails.items() if has_item(image, keys)}
    number = next_version(base)
    export.card |= {"version": number, "date": today(), "made_from_version": found[-1]}
    export.card["index"][name]["items"] = len(export.indexes[name].ids)
    requests = latest / EXTRA / FILE

    def keep_warmup(path: Path, signatures: Any) -> None:
        path.write_bytes(requests.read_bytes())

    with new_version(base, number) as folder:
        write_version(folder, export, keep_warmup if requests.is_file() else None, bar=bar)
    return base / str(number)


def _keys(paths):
    """Return keys of items; before these are encoded, which takes its time, each is seen to be one of its own."""
    keys = list(map(str, paths))
    for key, times in Counter(keys).items():
        if times > 1:
            raise SettingError(f"Every item of an index has a key of its own. Received twice: {key!r}")
        if not key.isprintable():
            raise SettingError(f"An item's key is its path. Expected one that can be printed. Received: {key!r}")
    return keys


def _encode(encoder, images):
    return encoder.encode(tf.constant(np.stack(images).astype(np.float32))).numpy()


def _label(export, label):
    if label is None:
        return UNKNOWN
    if label not in export.classes:
        raise SettingError(f"The model knows no class {label!r}. It knows: {', '.join(export.classes)}")
    return export.classes.index(label)


def _source(export, source):
    names = list(export.indexes)
    if source is None and len(names) == 1:
        return names[0]
    if source not in names:
        raise SettingError(f"Expected one of the sources {', '.join(names)}, by --source. Received: {source}")
    return source
