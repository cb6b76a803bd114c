"""Make what fills an archive and encodes its queries: a run, an exported model, or a frozen backbone with learned
bits.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.archive.encoding import image_batches
from keras_dhnn.archive.learned import learn_bits, learn_features, most_bits
from keras_dhnn.archive.manifest import Identity, load_arrays
from keras_dhnn.archive.queries import Queries
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.tiles.tile import Form, Tile
from keras_dhnn.errors import DataError
from keras_dhnn.models.backbones.build import build_backbone
from keras_dhnn.models.band_scaling import scale_bands
from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.pipelines.scaling import measure_scaling
from keras_dhnn.pipelines.sources import sources_of
from keras_dhnn.runs import Run
from keras_dhnn.saved_models.version.exporter import load_version, read_card
from keras_dhnn.saved_models.version.fingerprint import model_fingerprint
from keras_dhnn.saved_models.version.versions import list_versions
from keras_dhnn.training.loading import load_model
from keras_dhnn.workflows.archive_network import ExportEncoder, Network, NetworkEncoder
from keras_dhnn.workflows.export import preprocessing
from keras_dhnn.workflows.open_run import load_data_of

# Tiles by which a backbone's bits and the features beside codes are learned.
LEARN_FROM = 2000
# Of codes that are learned of few images.
LEAST_BITS = 8
# Values kept beside each code unless a user says otherwise: among them alone is it seen which lake is like this lake.
FEATURES = 32
_SEED = 0


def keeps_features(model: Path | str) -> bool:
    """Return whether a trained model gives features beside codes: a run does, an export does not."""
    return (Path(model) / "experiment.json").is_file()


def bits_of(model: Path | str) -> int:
    """Return the length of a trained model's codes; `DataError` if there is no model."""
    path = Path(model)
    return Run.open(path).experiment.model.bits if keeps_features(path) else read_card(_version(path))["bits"]


def open_model(
    model: Path | str, *, data: Path | str = Path("data"), source: str | None = None, features: int = 0
) -> tuple[NetworkEncoder | ExportEncoder, str]:
    """Open a trained model for encoding.

    Args:
        model: path of a run, of an exported model or of one of its versions.
        data: folder of the prepared data sets, where a run's image size and type are found.
        source: which of several image sources.
        features: length of the features to keep beside codes, learned by `learn`; 0: none.

    Returns:
        `(encoder, source)`; the encoder's features are still to be learned, if there are to be any.

    Raises:
        DataError: if there is no model, or it has no such source, or keeps no features.
    """
    path = Path(model)
    if (path / "experiment.json").is_file():
        return _open_run(Run.open(path), data, source, features)
    version = _version(path)
    if features:
        raise DataError("An exported model keeps no features. Leave --features out, or name the run that it is of.")
    export = load_version(version)
    source = _source(list(export.encoders), source)
    spec, bits = export.card["images"][source], export.card["bits"]
    kind = {"kind": "export", "path": str(version.resolve()), "source": source}
    identity = Identity(export.card["model"], bits, f"resized to {ImageSpec(**spec)}", 0, kind)
    return ExportEncoder(identity, Form(**spec), export.encoders[source]), source


def learn(
    encoder: NetworkEncoder,
    tiles: Iterable[Tile],
    name: str | None,
    bits: int,
    features: int,
    progress: Callable[[int], object] | None = None,
    fewer: bool = False,
) -> tuple[NetworkEncoder, list[Tile], Queries]:
    """Learn what an encoder lacks from the first tiles, whose pixels are in memory a batch at a time.

    Args:
        encoder: from `open_model`, or a backbone's from `open_backbone`.
        tiles: iterable of `Tile` with images.
        name: of the backbone whose bits are learned too; None: the model has its own.
        bits: how many.
        features: length of the features kept beside codes; 0: none.
        progress: `progress(done)`, called with the number of tiles so far; or None.
        fewer: whether few tiles get as many bits as can be learned of them, 8 at least.

    Returns:
        `(encoder, tiles, queries)`: the finished one, the tiles without their images, and what it makes of them.

    Raises:
        DataError: if there is no tile, or there are too few.
    """
    read: list[Tile] = []
    given, done = [], 0

    def images() -> Iterator[np.ndarray]:
        for batch, pixels in image_batches(tiles, encoder.batch):
            read.extend(batch)
            yield pixels

    for found in encoder.network.outputs(images()):
        given.append(found)
        done += len(found[0])
        if progress is not None:
            progress(done)
    if not given:
        raise _nothing_to_learn_from()
    vectors = np.concatenate([one for one, _ in given])
    outputs = None if given[0][1] is None else np.concatenate([one for _, one in given])
    given.clear()
    learned = dict(encoder.learned)
    if name is not None:
        bits = max(most_bits(vectors, bits), min(bits, LEAST_BITS)) if fewer else bits
        learned |= learn_bits(vectors, bits)
    if features:
        learned |= learn_features(vectors, features)
    identity = encoder.identity
    if name is not None:
        digest = hashlib.sha256(identity.model.encode() + learned["mean"].tobytes() + learned["projection"].tobytes())
        identity = Identity(digest.hexdigest(), bits, identity.pipeline, features, identity.encoder)
    finished = NetworkEncoder(identity, encoder.form, encoder.network, learned, encoder.query_turns)
    return finished, read, finished.from_network(vectors, outputs)


