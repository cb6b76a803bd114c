"""Encode images, scenes and catalogues into an archive, by a trained model or a frozen backbone."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from keras_dhnn.archive.encoding import Append, Encoded, encode_tiles, tile_rows
from keras_dhnn.archive.maintenance import compact_if_scattered
from keras_dhnn.archive.manifest import IDENTITY, check_place
from keras_dhnn.archive.places import exists, is_address, place
from keras_dhnn.archive.relabelling import relabel
from keras_dhnn.archive.store import Archive, check_same_model
from keras_dhnn.archive.tiles import (
    Cut,
    Form,
    Scene,
    Tile,
    count_tiles,
    file_tiles,
    is_scene,
    is_stac,
    list_images,
    scene_tiles,
    stac_scenes,
)
from keras_dhnn.errors import DataError
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.training.cache import networks_folder
from keras_dhnn.workflows import archive_encoder as encoders
from keras_dhnn.workflows.image_form import common_form
from keras_dhnn.workflows.tile_labels import image_labels


@dataclass(frozen=True)
class Options:
    """Describe how images are encoded.

    Attributes:
        cut: how scenes are cut.
        asset: which asset of STAC items.
        labels: see `image_labels`.
        skip_damaged: whether damaged files are left out.
        bits: length of codes that are learned; a trained model has its own.
        features: length of the int8 features kept beside codes; None: 32, of an exported model 0.
        size: side of the images that a frozen backbone is given.
        data: folder of the prepared data sets.
        source: which of a model's image sources.
        fetch: whether what a STAC catalogue names at addresses is fetched.
        fewer_bits: whether few images get as many bits as can be learned of them, instead of an error.
    """

    cut: Cut = field(default_factory=Cut)
    asset: str | None = None
    labels: Path | str | Mapping[str, str] | None = None
    skip_damaged: bool = False
    bits: int = 64
    features: int | None = None
    size: int = 256
    data: Path = Path("data")
    source: str | None = None
    fetch: bool = False
    fewer_bits: bool = False


@dataclass
class EncodedArchive:
    """Describe what came of it.

    Attributes:
        archive: the `Archive`; None before it is made.
        counted: `Encoded`.
        skipped: list of `Skipped` files.
        source: the image source of the model.
    """

    archive: Archive | None
    counted: Encoded
    skipped: list = field(default_factory=list)
    source: str = "image"

    def relabel(self, labels: Mapping[str, str] | None) -> None:
        """Give what was there before the labels that it would get if it were new; see `archive.relabelling`."""
        if labels and self.counted.known:
            self.counted.relabelled += relabel(self.archive, labels, self.source)


def encode_archive(
    model: Path | str,
    inputs: Sequence[Path | str],
    root: Path | str,
    options: Options | None = None,
    *,
    bar: Bar = no_bar,
) -> EncodedArchive:
    """Encode images into an archive, which is made if it is not there; what is in it already is not encoded again.

    Args:
        model: path of a run or an exported model, or name of a backbone, whose bits are learned on the first images.
        inputs: paths: see `list_images`; scenes and STAC files too.
        root: folder of the archive.
        options: `Options`.
        bar: see `progress`.

    Returns:
        `EncodedArchive`.

    Raises:
        DataError: for images or a model that do not fit, or an archive of another model.
    """
    options = with_features(options or Options(), model)
    scenes, files = sort_inputs(inputs, options)
    options = replace(options, labels=image_labels(options.labels, scenes, files))
    result = encode_listed(model, scenes, files, root, options, bar=bar)
    result.relabel(options.labels)
    return result


def encode_listed(
    model: Path | str,
    scenes: Sequence[Scene],
    files: Sequence[Path | str],
    root: Path | str,
    options: Options,
    *,
    bar: Bar = no_bar,
    learn_only: bool = False,
    append: Append | None = None,
) -> EncodedArchive:
    """Encode scenes and image files into an archive; arguments, result and errors as of `encode_archive`.

    Args:
        model: path of a run or an exported model, or name of a backbone.
        scenes: list of `Scene`.
        files: list of paths of image files.
        root: folder of the archive.
        options: `Options`, its features given.
        bar: see `progress`.
        learn_only: whether to stop once the archive is made and its encoder has learned what it needs.
        append: see `encode_tiles`.
    """
    root, total = place(root), len(files) + sum(count_tiles(scene, options.cut) for scene in scenes)
    result = EncodedArchive(None, Encoded())
    opened, source, learns = _open(model, root, options)
    result.source = source
    form = opened.form if opened else _form(scenes, files, options)

    def known(ids: list[str]) -> Mapping[str, int | None]:
        return result.archive.known(ids, source) if result.archive else {}

    def tiles_of(skipped: list) -> Iterator[Tile | None]:
        return _tiles(scenes, files, form, known, options, skipped)

    tiles = tiles_of(result.skipped)
    with bar("Encode", total, "tile") as update:
        # Values are measured in a pass of its own: images of many bands are not held in memory.
        encoder = opened or _backbone(model, form, _counted(_first(tiles_of([])), update), options)
        encoder.expect(total, networks_folder())
        if learns:
            encoder, archive = _learn(
                model, encoder, _first(tiles, result.counted), root, options, result, source, update
            )
        else:
            archive = result.archive = Archive.create(root, encoder.identity)
        done = result.counted.added + result.counted.known
        if learn_only or done == total:
            update(done)
            return result
        counted = encode_tiles(
            archive, tiles, encoder, source, progress=lambda n: update(min(done + n, total)), append=append
        )
        update(total)  # also what was left out, or came last and held nothing
    result.counted.add(counted)
    if append is None:
        compact_if_scattered(archive)
    return result


def with_features(options: Options, model: Path | str) -> Options:
    """Return options that say how many features are kept, as a model can."""
    if options.features is not None:
        return options
    keeps = encoders.keeps_features(model) or not Path(model).is_dir()
    return replace(options, features=encoders.FEATURES if keeps else 0)


def _open(model, root, options):
    """Return (encoder, source, whether it learns from the first tiles); the encoder None of a backbone that does."""
    trained = Path(model).is_dir()
    if exists(root / IDENTITY):
        archive = Archive.open(root)
        if trained:
            features = archive.identity.features
            encoder, source = encoders.open_model(model, data=options.data, source=options.source, features=features)
            check_same_model(root, archive.identity, encoder.identity)
            if features:
                encoder.learned = encoders.load_arrays(root)
            return encoder, source, False
        if archive.identity.encoder.get("name") != model:
            made_by = archive.identity.encoder.get("name") or f"a {archive.identity.encoder.get('kind')}"
            raise DataError(f"The archive {root} was made by {made_by}, not by {model!r}. Give another --archive.")
        return encoders.open_encoder(archive), options.source or "image", False
    check_place(root)
    if trained:
        opened = encoders.open_model(model, data=options.data, source=options.source, features=options.features)
        return *opened, options.features > 0
    return None, options.source or "image", True


def _first(tiles, counted=None):
    """Yield the first tiles that hold something, by which bits and features are learned; the others stay.

    Those before them that hold nothing are counted in `counted`, an `Encoded`.
    """

    def full() -> Iterator[Tile]:
        for tile in tiles:
            if tile is not None:
                yield tile
            elif counted is not None:
                counted.known += 1

    return itertools.islice(full(), encoders.LEARN_FROM)


def _counted(tiles, update):
    """Yield tiles whose values are measured, and say how many there were."""
    for number, tile in enumerate(tiles, 1):
        yield tile
        update(0, f"measuring the range of values: {number:,}")


def _backbone(name, form, first, options):
    return encoders.open_backbone(name, form, first, bits=options.bits, features=options.features)


def _learn(model, encoder, first, root, options, result, source, update):
    """Learn bits or features from the first tiles, make the archive, and append those."""
    name = None if Path(model).is_dir() else model
    encoder, read, encoded = encoders.learn(
        encoder, first, name, options.bits, options.features, update, options.fewer_bits
    )
    encoders.save_learned(root, encoder)
    archive = result.archive = Archive.create(root, encoder.identity)
    result.counted.add(archive.append(tile_rows(read, encoded, encoder.identity), source))
    return encoder, archive


def sort_inputs(inputs: Sequence[Path | str], options: Options) -> tuple[list[Scene], list[str]]:
    """Return the scenes, a list of `Scene`, and the paths of the image files that a user named."""
    scenes: list[Scene] = []
    others: list[Path | str] = []
    for given in inputs:
        if (is_address(given) or Path(given).is_file()) and is_stac(given):
            scenes += stac_scenes(given, options.asset, options.fetch)
        else:
            others.append(given)
    files = list_images(others) if others else []
    large = {path: None for path in files if is_scene(path, options.cut.tile)}
    scenes += [Scene.of(path) for path in large]
    return scenes, [path for path in files if path not in large]


def _form(scenes, files, options):
    """Return what a backbone will be given: what most of the images are."""
    channels, dtype = common_form(scenes, files, options.cut, skip_damaged=options.skip_damaged)
    return Form(options.size, options.size, channels, dtype)


def _tiles(scenes, files, form, known, options, skipped):
    how = {"skip_damaged": options.skip_damaged, "skipped": skipped}
    labels = image_labels(options.labels, scenes, files) or {}
    for scene in scenes:
        for tile in scene_tiles(scene, form, options.cut, known, **how):
            if tile is not None:
                tile.values["label"] = labels.get(scene.name)
            yield tile
    yield from file_tiles(files, form, known, labels=labels.get, **how)
