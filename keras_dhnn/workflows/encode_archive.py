"""Encode images, scenes and catalogues into an archive, by a trained model or a frozen backbone."""

import functools
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from keras_dhnn.archive.encoding import Append, Encoded, encode_tiles, tile_rows
from keras_dhnn.archive.maintenance import compact_if_scattered, remove_outdated
from keras_dhnn.archive.manifest import IDENTITY, check_place, check_same_model
from keras_dhnn.archive.places import address, exists, is_address, place
from keras_dhnn.archive.relabelling import relabel
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.tiles import (
    Cut,
    Form,
    Scene,
    Skipped,
    Tile,
    file_tiles,
    is_scene,
    is_stac,
    list_images,
    read_headers,
    scene_tiles,
    stac_scenes,
)
from keras_dhnn.errors import DataError
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.training.cache import networks_folder
from keras_dhnn.workflows import archive_encoder as encoders
from keras_dhnn.workflows.gone_files import GoneFiles, find_gone
from keras_dhnn.workflows.image_form import common_form, misfits, refuse
from keras_dhnn.workflows.tile_labels import image_labels, names_tile


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
        prune: whether items whose files are gone are taken out, see `find_gone`; none is where a folder cannot be read.
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
    prune: bool = False


@dataclass
class EncodedArchive:
    """Describe what came of it.

    Attributes:
        archive: the `Archive`; None before it is made.
        counted: `Encoded`.
        skipped: list of `Skipped` files.
        outdated: `{scene: contents}` of scenes that were read whole and have become others, see `remove_outdated`.
        source: the image source of the model.
        gone: `GoneFiles`, whose items are in the archive still.
        pruned: number of items that were taken out.
    """

    archive: Archive | None
    counted: Encoded
    skipped: list = field(default_factory=list)
    outdated: dict = field(default_factory=dict)
    source: str = "image"
    gone: GoneFiles = field(default_factory=GoneFiles)
    pruned: int = 0

    def settle(self, gone: GoneFiles, prune: bool) -> None:
        """Take out items whose files are gone, or keep in mind that there are such."""
        if prune and self.archive is not None:
            self.pruned = gone.take_out(self.archive, self.source)
            gone = replace(gone, files={})
        self.gone = gone

    def relabel(self, labels: Mapping[str, str] | None) -> None:
        """Give what was there before the labels that it would get if it were new, see `archive.relabelling`; name those
        of tiles that there are not.
        """
        if not labels or self.archive is None:
            return
        if self.counted.known:
            self.counted.relabelled += relabel(self.archive, labels, self.source)
        tiles = [name for name in labels if names_tile(name)]
        there = self.archive.known(tiles, self.source) if tiles else {}
        self.skipped += [Skipped(tile, "the archive has no such tile to label") for tile in tiles if tile not in there]


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
    links: list[Skipped] = []
    unread: list[Skipped] = []
    scenes, files = sort_inputs(inputs, options, links, unread)
    gone = find_gone(root, inputs, scenes, files, source=options.source, prune=options.prune)
    result = encode_sorted(model, scenes, files, root, options, bar=bar)
    result.skipped[:0] = [*unread, *links]
    result.settle(gone, options.prune and not unread)
    return result


def encode_sorted(
    model: Path | str,
    scenes: Sequence[Scene],
    files: Sequence[str],
    root: Path | str,
    options: Options,
    *,
    bar: Bar = no_bar,
) -> EncodedArchive:
    """Encode as `encode_archive` does what has been sorted into scenes and image files, see `sort_files`."""
    options = with_features(options, model)
    labels = image_labels(options.labels, scenes, files)
    result = encode_listed(model, scenes, files, root, replace(options, labels=labels), bar=bar)
    result.relabel(labels)
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
    made = None
    while made is None:
        # Again if another process made the archive meanwhile: then by the encoder that it was made with.
        made = _encode(model, scenes, files, place(root), options, bar, learn_only, append)
    return made


def _encode(model, scenes, files, root, options, bar, learn_only, append):
    """Return what `encode_listed` does; None if the archive was not there, and is there once bits are learned."""
    headers = read_headers(scenes, options.cut)
    opened, source, learns = _open(model, root, options)
    form = opened.form if opened else _form(headers, files, options)
    wrong = misfits(headers, form)
    if not options.skip_damaged:
        refuse(wrong, headers)
    result = EncodedArchive(None, Encoded(), wrong, source=source)
    left_out = {one.name for one in wrong}
    fitting = [scene for scene in scenes if scene.name not in left_out]
    total = len(files) + sum(headers[scene.name].tiles for scene in fitting)

    def tiles_of(skipped: list) -> Iterator[Tile | None]:
        return _tiles(fitting, files, form, _Held(result, source), options, skipped)

    tiles = tiles_of(result.skipped)
    with bar("Encode", total, "tile") as update:
        # Values are measured in a pass of its own: images of many bands are not held in memory.
        encoder = opened or _backbone(model, form, _counted(_first(tiles_of([])), update), options)
        encoder.expect(total, networks_folder())
        if learns:
            encoder = _learn(model, encoder, _first(tiles, result.counted), root, options, result, source, update)
        else:
            result.archive = Archive.create(root, encoder.identity)
        archive, done = result.archive, result.counted.added + result.counted.known
        if archive is None:
            return None
        if learn_only:
            update(done)
            return result
        following = list(itertools.islice(tiles, 1))
        if following:
            counted = encode_tiles(
                archive,
                itertools.chain(following, tiles),
                encoder,
                source,
                progress=lambda n: update(min(done + n, total)),
                append=append,
            )
            result.counted.add(counted)
        update(total)  # also what was left out, or came last and held nothing
    if append is None:
        remove_outdated(archive, result.outdated, source)
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
                encoder.learned = encoders.load_arrays(root, archive.identity)
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
    """Learn bits or features from the first tiles, make the archive if it is not there yet, and append those."""
    name = None if Path(model).is_dir() else model
    encoder, read, encoded = encoders.learn(
        encoder, first, name, options.bits, options.features, update, options.fewer_bits
    )
    archive = result.archive = Archive.make(root, encoder.identity, encoder.learned)
    if archive is not None:
        result.counted.add(archive.append(tile_rows(read, encoded, encoder.identity), source))
    return encoder


