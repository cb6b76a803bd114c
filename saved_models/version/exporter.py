"""Write one version of a served model: a SavedModel of stock TensorFlow operations, and what lies beside its graph."""

import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from keras_dhnn.errors import DataError
from keras_dhnn.files import check_kind, read_json, system_error
from keras_dhnn.files.checksums import LIST, damage, read_list, write_list
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.saved_models.graph.decoding import decodes
from keras_dhnn.saved_models.graph.image_form import ImageForm
from keras_dhnn.saved_models.graph.searcher import Searcher
from keras_dhnn.saved_models.index import Index
from keras_dhnn.saved_models.version.signature_names import file_signatures
from keras_dhnn.saved_models.version.signatures import make_signatures
from keras_dhnn.saved_models.version.warmup import FILE as WARMUP
from keras_dhnn.saved_models.version.warmup import example_files, write_warmup

# What a version's files were when they were written, see `checksums`.
LISTED = f"assets.extra/{LIST}"
CARD = "model_card.json"
CLASSES = "classes.json"
EXTRA = "assets.extra"
THUMBNAILS = "thumbnails.zip"
_NAMES = "names.json"
_MOST_PICTURES = 8 << 30

# Writes warm-up requests for a version's signatures to a file.
Warmup = Callable[[Path, Mapping[str, SignatureDef]], None]


@dataclass
class Export:
    """Describe what a version is made of.

    Attributes:
        encoders: `{source: ImageEncoder}`, or what loading one gives.
        indexes: `{source: Index}` of what is searched.
        classes: class names.
        card: dictionary for JSON, the model card.
        thumbnails: `{image id: bytes}` of small PNG files, one for an image and its turns; may be empty.
        labels: the labels that items of each class have, where these may be several; None where a class is a label.
    """

    encoders: dict
    indexes: dict
    classes: tuple
    card: dict
    thumbnails: dict
    labels: tuple | None = None


def write_version(folder: Path, export: Export, warmup: Warmup | None, *, bar: Bar = no_bar) -> None:
    """Write a version into an empty folder.

    Args:
        folder: Path. Nothing in it may be looked at before this returns.
        export: the `Export`.
        warmup: function `warmup(path, signatures)` that writes the warm-up requests; None leaves them out.
        bar: context manager factory `bar(description, total, unit)` whose value is `update(done, note)`.

    Raises:
        OSError: if the disk is full or not writable; TensorFlow's own errors come as this.
    """
    with bar("Writing the version", 3, "part") as update:
        update(0, "functions")
        root = tf.Module(name="export")
        for source, encoder in export.encoders.items():
            setattr(root, _encoder_name(source), encoder)
        searchers = {source: Searcher(index, export.classes, export.labels) for source, index in export.indexes.items()}
        root.searchers = list(searchers.values())
        signatures = make_signatures(export.encoders, searchers)
        update(1, "graph and weights")
        with tempfile.TemporaryDirectory() as assets:
            root.assets = [tf.saved_model.Asset(str(path)) for path in _write_assets(Path(assets), export)]
            try:
                tf.saved_model.save(root, str(folder), signatures=signatures)
            except tf.errors.OpError as error:
                raise system_error(error.message, folder) from error
        update(2, "what is searched")
        (folder / EXTRA).mkdir()
        for source, index in export.indexes.items():
            index.save(folder / EXTRA / _index_name(source, export.indexes))
        if warmup is not None:
            warmup(folder / EXTRA / WARMUP, read_signatures(folder))
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        write_list(folder, names, LISTED)
        update(3)


def make_warmup(specs: Mapping[str, ImageForm], name: str) -> Warmup:
    """Return the `warmup` of `write_version` for a new model.

    Args:
        specs: `{source: ImageSpec}`.
        name: of the model.
    """

    def warmup(path: Path, signatures: Mapping[str, SignatureDef]) -> None:
        files: dict[str, list[bytes]] = {}
        for source, spec in specs.items():
            if decodes(spec.channels, spec.dtype):
                files |= dict.fromkeys(file_signatures(source, list(specs)), example_files(spec))
        write_warmup(path, signatures, name, files)

    return warmup


