"""The next version of an exported model: the same network, another index."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.pipelines.formats.image_file import read_image
from keras_dhnn.report.thumbnails import thumbnail
from keras_dhnn.saved_models.version.exporter import EXTRA, load_version, write_version
from keras_dhnn.saved_models.version.index import UNKNOWN
from keras_dhnn.saved_models.version.versions import list_versions, next_version
from keras_dhnn.saved_models.version.warmup import FILE
from keras_dhnn.workflows.export import has_item, new_version, today

_BATCH = 32


def add_images(base, paths, *, label=None, source=None):
    """Writes a version whose index has more items, at its end. Their keys are the paths as given.

    Args:
        base: Path of the exported model, `RUN/export/NAME`.
        paths: of image files.
        label: class name of all of them, one that the model knows; None: not known.
        source: which of several image sources they are of.

    Returns:
        Path of the version.

    Raises:
        DataError: if a file is no image as the data set's are.
        ValueError: if there is no such model, class or source, or a key is there already.
    """

    def change(export, name):
        spec = ImageSpec(**export.card["images"][name])
        images, keys = [read_image(Path(path), spec) for path in paths], list(map(str, paths))
        if export.thumbnails:
            bands = export.card["rgb_bands"][name]
            export.thumbnails |= {key: thumbnail(image, bands) for key, image in zip(keys, images, strict=True)}
        codes = _encode(export.encoders[name], images)
        return export.indexes[name].add(codes, keys, [_label(export, label)] * len(keys))

    return _write_next(base, change, source)


def remove_items(base, keys, *, source=None):
    """Writes a version whose index lacks some items; arguments, result and errors as of `add_images`."""
    return _write_next(base, lambda export, name: export.indexes[name].remove(keys), source)


def _write_next(base, change, source):
    found = list_versions(base)
    if not found:
        raise ValueError(f"{base} holds no version of a model. Expected RUN/export/NAME after keras-dhnn export RUN.")
    latest = base / str(found[-1])
    export = load_version(latest)
    name = _source(export, source)
    export.indexes[name] = change(export, name)
    keys = {key for index in export.indexes.values() for key in index.ids.tolist()}
    export.thumbnails = {image: picture for image, picture in export.thumbnails.items() if has_item(image, keys)}
    number = next_version(base)
    export.card |= {"version": number, "date": today(), "made_from_version": found[-1]}
    export.card["index"][name]["items"] = len(export.indexes[name].ids)
    requests = latest / EXTRA / FILE

    def keep_warmup(path, signatures):
        path.write_bytes(requests.read_bytes())

    with new_version(base, number) as folder:
        write_version(folder, export, keep_warmup if requests.is_file() else None)
    return base / str(number)


def _encode(encoder, images):
    batches = [np.stack(images[first : first + _BATCH]) for first in range(0, len(images), _BATCH)]
    return np.concatenate([encoder.encode(tf.constant(batch.astype(np.float32))).numpy() for batch in batches])


def _label(export, label):
    if label is None:
        return UNKNOWN
    if label not in export.classes:
        raise ValueError(f"The model knows no class {label!r}. It knows: {', '.join(export.classes)}")
    return export.classes.index(label)


def _source(export, source):
    names = list(export.indexes)
    if source is None and len(names) == 1:
        return names[0]
    if source not in names:
        raise ValueError(f"Expected one of the sources {', '.join(names)}, by --source. Received: {source}")
    return source
