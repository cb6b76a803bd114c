"""List image archives as people have them, a folder tree or a zip, without trusting any name or size in them."""

import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.files import open_regular, refuse_address
from keras_dhnn.pipelines.formats.limits import Limits
from keras_dhnn.pipelines.formats.zip_names import member_names
from keras_dhnn.pipelines.formats.zip_safety import check_members

_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini"}
# What zipfile raises for a member: of patched data (NotImplementedError is a RuntimeError) or encrypted, with a name in
# its own header that is not UTF-8, or a header that is cut short.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, UnicodeDecodeError, struct.error)


def open_tree(
    path: Path | str,
    inside: Sequence[str] = (),
    limits: Limits | None = None,
    zip_encoding: str | None = None,
    *,
    deep: bool = False,
) -> "FolderTree | ZipTree":
    """Return a folder or a zip file as a flat listing of `<folder>/<file>` names, or of files at any depth.

    Args:
        path: folder or zip file.
        inside: sub-folders such as "UCMerced_LandUse/Images", the most specific first; the first that exists
            is listed instead of the whole.
        limits: `Limits`.
        zip_encoding: see `zip_names.member_names`.
        deep: whether files at any depth are listed, by their whole names below `path`; none is misplaced then.

    Returns:
        FolderTree or ZipTree.

    Raises:
        DataError: if there is no such path, or it is neither, or the zip is unsafe to read.
    """
    path, limits = Path(path).expanduser(), limits or Limits()
    try:
        if path.is_dir():
            return FolderTree(next((path / part for part in inside if (path / part).is_dir()), path), limits, deep)
        if path.is_file():
            return ZipTree(path, inside, limits, zip_encoding, deep)
    except OSError as error:
        raise DataError(f"Cannot read {error.filename or path}: {error.strerror or error}.") from error
    refuse_address(path)
    raise DataError(f"Expected a folder or a zip file. There is neither at {path}.")


class FolderTree:
    """List the files one folder deep below `path`.

    Attributes:
        folders: names of the folders, sorted.
        files: {"<folder>/<file>": bytes}, sorted by name; litter of operating systems is left out.
        misplaced: names of everything else, which is never read, sorted.
        origin: kind, path and fingerprint (of names, sizes and times of change).
    """

    def __init__(self, path: Path, limits: Limits, deep: bool = False) -> None:
        self._path, self._limits = path, limits
        self._stamps: list[tuple] = []
        self.folders: list[str] = []
        self.files: dict[str, int] = {}
        self.misplaced: list[str] = []
        for entry in _entries(path):
            if not entry.is_dir():
                self._take(entry, entry.name, deep)
                continue
            self.folders.append(entry.name)
            self._list(path / entry.name, entry.name, deep)
        if deep:
            self.files = dict(sorted(self.files.items()))
        self.misplaced.sort()
        fingerprint = _fingerprint(self._stamps)
        self.origin = {"kind": "folder", "path": str(path.resolve()), "fingerprint": fingerprint}

    def _list(self, folder, prefix, deep):
        for entry in _entries(folder):
            name = f"{prefix}/{entry.name}"
            if deep and entry.is_dir(follow_symlinks=False):
                self._list(folder / entry.name, name, deep)
            else:
                self._take(entry, name, entry.is_file())
        if len(self._stamps) > self._limits.files:
            raise DataError(f"{self._path} holds more than {self._limits.files:,} files. Is it the right folder?")

    def _take(self, entry, name, fits):
        if not fits or not entry.is_file():
            self.misplaced.append(name)
            return
        self.files[name] = entry.stat().st_size
        self._stamps.append((name, entry.stat().st_size, entry.stat().st_mtime_ns))

    def read(self, name: str) -> bytes:
        """Return the bytes of one file.

        Raises:
            DamagedFile: if it cannot be read or is larger than the limit.
        """
        if self.files[name] > self._limits.file_bytes:
            raise DamagedFile(name, f"has {self.files[name]:,} bytes; at most {self._limits.file_bytes:,} are allowed")
        try:
            with open_regular(self._path / name) as file:
                # Not the limit: Python takes as much memory as it is asked to read.
                return file.read(self.files[name])
        except OSError as error:
            raise DamagedFile(name, f"cannot be read ({error.strerror})") from error


class ZipTree:
    """List the members of a zip file, with FolderTree's attributes; nothing is ever unpacked to disk.

    Raises:
        DataError: on opening, before any member is read: not a zip, encrypted, members that point outside
            (absolute, "..", links), a name listed twice, or declared sizes beyond the limits.
    """

    def __init__(
        self, path: Path, inside: Sequence[str], limits: Limits, encoding: str | None = None, deep: bool = False
    ) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
            raise DataError(f"Expected a folder or a zip file. {path} is no intact zip: {error}.") from error
        members = self._zip.infolist()
        named = list(zip(member_names(path, members, encoding), members, strict=True))
        check_members(path, named, limits)
        base = next((f"{part}/" for part in inside if any(name.startswith(f"{part}/") for name, _ in named)), "")
        self._members = {name[len(base) :]: member for name, member in named if name.startswith(base)}
        names = sorted(name for name in self._members if name and not _is_litter(name))
        self.folders = sorted({name.split("/")[0] for name in names if "/" in name})
        fits = [name for name in names if not name.endswith("/") and (deep or name.count("/") == 1)]
        self.files = {name: self._members[name].file_size for name in fits}
        self.misplaced = [name for name in names if name not in self.files and name.rstrip("/") not in self.folders]
        stamps = [path.stat().st_size, *sorted((name, m.file_size, m.CRC) for name, m in named)]
        self.origin = {"kind": "zip", "path": str(path.resolve()), "fingerprint": _fingerprint(stamps)}

    def read(self, name: str) -> bytes:
        """Return the bytes of one member, never more than it declares.

        Raises:
            DamagedFile: if it is cut short or fails its checksum, or its own header says what cannot be read.
        """
        try:
            with self._zip.open(self._members[name]) as member:
                return member.read(self.files[name] + 1)
        except _ZIP_ERRORS as error:
            raise DamagedFile(name, f"cannot be unpacked ({error})") from error


def _entries(folder):
    with os.scandir(folder) as found:
        return sorted((entry for entry in found if not _is_litter(entry.name)), key=lambda entry: entry.name)


def _is_litter(name):
    parts = name.rstrip("/").split("/")
    return parts[-1] in _LITTER or parts[-1].startswith("._") or "__MACOSX" in parts


def _fingerprint(stamps):
    return hashlib.sha256("\n".join(map(repr, stamps)).encode("utf-8", "backslashreplace")).hexdigest()
