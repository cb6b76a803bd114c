"""Keep an archive of a folder of images, so that the folder can be searched as it lies."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from keras_dhnn.archive.maintenance import remove
from keras_dhnn.archive.manifest import IDENTITY
from keras_dhnn.archive.places import address, is_address
from keras_dhnn.archive.store import Archive
from keras_dhnn.archive.tiles import Cut, Skipped, list_images
from keras_dhnn.errors import DataError
from keras_dhnn.experiment.resolve import notice
from keras_dhnn.files import may_write, read_json, user_cache, write_json
from keras_dhnn.files.kinds import kind_of
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.workflows.encode_archive import Options, encode_sorted, sort_files
from keras_dhnn.workflows.kept import FOLDERS

BACKBONE = "efficientnet_lite0"
# Of a folder an image is an image, whatever kind of file it is in: only what has a place on the ground is cut.
OPTIONS = Options(Cut(plain=False), skip_damaged=True, fewer_bits=True)
_LISTING, _NAMED = "listing.json", 5
# Number of the rules by which files become items: what was kept by others is made anew.
_RULES = 2


def archive_of(
    place: Path | str,
    *,
    backbone: str = BACKBONE,
    options: Options | None = None,
    bar: Bar = no_bar,
    say: Callable[[str], None] = notice,
) -> Archive:
    """Open an archive; or of a folder of images, the archive of it that is kept in the user's cache.

    That is made the first time, by a frozen backbone whose bits are learned on the folder's own images without labels
    (ITQ), and follows the folder: images that are new or changed are encoded, those that went are taken out, unless
    a folder below could not be read.

    Args:
        place: folder of an archive, or any folder with images in it, at any depth.
        backbone: what images are encoded by; the folder itself is only read.
        options: how; None: `OPTIONS`, 64 bits, of fewer images as many as can be learned of them, and files that are
            damaged are left out and named.
        bar: see `progress`.
        say: is told what was done.

    Raises:
        DataError: if there is neither an archive nor an image, the cache cannot be written, or a folder below cannot be
            read and damaged files are not left out.
    """
    options = options or OPTIONS
    place = address(place)
    if is_address(place) or not Path(place).is_dir() or kind_of(Path(place)):
        return Archive.open(place)  # which says what else it is; pictures in a run are not what is looked for
    folder = Path(place).resolve()
    links: list[Skipped] = []
    unread: list[Skipped] = []
    try:
        files = list_images([folder], links=links, unread=unread if options.skip_damaged else None)
    except DataError as error:
        raise DataError(f"{place} is no archive, and no folder of images. {error}") from error
    kept = user_cache() / FOLDERS / _digest([str(folder), backbone])
    root, listing = kept / (folder.name or "images"), {"files": _digest(_stamps(files)), "rules": _RULES}
    before = _listing_of(kept)
    if before == listing and not unread:
        return Archive.open(root)
    _check_may_keep(kept)
    if (root / IDENTITY).exists() and (
        _is_of_other_rules(before) or (not unread and _can_have_more_bits(root, options, len(files)))
    ):
        shutil.rmtree(root)
    scenes, others = sort_files(files, options.cut)
    encoded = encode_sorted(backbone, scenes, others, root, options, bar=bar)
    archive = Archive.open(root)
    if not unread:
        # After a walk that missed something it is not known what is gone.
        _take_out_gone(archive, {scene.place for scene in scenes}, others)
        write_json(kept / _LISTING, listing)
    left_out = [*unread, *links, *encoded.skipped]
    for skipped in left_out[:_NAMED]:
        say(f"Left out: {skipped.name} {skipped.reason}")
    if len(left_out) > _NAMED:
        say(f"Left out: {len(left_out) - _NAMED} more files")
    if archive.identity.bits < options.bits:
        say(f"Codes have {archive.identity.bits} bits: {options.bits} are learned of {options.bits} images or more.")
    say(f"{archive.info.rows:,} images of {place}, encoded by {backbone} without labels; kept in {root}")
    return archive


def _listing_of(kept: Path) -> dict | None:
    """Return what the folder was like when it was encoded last; None: it was not, or not to the end."""
    if not (kept / _LISTING).exists():
        return None
    return read_json(kept / _LISTING, remedy=f"Remove {kept}, and search again.")


def _is_of_other_rules(listing: dict | None) -> bool:
    return listing is not None and listing.get("rules") != _RULES


def _can_have_more_bits(root: Path, options: Options, images: int) -> bool:
    """Return whether the folder has grown, so that more bits can be learned of it now."""
    return Archive.open(root).identity.bits < min(options.bits, images // 8 * 8)


def _check_may_keep(kept: Path) -> None:
    """Make the folder of an archive that is to be kept, before anything is encoded for it."""
    try:
        kept.mkdir(parents=True, exist_ok=True)
        writable = may_write(kept)
        reason = "it is read-only for this user"
    except OSError as error:
        writable, reason = False, str(error.strerror)
    if not writable:
        raise DataError(
            f"The codes of a folder of images are kept in {kept}, which cannot be written: {reason}. Set the "
            "environment variable XDG_CACHE_HOME to a folder that can, or encode the images where you want: "
            f"keras-dhnn encode {BACKBONE} FOLDER --archive DIR"
        )


def _take_out_gone(archive: Archive, scenes: Iterable[str], images: Iterable[str]) -> None:
    """Take out what is of no file any more: nor an image of what is a scene now, nor tiles of what is none."""
    rows = archive.rows(["id", "path", "row"])
    there = {(path, True) for path in scenes} | {(path, False) for path in images}
    there = {(path, is_cut) for path, is_cut in there if not _leads_nowhere(path)}
    gone = [one["id"] for one in rows.to_pylist() if (one["path"], one["row"] is not None) not in there]
    if gone:
        remove(archive, gone, missing_ok=True)


def _leads_nowhere(path):
    """Return whether a file that was listed is surely not there, as a link may be to one that is not."""
    try:
        os.stat(path)
        return False
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError as error:
        return error.errno == errno.ELOOP


def _stamps(files: Sequence[str]) -> list[str]:
    """Return the name, bytes and time of each file: what changes when it is another. A link that leads nowhere has its
    name alone.
    """
    return [f"{path}\n{_stamp(path)}" for path in files]


def _stamp(path):
    try:
        stat = os.stat(path)
    except OSError:
        return ""
    return f"{stat.st_size}\n{stat.st_mtime_ns}"


def _digest(texts: Sequence[str]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for text in texts:
        digest.update(text.encode(errors="surrogateescape") + b"\0")
    return digest.hexdigest()
