"""Read anybody's own pairs: two sources of the same ground, each a folder a class, an item's two images of the same
name.

Any two will do, such as panchromatic and multispectral, or optical and radar; each has its own size, bands and type,
with what `folder` reads. `pan/beach/a17.tif` belongs to `mul/beach/a17.png`: suffixes may differ.
"""

import collections
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.pipelines.datasets.class_folders import check_classes
from keras_dhnn.pipelines.datasets.collection import LIMITS, survey_collection
from keras_dhnn.pipelines.datasets.dataset import Dataset
from keras_dhnn.pipelines.datasets.folder_listing import LAYOUT, list_collection
from keras_dhnn.pipelines.datasets.pair_places import describe_apart
from keras_dhnn.pipelines.example import Archive, Example, fingerprint_of
from keras_dhnn.pipelines.formats.unreadable import EmptyImage
from keras_dhnn.pipelines.read_ahead import read_ahead
from keras_dhnn.pipelines.scaling import PERCENTILES

NAME = "dual"
_SHOWN = 5


def open_archive(
    sources: Mapping[str, Path | str],
    *,
    image_size: int | Mapping[str, int] | None = None,
    skip_damaged: bool = False,
    percentiles: Sequence[float] = PERCENTILES,
    scale: Sequence[ArrayLike] | Mapping[str, Sequence[ArrayLike]] | None = None,
    rgb_bands: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    grey_to_rgb: bool = False,
    zip_encoding: str | None = None,
    seed: int = 0,
) -> Archive:
    """List and check two collections; look at up to 512 images of each.

    Args:
        sources: {name: folder or zip} of the two; names of letters, digits and _, such as "pan".
        image_size, scale, rgb_bands: as of `folder.open_archive`; for both sources, or {name: ...} for some.
        skip_damaged: also leave out images without a partner.
        percentiles, grey_to_rgb, zip_encoding, seed: as of `folder.open_archive`.

    Returns:
        Archive, for `prepare`; its Examples have a source of each name, and the first source's file as their id. Its
        `origin` has `scaling` of both where one of them is not uint8, and `rgb_bands` of each.

    Raises:
        DataError: as of `folder.open_archive`; for sources that are not two; for images without a partner, if not
            `skip_damaged`; and for two images of one source with one name but for the suffix.
    """
    _check_names(sources)
    how: dict[str, Any] = {"skip_damaged": skip_damaged, "zip_encoding": zip_encoding}
    listings = {s: list_collection(path, LIMITS, **how) for s, path in sources.items()}
    files = {source: _by_key(source, listing.images) for source, listing in listings.items()}
    keys, alone = _matched(files)
    if alone and not (skip_damaged and keys):
        raise DataError(_describe_alone(sources, keys, alone))
    first = next(iter(files.values()))
    origin = " and ".join(f"{source}={path}" for source, path in sources.items())
    check_classes(origin, sorted({key.split("/")[0] for key in keys}), [first[key] for key in keys], LAYOUT)
    own = _own(sources, image_size=image_size, scale=scale, rgb_bands=rgb_bands)
    found = {}
    for source, listing in listings.items():
        kept = listing._replace(images=[files[source][key] for key in keys])
        options = {"skip_damaged": skip_damaged, "percentiles": percentiles, "seed": seed} | own[source]
        options["grey_to_rgb"] = grey_to_rgb
        found[source] = survey_collection(kept, **options)
    trees = [listing.tree for listing in listings.values()]
    apart = describe_apart(trees, [[own[key] for own in files.values()] for key in keys])
    rows = list(zip(keys, *([files[source][key] for key in keys] for source in sources), strict=True))

    def read(skipped: list[tuple[str, str]]) -> Iterator[Example]:
        skipped += [(f"{s}: {name}", reason) for s, listing in listings.items() for name, reason in listing.left_out]
        skipped += [(f"{s}: {name}", "has no partner of its name in the other source") for s, name in alone]
        return _examples(origin, found, rows, skipped, skip_damaged=skip_damaged)

    return Archive(
        classes=tuple(sorted({key.split("/")[0] for key in keys})),
        count=len(keys),
        origin=_description(found, apart),
        read=read,
    )


def _check_names(sources):
    if len(sources) != 2 or not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) for name in sources):
        raise DataError(
            "Expected two sources by name, such as --source pan=DIR --source mul=DIR, names of letters, digits and _. "
            f"Received: {', '.join(f'{name}={path}' for name, path in sources.items()) or 'none'}."
        )