def load_version(folder: Path) -> Export:
    """Return the `Export` in a version's folder, to make the next one from.

    Raises:
        DataError: if there is none that keras-dhnn wrote, or it is damaged.
    """
    found = version_damage(folder)
    if found:
        raise DataError(f"{folder} is damaged: {'; '.join(found)}. Bring it back from a copy, or export again.")
    card = read_card(folder)
    loaded = tf.saved_model.load(str(folder))
    thumbnails = folder / "assets" / THUMBNAILS
    targets = {source: Index.load(folder / EXTRA / _index_name(source, card["index"])) for source in card["index"]}
    pictures = _read_pictures(thumbnails) if thumbnails.is_file() else {}
    encoders = {source: getattr(loaded, _encoder_name(source)) for source in card["images"]}
    # Those that searches answer with: a text file of them may have been changed.
    classes = tuple(name.decode() for name in loaded.searchers[0].classes.numpy())
    labels = getattr(loaded.searchers[0], "labels", None)
    labels = None if labels is None else tuple(tuple(json.loads(text)) for text in labels.numpy())
    for source, index in targets.items():
        if len(index.labels) and not -1 <= index.labels.min() <= index.labels.max() < len(classes):
            raise DataError(f"The index of {source!r} in {folder} is damaged: it has labels of no class. Export again.")
    return Export(encoders, targets, classes, card, pictures, labels)


def version_damage(folder: Path, *, content: bool = True) -> list[str]:
    """Return what is wrong with a version's files, a sentence each. Exports of earlier days have no list to compare
    with.

    Args:
        folder: of the version.
        content: whether to read them; otherwise only sizes are compared.

    Raises:
        DataError: if the list itself is damaged.
    """
    return damage(folder, read_list(folder, LISTED), content=content)


def _read_pictures(path):
    """Return `{image id: bytes}` of an export's thumbnails."""
    try:
        with zipfile.ZipFile(path) as file:
            members = {member.filename: member for member in file.infolist()}
            if sum(member.file_size for member in members.values()) > _MOST_PICTURES:
                raise DataError(f"{path} claims more than {_MOST_PICTURES:,} bytes. Export again.")
            if _NAMES in members:
                names = json.loads(file.read(_NAMES))
                check_kind(names, [str])
            else:  # exports of earlier days
                names = file.read("names.txt").decode().split("\n")[:-1]
            return {name: file.read(f"{number}.png") for number, name in enumerate(names)}
    except DataError:
        raise
    except Exception as error:  # Damaged archives surface as BadZipFile, zlib.error, KeyError and more.
        raise DataError(f"{path} is damaged: {error}. Export again.") from error


def read_card(folder: Path) -> dict[str, Any]:
    """Return the model card of a version, a dictionary.

    Raises:
        DataError: if the folder holds no version that keras-dhnn wrote, or its card is damaged.
    """
    image = {"height": int, "width": int, "channels": int, "dtype": str}
    return read_json(
        folder / "assets" / CARD,
        {"images": {str: image}, "index": {str: {"items": int}}, "rgb_bands": {str: [int]}, "bits": int},
        remedy=f"{folder} is expected to hold a model that keras-dhnn export wrote.",
    )


def read_signatures(folder: Path | str) -> dict[str, SignatureDef]:
    """Return `{name: SignatureDef}` of a SavedModel, without loading it."""
    saved = saved_model_pb2.SavedModel.FromString((Path(folder) / "saved_model.pb").read_bytes())
    definitions = saved.meta_graphs[0].signature_def
    return {name: definitions[name] for name in definitions if not name.startswith("__")}


def _write_assets(folder, export):
    texts = {CARD: json.dumps(export.card, indent=2) + "\n", CLASSES: _listed(export.classes)}
    for source, index in export.indexes.items():
        texts["items.json" if len(export.indexes) == 1 else f"items_{source}.json"] = _listed(index.ids.tolist())
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        yield folder / name
    if export.thumbnails:
        with zipfile.ZipFile(folder / THUMBNAILS, "w") as file:
            file.writestr(_NAMES, _listed(export.thumbnails))
            for number, picture in enumerate(export.thumbnails.values()):
                file.writestr(f"{number}.png", picture)
        yield folder / THUMBNAILS


def _listed(texts):
    """Return a JSON list, a text a line: whatever is in a name, it is one text."""
    return json.dumps(list(texts), indent=0, ensure_ascii=False) + "\n"


def _encoder_name(source):
    return f"{source}_encoder"


def _index_name(source, sources):
    return "index.npz" if len(sources) == 1 else f"index_{source}.npz"