def open_backbone(name: str, form: Form, tiles: Iterable[Tile], *, bits: int, features: int = 0) -> NetworkEncoder:
    """Open a frozen backbone, whose bits `learn` is to learn.

    Args:
        name: of a backbone, see `build_backbone`.
        form: the `Form` of the images.
        tiles: iterable of the first `Tile`, by which the range of values is scaled where they are not 8 bits; else
            none is taken.
        bits: length of the codes.
        features: length of the features kept beside codes.

    Returns:
        `NetworkEncoder`.
    """
    scaling = None if form.dtype == "uint8" else measure_scaling(_band_values(tiles))
    kind = {"kind": "backbone", "name": name, "size": form.height, "channels": form.channels, "dtype": form.dtype}
    return _backbone(name, form, scaling, bits, features, kind | {"scaling": scaling})


def open_encoder(
    archive: Archive, *, model: Path | str | None = None, data: Path | str = Path("data"), source: str | None = None
) -> NetworkEncoder | ExportEncoder:
    """Open the encoder that an archive was filled with.

    Args:
        archive: `Archive`.
        model: path of its run or export, where that has moved.
        data: folder of the prepared data sets.
        source: which of a model's several image sources; None: the one that the archive was made with.

    Raises:
        DataError: if it is not there any more, or is another model; what was learned for it is not what the archive
            was made with; or the archive's codes are of vectors.
    """
    identity, how = archive.identity, archive.identity.encoder
    kind = how.get("kind")
    if kind == "backbone":
        form = Form(how["size"], how["size"], how["channels"], how["dtype"])
        made = _backbone(how["name"], form, how["scaling"], identity.bits, identity.features, how)
        if made.identity.model != how["network"]:
            raise DataError(
                f"The backbone {how['name']} has other weights here than those that filled {archive.root}. Install the "
                "packages that it was made with, or search by ids."
            )
        return NetworkEncoder(identity, form, made.network, load_arrays(archive.root, identity))
    if kind not in ("run", "export"):
        raise DataError(
            f"The archive {archive.root} holds codes of vectors, not of images. Search it by an id, or by a file of "
            "vectors: --embeddings FILE."
        )
    made, _ = open_model(model or how["path"], data=data, source=source or how["source"], features=identity.features)
    if made.identity.model != identity.model:
        raise DataError(
            f"{model or how['path']} is another model now ({made.identity.model[:12]}) than the one that filled "
            f"{archive.root} ({identity.model[:12]}). Name the right one by --model."
        )
    if identity.features and isinstance(made, NetworkEncoder):
        made.learned = load_arrays(archive.root, identity)
    return made


def _open_run(run, data, source, features):
    info = load_data_of(run, data)
    source = _source(list(sources_of(info)), source)
    model = load_model(run, info)
    branches = getattr(model, "branches", None) or {model.source: model}
    specs = {name: info.images[name] for name in branches}
    spec, text = specs[source], preprocessing(specs, branches)
    kind = {"kind": "run", "path": str(run.path.resolve()), "source": source}
    identity = Identity(model_fingerprint(model.weights, text), run.experiment.model.bits, text, features, kind)
    branch = branches[source]
    _check_features(features, branch.backbone.output_shape[-1], run.path)
    form = Form(spec.height, spec.width, spec.channels, spec.dtype)
    network, turns = Network(branch.backbone, branch.head), run.experiment.model.query_turns
    return NetworkEncoder(identity, form, network, query_turns=turns), source


def _backbone(name, form, scaling, bits, features, kind):
    # A backbone of random weights gets the same ones whenever it is opened.
    tf.keras.utils.set_random_seed(_SEED)
    backbone = build_backbone(name, (form.height, form.width, form.channels))
    text = f"{name} of {form.height} x {form.width} x {form.channels} {form.dtype}, scaling {scaling}"
    _check_features(features, backbone.output_shape[-1], name)
    if scaling:
        backbone = scale_bands(backbone, **scaling)
    fingerprint = model_fingerprint(backbone.weights, text)
    network = Network(backbone)
    return NetworkEncoder(Identity(fingerprint, bits, text, features, kind | {"network": fingerprint}), form, network)


def _check_features(features, size, what):
    if features > size:
        raise DataError(f"{what} has {size} features. Received: --features {features}. Give at most {size}.")


def _band_values(tiles):
    """Return a sample of each band's values, as `measure_scaling` takes them."""
    # Copies, since a view of a small image keeps the whole of it.
    samples = [tile.image[::8, ::8].reshape(-1, tile.image.shape[2]).copy() for tile in tiles]
    if not samples:
        raise _nothing_to_learn_from()
    return [band[np.isfinite(band)] for band in np.concatenate(samples).T]


def _nothing_to_learn_from():
    return DataError("There is no image to learn from: all files are damaged or empty.")


def _version(path):
    """Return the folder of an exported model's latest version, or of the one that was named."""
    found = list_versions(path)
    if not found and not (path / "saved_model.pb").is_file():
        raise DataError(
            f"There is no run and no exported model in {path}. Expected the folder of a run (runs/NAME), of an export "
            "(runs/NAME/export/NAME), or the name of a backbone such as efficientnet_lite0."
        )
    return path if (path / "saved_model.pb").is_file() else path / str(found[-1])


def _source(names, wanted):
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        raise DataError(f"The model takes images of {', '.join(names)}. Name one by --source. Received: {wanted}")
    return wanted
