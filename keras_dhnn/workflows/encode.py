"""Encode images, scenes and others' embeddings into an archive."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_dhnn.archive.manifest import IDENTITY
from keras_dhnn.archive.places import exists, place
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.tiles import Cut
from keras_dhnn.errors import SettingError
from keras_dhnn.files import as_list
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.workflows.archive_encoder import bits_of
from keras_dhnn.workflows.encode_archive import Options, encode_archive

_BITS, _SIZE = 64, 256


def encode(
    model: Path | str | None = None,
    images: Path | str | Sequence[Path | str] = (),
    *,
    archive: Path | str = Path("archive"),
    tile: int = 256,
    stride: int | None = None,
    scales: str | int | Sequence[int] = "1",
    bands: str | int | Sequence[int] | None = None,
    asset: str | None = None,
    fetch: bool = False,
    labels: Path | str | None = None,
    bits: int | None = None,
    size: int | None = None,
    features: int | None = None,
    embeddings: Path | str | None = None,
    column: str | None = None,
    learn_by: str | None = None,
    source: str | None = None,
    engine: str | None = None,
    master: str = "local[*]",
    spark_conf: str | Sequence[str] = (),
    skip_damaged: bool = False,
    prune: bool = False,
    data: Path | str = Path("data"),
    bar: Bar = no_bar,
) -> dict[str, Any]:
    """Encode images into an archive, which is made if need be; what is there with the same content stays as it is.

    Args:
        model: path of a run or an exported model, or name of a backbone, whose bits are learned on the first images.
        images: paths of image files, folders, scenes, lists and STAC files; one or several.
        archive: folder of the archive.
        tile: side of a scene's tiles in pixels.
        stride: pixels from one tile to the next; None: a tile.
        scales: whole numbers, `"1,4"` or a sequence: how many times as large a side of a tile is.
        bands: numbers of a scene's bands from 1, `"4,3,2"` or a sequence; None: all.
        asset: which asset of STAC items: a name, or `role:ROLE`.
        fetch: whether what a STAC catalogue names at addresses is fetched: its items, and that asset of each.
        labels: "folder", or path of a table with a row an image, see docs/guides/few-labels.md; None: no labels. What
            is in the archive already gets them too.
        bits: length of codes that are learned here; None: 64.
        size: side of the images that a backbone is given; None: 256.
        features: length of the int8 features kept beside codes; None: 32, of an exported model 0. An archive that is
            there has its own bits, size and features, and a trained model its own bits and size.
        embeddings: path of a file of float vectors, instead of model and images.
        column: where the vectors are in it.
        learn_by: what their bits are learned by, "labels" or "vectors"; None: labels where there are such.
        source: which of a model's several image sources.
        engine: "spark" to encode by the workers of a Spark cluster; None: here.
        master: Spark's.
        spark_conf: settings of Spark's, `NAME=VALUE`; one or several.
        skip_damaged: whether damaged files are left out.
        prune: whether items whose files are gone from the folders and catalogues in `images` are taken out.
        data: folder of the prepared data sets.
        bar: see `progress`.

    Returns:
        Dictionary of `archive`, `items` (in it now), `added`, `replaced`, `known`, `relabelled`, `skipped` (a list of
        `name` and `reason`), with labels `labelled` (items that have any); of images `pruned` (items taken out), `gone`
        (items in it of files that are there no more) and `unknown` (items of files of which that cannot be known); of
        embeddings `recall_at_10` and `learned_by`.

    Raises:
        DataError: for images, a model or an archive that do not fit together.
        SettingError: for an argument that is not as above.
        MissingPackage: if a package that this needs is not installed.
    """
    only_images = {
        "stride": stride,
        "bands": bands,
        "asset": asset,
        "fetch": fetch,
        "labels": labels,
        "size": size,
        "features": features,
        "engine": engine,
        "skip-damaged": skip_damaged,
        "prune": prune,
    }
    _refuse_without_effect(model, as_list(images), embeddings, only_images, {"column": column, "learn-by": learn_by})
    _refuse_others(archive, model, {"bits": bits, "size": size, "features": features})
    bits, size = _BITS if bits is None else bits, _SIZE if size is None else size
    if embeddings is not None:
        from keras_dhnn.workflows.encode_vectors import encode_vectors

        of_vectors = encode_vectors(
            embeddings, archive, column=column, bits=bits, learn_by=learn_by, source=source or "image", bar=bar
        )
        return _summary(of_vectors) | {"recall_at_10": of_vectors.recall, "learned_by": of_vectors.learned_by}
    images = as_list(images)
    if model is None or not images:
        raise SettingError("Expected a model and images: keras-dhnn encode MODEL IMAGES... --archive DIR")
    cut = Cut(tile, stride, _numbers("scales", scales), None if bands is None else _numbers("bands", bands))
    options = Options(cut, asset, labels, skip_damaged, bits, features, size, Path(data), source, fetch, prune=prune)
    if engine not in (None, "spark"):
        raise SettingError(f"Expected --engine spark, or none. Received: {engine!r}")
    if engine is None:
        found = encode_archive(model, images, archive, options, bar=bar)
    else:
        from keras_dhnn.archive.spark import parse_settings
        from keras_dhnn.workflows.encode_by_spark import encode_by_spark

        settings = parse_settings(as_list(spark_conf))
        found = encode_by_spark(model, images, archive, options, master=master, settings=settings)
    missing = {"pruned": found.pruned, "gone": found.gone.items, "unknown": found.gone.unknown}
    labelled = {}
    if labels is not None and found.archive is not None:
        labelled = {"labelled": found.archive.labelled(found.source)}
    return _summary(found) | labelled | missing


def _refuse_without_effect(model, images, embeddings, only_images, only_vectors):
    """Refuse options of images where vectors are encoded, and of vectors where images are."""
    if embeddings is not None and (model is not None or images):
        raise SettingError("Expected a model and images, or --embeddings FILE. Received both: encode them in turn.")
    which, given = ("without", only_vectors) if embeddings is None else ("with", only_images)
    unused = [f"--{name}" for name, value in given.items() if value is not None and value is not False]
    if unused:
        raise SettingError(f"No effect {which} --embeddings: {', '.join(unused)}. Leave that out.")


def _refuse_others(path, model, given):
    """Refuse what an archive that is there was made with otherwise, or a trained model has otherwise, instead of
    ignoring it.
    """
    root = place(path)
    if exists(root / IDENTITY):
        identity = Archive.open(root).identity
        own = {"bits": identity.bits, "features": identity.features}
        if identity.encoder.get("kind") == "backbone":
            own["size"] = identity.encoder.get("size")
        what, instead = f"The archive {root} was made with", "give another --archive"
    elif model is not None and Path(model).is_dir() and (given["bits"] is not None or given["size"] is not None):
        # What it keeps beside codes is chosen when the archive is made.
        own, given = {"bits": bits_of(model)}, {name: given[name] for name in ("bits", "size")}
        what, instead = f"The model in {model} was trained with", "name a backbone"
    else:
        return
    others = {name: value for name, value in given.items() if value is not None and value != own.get(name)}
    if others:
        raise SettingError(f"{what} {_shown(own)}. Received: {_shown(others)}. Leave that out, or {instead}.")


def _shown(options):
    return " ".join(f"--{name} {value}" for name, value in options.items())


def _summary(encoded):
    info = encoded.archive.info
    skipped = [{"name": one.name, "reason": one.reason} for one in encoded.skipped]
    return {"archive": str(info.path), "items": info.rows, **vars(encoded.counted), "skipped": skipped}


def _numbers(name, given):
    try:
        numbers = tuple(int(part) for part in (given.split(",") if isinstance(given, str) else as_list(given)))
    except ValueError:
        numbers = (0,)
    if not numbers or min(numbers) < 1:
        raise SettingError(f"Expected --{name} as whole numbers from 1 with commas, such as 1,2. Received: {given!r}")
    return numbers
