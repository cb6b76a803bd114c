"""Export a finished run as a version for TensorFlow Serving."""

import contextlib
import datetime
import re
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn._version import __version__
from keras_dhnn.backend import plain_variables
from keras_dhnn.errors import RunError, SettingError
from keras_dhnn.files import atomic_folder, may_write
from keras_dhnn.files.owner import owned
from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.pipelines.batches import resize
from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.sources import sources_of
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.stored_images import read_images
from keras_dhnn.progress import Bar, no_bar, show_progress
from keras_dhnn.report.thumbnails import thumbnail
from keras_dhnn.runs import Run
from keras_dhnn.saved_models.graph.image_encoder import ImageEncoder
from keras_dhnn.saved_models.graph.retrieval import MOST_BITS
from keras_dhnn.saved_models.index import Index
from keras_dhnn.saved_models.version.exporter import Export, make_warmup, write_version
from keras_dhnn.saved_models.version.fingerprint import model_fingerprint
from keras_dhnn.saved_models.version.versions import next_version
from keras_dhnn.training.loading import load_model
from keras_dhnn.training.query_turns import over_turns
from keras_dhnn.workflows.open_run import open_run


def export(
    run: Run | Path | str,
    *,
    index: str | Mapping[str, str] = "database",
    name: str | None = None,
    version: int | None = None,
    thumbnails: bool = False,
    warmup: bool = True,
    out: Path | str | None = None,
    data: Path | str = "data",
    bar: Bar = show_progress,
) -> Path:
    """Write a run as one SavedModel that takes images and returns the most similar ones, for TensorFlow Serving.

    Args:
        run: a finished `Run`, or its folder.
        index: see `export_run`, as are the following.
        name: of the model.
        version: its number.
        thumbnails: whether small pictures go with it.
        warmup: whether warm-up requests go with it.
        out: folder of exported models.
        data: folder of the prepared data sets.
        bar: context manager factory `bar(description, total, unit)` whose value is `update(done, note)`.

    Returns:
        Path of the version, `run`/export/`name`/`version` or `out`/`name`/`version`.

    Raises:
        RunError: if there is no such run, that version exists, or it cannot be written.
        SettingError: for a run of more than 256 bits, codes of another length or of another model, a source without an
            index, or another name.
    """
    run, info = open_run(run, data)
    how: dict[str, Any] = {"name": name, "version": version, "thumbnails": thumbnails, "warmup": warmup, "out": out}
    return export_run(run, info, index=index, bar=bar, **how)


def export_run(
    run: Run,
    info: DatasetInfo,
    *,
    index: str | Path | Mapping[str, str | Path] = "database",
    name: str | None = None,
    version: int | None = None,
    thumbnails: bool = False,
    warmup: bool = True,
    out: Path | str | None = None,
    bar: Bar = no_bar,
) -> Path:
    """Write `<run>/export/<name>/<version>/`, or `<out>/<name>/<version>/`, whole or not at all.

    Args:
        run: a finished `Run`.
        info: `DatasetInfo` of its data set.
        index: what is searched: "database" (the database of its split), "all" (all items), or the path of a file of
            codes that `Index.save` wrote; `{source: one of these}` of a data set with several sources.
        name: of the model, fit for a URL and a folder; by default the data set's.
        version: number; by default the next.
        thumbnails: whether small pictures of the items go with it.
        warmup: whether warm-up requests go with it; needs tensorflow-serving-api.
        out: folder of exported models; by default the run's.
        bar: context manager factory `bar(description, total, unit)` whose value is `update(done, note)`.

    Returns:
        Path of the version.

    Raises:
        RunError: if that version exists, or its folder cannot be written.
        SettingError: for a run of more than 256 bits, codes of another length or of another model, a source without an
            index, or another name.
        DataError: if another process is writing the same version.
    """
    _check_bits(run.experiment.model.bits)
    base = (run.path / "export" if out is None else Path(out)) / _checked_name(name or info.name)
    chosen = _index_of_each(index, sources_of(info))
    model = load_model(run, info)
    branches = getattr(model, "branches", None) or {model.source: model}
    specs = {source: info.images[source] for source in branches}
    fingerprint = model_fingerprint(model.weights, preprocessing(specs, branches))
    turns = run.experiment.model.query_turns
    encoders = {source: _encoder(branch, source, specs[source], turns) for source, branch in branches.items()}
    indexes = {source: _index(run, info, chosen[source], fingerprint, source) for source in specs}
    _make(base)
    items = {key for found in indexes.values() for key in found.ids.tolist()}
    pictures = _thumbnails(info, items, bar) if thumbnails else {}
    with owned(base, wait=True, links=True):
        version = next_version(base) if version is None else version
        card = _card(run, info, specs, indexes, fingerprint, base.name, version, chosen)
        several = None if info.label_sets is None else info.class_labels
        export = Export(encoders, indexes, info.classes, card, pictures, several)
        with new_version(base, version) as folder:
            write_version(folder, export, make_warmup(specs, base.name) if warmup else None, bar=bar)
    return base / str(version)


def _check_bits(bits):
    if bits > MOST_BITS:
        raise SettingError(
            f"An exported model searches codes of at most {MOST_BITS} bits, and this run's have {bits}. Train one with "
            f"--bits {MOST_BITS} or fewer, and export that."
        )


def _make(base):
    """Make the folder of a model before the work for it begins."""
    try:
        base.mkdir(parents=True, exist_ok=True)
        reason = None if may_write(base) else "no right to"
    except OSError as error:
        reason = error.strerror
    if reason:
        raise RunError(f"{base} cannot be written: {reason}. Give another folder for exported models by --out DIR.")