def sort_inputs(
    inputs: Sequence[Path | str], options: Options, links: list[Skipped], unread: list[Skipped]
) -> tuple[list[Scene], list[str]]:
    """Return the scenes, a list of `Scene`, and the paths of the image files that a user named.

    Links to folders, and folders that cannot be read where damaged files are left out, are added to the two lists, see
    `list_images`.
    """
    scenes: list[Scene] = []
    others: list[Path | str] = []
    for given in map(address, inputs):
        if (is_address(given) or Path(given).is_file()) and is_stac(given):
            scenes += stac_scenes(given, options.asset, options.fetch)
        else:
            others.append(given)
    files = list_images(others, links=links, unread=unread if options.skip_damaged else None) if others else []
    cut, files = sort_files(files, options.cut)
    return _each_once(scenes + cut), files


def sort_files(paths: Sequence[str], cut: Cut) -> tuple[list[Scene], list[str]]:
    """Return which of some image files are scenes, a list of `Scene`, and the paths of the others."""
    scenes = {path: Scene.of(path) for path in paths if is_scene(path, cut)}
    return list(scenes.values()), [path for path in paths if path not in scenes]


def _each_once(scenes):
    """Return the scenes by name, each once; two of one name would replace each other."""
    found: dict[str, Scene] = {}
    for scene in scenes:
        other = found.setdefault(scene.name, scene)
        if other.place != scene.place:
            raise DataError(
                f"{scene.name} is the name of two scenes: {other.place} and {scene.place}. Encode them into two "
                "archives, or give one of them another name."
            )
    return list(found.values())


def _form(headers, files, options):
    """Return what a backbone will be given: what most of the images are."""
    channels, dtype = common_form(headers, files, skip_damaged=options.skip_damaged)
    return Form(options.size, options.size, channels, dtype)


def _tiles(scenes, files, form, held, options, skipped):
    how = {"skip_damaged": options.skip_damaged, "skipped": skipped}
    labels = image_labels(options.labels, scenes, files) or {}
    for scene in scenes:
        told = {"begun": held.begun(scene), "ended": functools.partial(held.read_whole, scene)}
        for tile in scene_tiles(scene, form, options.cut, held.known, **told, **how):
            if tile is not None:
                tile.values["label"] = labels.get(tile.id, labels.get(scene.name))
            yield tile
    for tile in file_tiles(files, form, held.known, labels=labels.get, **how):
        if tile is not None:
            held.check(tile)
        yield tile


class _Held:
    """Know what an archive holds of the images that are read, and refuse another file by the name of one."""

    def __init__(self, result: EncodedArchive, source: str):
        self.result, self.source = result, source
        self._ids: set[str] = set()
        self._paths: Mapping[str, str | None] | None = None
        self._others: set[int | None] = set()

    def known(self, ids: list[str]) -> Mapping[str, int | None]:
        """Return `{id: content}` of those ids that are in the archive."""
        found = self.result.archive.known(ids, self.source) if self.result.archive else {}
        self._ids, self._paths = set(found), None
        return found

    def check(self, tile: Tile) -> None:
        """Refuse an image whose id, of those asked for last, is that of another file."""
        archive = self.result.archive
        if archive is None or tile.id not in self._ids:
            return
        if self._paths is None:
            self._paths = archive.known(list(self._ids), self.source, "path")
        self._refuse_another(tile.id, self._paths.get(tile.id), tile.values["path"])

    def begun(self, scene: Scene) -> Callable[[Callable[[int | None], bool]], None]:
        """Return what looks up which tiles there are of a scene that are of another content."""

        def look(is_own: Callable[[int | None], bool]) -> None:
            self._others = set()
            for content, path in self._held_of(scene):
                if not is_own(content):
                    self._refuse_another(scene.name, path, scene.place)
                    self._others.add(content)

        return look

    def read_whole(self, scene: Scene) -> None:
        """Say that the scene was read whole: its tiles of another content are none any more."""
        if self._others:
            self.result.outdated[scene.name] = self._others
            self._others = set()

    def _held_of(self, scene):
        return self.result.archive.contents_of_scene(scene.name, self.source) if self.result.archive else ()

    def _refuse_another(self, name, held, given):
        # What was moved is not there any more; at addresses, keys for a while are part of a path.
        if held in (None, given) or is_address(held) or is_address(given) or not os.path.exists(held):
            return
        if not os.path.samefile(held, given):
            raise DataError(
                f"{name} is the name of {held} in the archive {self.result.archive.root}. Received another file by "
                f"that name, {given}: name files by their whole paths, or give another --archive."
            )
