"""Open a page over what a run or an exported model searches: its codes become an archive in the user's cache."""

import hashlib
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from keras_dhnn.archive import Archive, Identity, make_rows
from keras_dhnn.archive.labels import join_labels
from keras_dhnn.archive.tiles.tile import content_of
from keras_dhnn.browse import Page
from keras_dhnn.browse.refusal import not_found
from keras_dhnn.errors import DataError
from keras_dhnn.files import user_cache
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.labels import UNLABELLED
from keras_dhnn.pipelines.sources import sources_of
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.stored_images import read_images
from keras_dhnn.saved_models.version.exporter import load_version
from keras_dhnn.saved_models.version.versions import list_versions
from keras_dhnn.workflows.archive_encoder import open_encoder, open_model
from keras_dhnn.workflows.open_run import open_run

_TURNED = ("@90", "@180", "@270")


class _Searched(NamedTuple):
    """Describe what a model searches in one image source."""

    ids: list
    codes: np.ndarray
    labels: list


def is_model(path: Path | str) -> bool:
    """Return whether a folder is a run, an export, or a version of one."""
    path = Path(path)
    return (path / "experiment.json").is_file() or (path / "saved_model.pb").is_file() or bool(list_versions(path))


def open_exported(
    path: Path | str, *, bands: tuple[int, ...] | None = None, data: Path = Path("data"), state: Path | None = None
) -> Page:
    """Return the `Page` of a run (all of its data set's images) or of an export (what it searches).

    Pictures are those of the prepared data set, where it is in `data`, else the export's thumbnails.

    Args:
        path: folder of a run, an export or a version.
        bands: as of `Page`.
        data: folder of the prepared data sets.
        state: as of `Page`.

    Raises:
        DataError: if the export is damaged, or a run's data set is not there.
    """
    path = Path(path)
    read = _of_run if (path / "experiment.json").is_file() else _of_export
    identity, searched, info, pictures, name = read(path, data)
    archive = _cached(identity, searched)
    if info is not None and bands is None:
        bands = tuple(info.rgb_bands_of(next(iter(searched))))
    synthetic = bool(info is not None and info.synthetic)
    return Page(
        archive,
        lambda source: open_encoder(archive, data=data, source=source),
        name=name,
        state=state,
        bands=bands,
        reader=_reader(info, pictures),
        synthetic=synthetic,
    )


def _of_run(path, data):
    run, info = open_run(path, data)
    upright = Items(run.experiment.data.turns).upright(np.arange(info.count))
    encoder, _ = open_model(path, data=data, source=sources_of(info)[0])
    texts = [join_labels(labels) for labels in info.class_labels]
    labels = [texts[number] for number in info.true_labels]
    searched = {}
    for source in sources_of(info):
        codes = run.load_codes(source if len(info.images) > 1 else None)["codes"]
        searched[source] = _Searched([str(key) for key in info.ids], codes[upright], labels)
    return encoder.identity, searched, info, {}, path.name


def _of_export(path, data):
    version = path if (path / "saved_model.pb").is_file() else path / str(list_versions(path)[-1])
    export = load_version(version)
    source, kind = next(iter(export.indexes)), {"kind": "export", "path": str(version.resolve())}
    images = "; ".join(f"{name} {spec}" for name, spec in export.card["images"].items())
    identity = Identity(export.card["model"], export.card["bits"], images, 0, kind | {"source": source})
    searched = {name: _of_index(index, export) for name, index in export.indexes.items()}
    info = _data_set(export.card, data)
    return identity, searched, info, export.thumbnails, export.card.get("name") or version.parent.name


def _of_index(index, export):
    """Return what an index holds; of an image and its turns, the image as it is stored."""
    ids = index.ids.tolist()
    known = set(ids)
    kept = [n for n, key in enumerate(ids) if not (key.endswith(_TURNED) and key.rpartition("@")[0] in known)]
    texts = [None if name == UNLABELLED else name for name in export.classes]
    if export.labels is not None:
        texts = [join_labels(labels) for labels in export.labels]
    texts.append(None)  # of -1: not known
    labels = [texts[index.labels[number]] for number in kept]
    return _Searched([ids[number] for number in kept], index.codes[kept], labels)


def _data_set(card, data):
    """Return the `DatasetInfo` that a model was made with, None if it is not there any more."""
    about = card.get("data", {})
    try:
        info = DatasetInfo.load(Path(data) / str(about.get("name")))
    except DataError:
        return None
    return info if info.checksum == about.get("checksum") else None


def _cached(identity, searched):
    """Return an archive of these codes, which is made where it is not there."""
    digest = hashlib.blake2b(f"{identity.model}\n{identity.encoder}".encode(), digest_size=12)
    for source, found in searched.items():
        digest.update(repr((source, found.ids, found.labels)).encode() + found.codes.tobytes())
    archive = Archive.create(user_cache() / "browse" / digest.hexdigest(), identity)
    for source, found in searched.items():
        content = [content_of(code.tobytes()) for code in found.codes]
        archive.append(make_rows(found.ids, found.codes, content=content, label=found.labels), source)
    return archive


def _reader(info, pictures):
    """Return the function that gives the picture of an item."""
    numbers = {} if info is None else {str(key): number for number, key in enumerate(info.ids)}

    def read(source, key):
        image = key.rpartition("@")[0] if key.endswith(_TURNED) else key
        if image in numbers:
            ((_, pixels),) = read_images(info, np.array([numbers[image]]), source)
            return pixels
        if image in pictures:
            return np.asarray(Image.open(io.BytesIO(pictures[image]), formats=["PNG"]).convert("RGB"))
        raise not_found(f"No picture of {key!r} is here: the data set is not prepared, and the export has none of it.")

    return read