@contextlib.contextmanager
def new_version(base: Path, version: int) -> Iterator[Path]:
    """Give an empty hidden folder that becomes `base/version` when the block ends well; see `atomic_folder`.

    Raises:
        RunError: if the version exists.
    """
    place = base / str(version)
    refusal = RunError(f"{place} exists already. Versions are not overwritten: leave --version out, or give another.")
    if place.exists():
        raise refusal
    with atomic_folder(place) as folder:
        if place.exists():  # another process was faster
            raise refusal
        yield folder


def item_keys(info: DatasetInfo, items: np.ndarray, turns: int) -> np.ndarray:
    """Return keys of virtual items: the image's id, with `@90`, `@180` or `@270` behind it where it is turned."""
    numbered = Items(turns)
    keys = zip(info.ids[numbered.image(items)], numbered.degrees(items), strict=True)
    return np.array([f"{key}@{angle}" if angle else str(key) for key, angle in keys], str)


def has_item(image: str, keys: Container[str]) -> bool:
    """Return whether an image, by its id, is among keys of virtual items, turned or not."""
    return any(f"{image}{turn}" in keys for turn in ("", "@90", "@180", "@270"))


def today() -> str:
    """Return the date, ISO 8601, UTC."""
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def preprocessing(specs: Mapping[str, ImageSpec], branches: Mapping[str, DHNN]) -> str:
    """Return in words what becomes of images before the network: part of a model's fingerprint.

    Args:
        specs: `{source: ImageSpec}` of the images as stored.
        branches: `{source: DHNN}`.
    """
    sizes = {source: tuple(branches[source].input[source].shape[1:3]) for source in specs}
    return "; ".join(f"{source} {spec} to {sizes[source]}" for source, spec in sorted(specs.items()))


def _checked_name(name):
    """Return a model's name, which is part of its URL."""
    if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
        raise SettingError(
            "The name of an exported model is part of its URL: ASCII letters, digits and _ . -, the first not . or -. "
            f"Received: {name!r}. Give another by --name."
        )
    return name


def _index_of_each(index, sources):
    """Return `{source: index}` of an argument `index`."""
    if not isinstance(index, dict):
        if len(sources) > 1 and index not in ("database", "all"):
            raise SettingError(f"{index} cannot hold the codes of every source. Expected {_by_option(sources)}")
        return dict.fromkeys(sources, index)
    if index.keys() != set(sources):
        raise SettingError(
            f"Expected what is searched of every source: {_by_option(sources)}. Received: {', '.join(index)}"
        )
    return index


def _by_option(sources):
    return " ".join(f"--index {source}=CODES" for source in sources)


def _encoder(branch, source, spec, turns):
    size = tuple(branch.input[source].shape[1:3])

    def network(images):
        return branch({source: images}, training=False)[source]

    how = plain_variables(branch.weights), spec, lambda images: resize(images, size)
    return ImageEncoder(network, *how, queries=over_turns(network, turns) if turns > 1 else None)


def _index(run, info, index, fingerprint, source):
    if index not in ("database", "all"):
        return _given_index(index, fingerprint, run.experiment.model.bits, source)
    stored = run.load_codes(source if len(info.images) > 1 else None)
    turns = run.experiment.data.turns
    items = Split.load(run.split_path).database if index == "database" else stored["items"]
    labels = info.true_labels[Items(turns).image(items)].astype(np.int32)
    return Index(stored["codes"][items], item_keys(info, items, turns), labels, fingerprint, source)


def _given_index(path, fingerprint, bits, source):
    index = Index.load(path)
    if index.bits != bits:
        raise SettingError(f"{path} holds codes of {index.bits} bits, this run's model makes {bits}.")
    if index.model != fingerprint:
        raise SettingError(
            f"{path} holds codes of another model (fingerprint {index.model[:12]}, this run's is {fingerprint[:12]}): "
            "distances between codes of two models mean nothing. Encode its images with this model."
        )
    if index.source != source:
        raise SettingError(f"{path} holds codes of {index.source!r} images. Expected {source!r}.")
    return index


def _thumbnails(info, items, bar):
    source = sources_of(info)[0]
    kept = np.array([number for number, image in enumerate(info.ids) if has_item(image, items)], int)
    bands = info.rgb_bands_of(source)
    pictures = {}
    with bar("Drawing small pictures", len(kept), "image") as update:
        for number, image in read_images(info, kept, source):
            pictures[str(info.ids[number])] = thumbnail(image, bands)
            update(len(pictures))
    return pictures


def _card(run, info, specs, indexes, fingerprint, name, version, chosen):
    metrics = run.metrics
    scores = ("map", "tasks", "precision_at", "precision_within_radius_2", "distinct_codes")
    return {
        "name": name,
        "version": int(version),
        "date": today(),
        "model": fingerprint,
        "run": run.path.name,
        "bits": run.experiment.model.bits,
        "seed": run.experiment.seed,
        "data": {"name": info.name, "checksum": info.checksum, "synthetic": info.synthetic},
        "split": {key: metrics[key] for key in ("protocol", "split", "queries", "database")},
        "score": {key: metrics[key] for key in scores if key in metrics},
        "index": {source: {"kind": str(chosen[source]), "items": len(found.ids)} for source, found in indexes.items()},
        "images": {
            source: {"height": spec.height, "width": spec.width, "channels": spec.channels, "dtype": spec.dtype}
            for source, spec in specs.items()
        },
        "rgb_bands": {source: list(info.rgb_bands_of(source)) for source in specs},
        "versions": {"keras_dhnn": __version__, "tensorflow": tf.__version__, "trained_with": run.environment},
    }
