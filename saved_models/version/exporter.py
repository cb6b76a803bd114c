"""One version of a served model: a SavedModel of stock TensorFlow operations, and what lies beside its graph."""

import json
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_dhnn.saved_models.graph.decoding import decodes
from keras_dhnn.saved_models.graph.searcher import Searcher
from keras_dhnn.saved_models.version.index import Index
from keras_dhnn.saved_models.version.signature_names import file_signatures
from keras_dhnn.saved_models.version.signatures import make_signatures
from keras_dhnn.saved_models.version.warmup import FILE as WARMUP
from keras_dhnn.saved_models.version.warmup import example_files, write_warmup

CARD = "model_card.json"
CLASSES = "classes.txt"
EXTRA = "assets.extra"
THUMBNAILS = "thumbnails.zip"


@dataclass
class Export:
    """What a version is made of.

    Attributes:
        encoders: `{source: ImageEncoder}`, or what loading one gives.
        indexes: `{source: Index}` of what is searched.
        classes: class names.
        card: dictionary for JSON, the model card.
        thumbnails: `{image id: bytes}` of small PNG files, one for an image and its turns; may be empty.
    """

    encoders: dict
    indexes: dict
    classes: tuple
    card: dict
    thumbnails: dict


def write_version(folder, export, warmup):
    """Writes a version into an empty folder.

    Args:
        folder: Path. Nothing in it may be looked at before this returns.
        export: the `Export`.
        warmup: function `warmup(path, signatures)` that writes the warm-up requests; None leaves them out.

    Raises:
        OSError: if the disk is full or not writable; TensorFlow's own errors come as this.
    """
    root = tf.Module(name="export")
    for source, encoder in export.encoders.items():
        setattr(root, _encoder_name(source), encoder)
    searchers = {source: Searcher(index, export.classes) for source, index in export.indexes.items()}
    root.searchers = list(searchers.values())
    with tempfile.TemporaryDirectory() as assets:
        root.assets = [tf.saved_model.Asset(str(path)) for path in _write_assets(Path(assets), export)]
        try:
            tf.saved_model.save(root, str(folder), signatures=make_signatures(export.encoders, searchers))
        except tf.errors.OpError as error:
            raise OSError(f"{folder} cannot be written: {error.message}") from error
    (folder / EXTRA).mkdir()
    for source, index in export.indexes.items():
        index.save(folder / EXTRA / _index_name(source, export.indexes))
    if warmup is not None:
        warmup(folder / EXTRA / WARMUP, read_signatures(folder))


def make_warmup(specs, name):
    """The `warmup` of `write_version` for a new model.

    Args:
        specs: `{source: ImageSpec}`.
        name: of the model.
    """

    def warmup(path, signatures):
        files = {}
        for source, spec in specs.items():
            if decodes(spec.channels, spec.dtype):
                files |= dict.fromkeys(file_signatures(source, list(specs)), example_files(spec))
        write_warmup(path, signatures, name, files)

    return warmup


def load_version(folder):
    """The `Export` in a version's folder, to make the next one from.

    Raises:
        ValueError: if there is none that keras-dhnn wrote.
    """
    card = read_card(folder)
    loaded = tf.saved_model.load(str(folder))
    thumbnails = folder / "assets" / THUMBNAILS
    targets = {source: Index.load(folder / EXTRA / _index_name(source, card["index"])) for source in card["index"]}
    pictures = {}
    if thumbnails.is_file():
        with zipfile.ZipFile(thumbnails) as file:
            names = file.read("names.txt").decode().splitlines()
            pictures = {name: file.read(f"{number}.png") for number, name in enumerate(names)}
    encoders = {source: getattr(loaded, _encoder_name(source)) for source in card["images"]}
    classes = (folder / "assets" / CLASSES).read_text(encoding="utf-8").splitlines()
    return Export(encoders, targets, tuple(classes), card, pictures)


def read_card(folder):
    """The model card of a version, a dictionary.

    Raises:
        ValueError: if the folder holds no version that keras-dhnn wrote.
    """
    try:
        return json.loads((folder / "assets" / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} holds no model that keras-dhnn export wrote: no assets/{CARD} in it.") from error


def read_signatures(folder):
    """`{name: SignatureDef}` of a SavedModel, without loading it."""
    saved = saved_model_pb2.SavedModel.FromString((Path(folder) / "saved_model.pb").read_bytes())
    definitions = saved.meta_graphs[0].signature_def
    return {name: definitions[name] for name in definitions if not name.startswith("__")}


def _write_assets(folder, export):
    texts = {CARD: json.dumps(export.card, indent=2) + "\n", CLASSES: _lines(export.classes)}
    for source, index in export.indexes.items():
        texts["items.txt" if len(export.indexes) == 1 else f"items_{source}.txt"] = _lines(index.ids)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        yield folder / name
    if export.thumbnails:
        with zipfile.ZipFile(folder / THUMBNAILS, "w") as file:
            file.writestr("names.txt", _lines(export.thumbnails))
            for number, picture in enumerate(export.thumbnails.values()):
                file.writestr(f"{number}.png", picture)
        yield folder / THUMBNAILS


def _lines(texts):
    return "".join(f"{text}\n" for text in texts)


def _encoder_name(source):
    return f"{source}_encoder"


def _index_name(source, sources):
    return "index.npz" if len(sources) == 1 else f"index_{source}.npz"