def _own(sources, **settings):
    """Return {source: {setting: value}} of settings that are for both, or {source: value} for some."""
    for name, value in settings.items():
        foreign = value.keys() - sources.keys() if isinstance(value, dict) else ()
        if foreign:
            raise DataError(f"Expected {name} of the sources {', '.join(sources)}. Received: {', '.join(foreign)}.")
    return {
        source: {name: value.get(source) if isinstance(value, dict) else value for name, value in settings.items()}
        for source in sources
    }


def _by_key(source, images):
    """Return {<class>/<name without suffix>: file}."""
    files = collections.defaultdict(list)
    for name in images:
        files[str(PurePosixPath(name).with_suffix(""))].append(name)
    several = [names for names in files.values() if len(names) > 1]
    if several:
        raise DataError(
            f"{source}: expected one image of a name, whatever its suffix. Found: {', '.join(several[0])}. Remove one."
        )
    return {key: names[0] for key, names in files.items()}


def _matched(files):
    """Return the keys that both sources have, sorted, and (source, file) of the others."""
    one, other = files.values()
    keys = sorted(one.keys() & other.keys())
    alone = [(source, own[key]) for source, own in files.items() for key in sorted(own.keys() - set(keys))]
    return keys, alone


def _describe_alone(sources, keys, alone):
    lines = [
        f"Expected each image in both sources, under the same <class>/<name>. {len(keys):,} are. Found in one only:"
    ]
    for source, path in sources.items():
        names = [name for owner, name in alone if owner == source]
        if names:
            shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
            lines.append(f"  {source} ({path}): {shown}")
    remedy = (
        "Add the others, or leave these out with --skip-damaged." if keys else "Rename them: partners share a name."
    )
    return "\n".join([*lines, remedy])


def _description(found, apart):
    """Return the Archive's `origin`."""
    trees = [collection.listing.tree.origin for collection in found.values()]
    made_by = {
        "layout": NAME,
        "image_size": {source: collection.side for source, collection in found.items()},
        "scaling": _scaling(found),
        "rgb_bands": {source: collection.rgb_bands for source, collection in found.items()},
    }
    if any(collection.grey_to_rgb for collection in found.values()):
        made_by["grey_to_rgb"] = True
    prints = [(source, tree["fingerprint"]) for source, tree in zip(found, trees, strict=True)]
    return {
        "kind": "pairs",
        "path": " and ".join(f"{source}={tree['path']}" for source, tree in zip(found, trees, strict=True)),
        "fingerprint": fingerprint_of((prints, sorted(made_by.items()))),
        "files": fingerprint_of(prints),
        **made_by,
        "notes": [f"{source}: {note}" for source, collection in found.items() for note in collection.notes] + apart,
    }


def _scaling(found):
    """Return the scaling of both sources, or None if both are used as they are; networks take either."""
    if not any(collection.scaling for collection in found.values()):
        return None
    return {
        s: c.scaling or {"low": [0.0] * c.survey.channels, "high": [255.0] * c.survey.channels}
        for s, c in found.items()
    }


def _examples(origin, found, rows, skipped, *, skip_damaged):
    """Yield the Examples; a pair of which an image cannot be used is appended to `skipped`, or raised, unless it is
    empty.
    """
    classes, read = sorted({key.split("/")[0] for key, *_ in rows}), []

    def images(row: Sequence[str]) -> dict[str, np.ndarray | DamagedFile]:
        return {source: found[source].image(name) for source, name in zip(found, row[1:], strict=True)}

    for row, pair in read_ahead(images, rows):
        damaged = [type(o)(f"{s}: {o.name}", o.reason) for s, o in pair.items() if isinstance(o, DamagedFile)]
        if damaged and not skip_damaged and not any(isinstance(error, EmptyImage) for error in damaged):
            raise damaged[0]
        if damaged:
            skipped += [(error.name, error.reason) for error in damaged]
            continue
        read.append(row[1])
        yield Example(row[1], classes.index(row[1].split("/")[0]), pair)
    check_classes(origin, classes, read, LAYOUT)


DATASET = Dataset(
    open_archive,
    options=("skip_damaged", "image_size", "percentiles", "rgb_bands", "grey_to_rgb", "zip_encoding"),
    sources=True,
)
