"""Find items of an archive whose files are gone, so that no search answers with them any more.

Only what lies within something that the user has named is missed: below a folder, here or at an address, or in the
collections of a STAC catalogue. An archive may hold other images too, whose disk is not there today.
"""

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_dhnn.archive.maintenance import remove_files
from keras_dhnn.archive.manifest import IDENTITY
from keras_dhnn.archive.places import address, exists, is_address, is_gone, place
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.tiles import Scene
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.workflows.tile_labels import is_of_catalogue


@dataclass
class GoneFiles:
    """Describe which items are of files that belong to what was named, and are not there.

    Attributes:
        files: `{path: number of items}` of files that are gone.
        unknown: number of items of files of which that cannot be known, see `places.is_gone`.
        emptied: conditions on the columns of an archive, each of a folder or collection of which not one file that the
            archive holds is there any more.
    """

    files: dict[str, int] = field(default_factory=dict)
    unknown: int = 0
    emptied: list[str] = field(default_factory=list)

    @property
    def items(self) -> int:
        """Return the number of items of files that are gone."""
        return sum(self.files.values())

    def take_out(self, archive: Archive, source: str) -> int:
        """Take the items of files that are still gone out of an archive, and return how many there were."""
        return remove_files(archive, [path for path in self.files if is_gone(path)], source)


def find_gone(
    root: Path | str,
    inputs: Sequence[Path | str],
    scenes: Sequence[Scene],
    files: Sequence[str],
    *,
    source: str | None = None,
    prune: bool = False,
) -> GoneFiles:
    """Find items whose files are gone, before anything is encoded.

    Args:
        root: folder of the archive, which need not be there yet.
        inputs: what the user named.
        scenes: list of `Scene` that it holds.
        files: paths of the image files that it holds.
        source: the image source of the items; None: the one that the archive was made with.
        prune: whether they are to be taken out.

    Returns:
        `GoneFiles`.

    Raises:
        SettingError: if items are to be taken out, and nothing that was named says which others belonged to it.
        DataError: if items are to be taken out, and not one of those that are held of a folder would stay, as where
            another disk is mounted there.
    """
    listed = {*map(_place_of, files), *(_place_of(scene.place) for scene in scenes)}
    within = [*_folders(inputs, listed), *_collections(scenes)]
    if prune and not within:
        raise SettingError(
            "--prune takes out items whose files are gone from a folder, or from the collections of a STAC catalogue. "
            "Received none: of lists and single files it is not known what else belonged to them. Name their folder, "
            f"or take items out by keras-dhnn archive remove {root} ID..."
        )
    if not within or not exists(place(root) / IDENTITY):
        return GoneFiles()
    archive = Archive.open(root)
    found = _missing(archive.files(source or archive.identity.encoder.get("source", "image")), within, listed)
    if prune and found.emptied:
        raise DataError(
            f"Of the files with {found.emptied[0]} that the archive {archive.root} holds, not one is there any more: "
            "is it the right folder, and is its disk mounted? Nothing was encoded or taken out. If they are gone for "
            f"good: keras-dhnn archive remove {shlex.quote(str(root))} --where {shlex.quote(found.emptied[0])}"
        )
    return found


def _missing(held, within, listed):
    """Return `GoneFiles` of `{(path, scene): items}` that an archive holds."""
    found, gone, stays = GoneFiles(), set(), set()
    servers = {_server(path) for path in listed}
    for (path, scene), items in held.items():
        of_item = {"path": _place_of(path), "scene": scene or ""}
        whole = next((one for one in within if of_item[one[0]].startswith(one[1])), None)
        if whole is None:
            continue
        # An archive, which may be a stranger's, does not say which other servers are asked.
        may_ask = not is_address(path) or _server(path) in servers
        missing = of_item["path"] not in listed and (is_gone(path) if may_ask else None)
        (gone if missing else stays).add(whole)
        if missing is None:
            found.unknown += items
        elif missing:
            found.files[path] = found.files.get(path, 0) + items
    found.emptied = [_condition(*whole) for whole in within if whole in gone - stays]
    return found


def _folders(inputs, listed) -> Iterator[tuple[str, str]]:
    """Yield ("path", what the paths of all files below begin with) of each folder."""
    for given in map(address, inputs):
        if is_address(given):
            below = given.rstrip("/") + "/"
            if any(path.startswith(below) for path in listed):
                yield "path", below
        elif os.path.isdir(given):
            yield "path", os.path.join(os.path.abspath(given), "")


def _collections(scenes) -> list[tuple[str, str]]:
    """Return ("scene", what the names of all its scenes begin with) of each collection of STAC catalogues."""
    names = [scene.name.split("/") for scene in scenes if is_of_catalogue(scene)]
    # Items that name no collection are called ITEM/ASSET.
    return [("scene", f"{name}/") for name in dict.fromkeys(parts[0] for parts in names if len(parts) > 2)]


def _condition(column: str, begin: str) -> str:
    literal = begin.replace("'", "''")
    return f"strpos({column}, '{literal}') = 1"


def _server(path):
    """Return protocol and host of an address."""
    return "/".join(path.split("/")[:3]) if is_address(path) else None


def _place_of(path: Any) -> str:
    """Return a file's address or whole path, as the column `path` has it."""
    return path if is_address(path) else os.path.abspath(path)
