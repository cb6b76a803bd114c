"""Read everything that was written, and say what is not what it was."""

from pathlib import Path
from typing import Any, NamedTuple

from keras_dhnn.errors import DataError, KerasDhnnError, MissingPackage
from keras_dhnn.files.checksums import LIST, damage, read_list
from keras_dhnn.pipelines.store.dataset_info import INFO_FILE, DatasetInfo
from keras_dhnn.progress import Bar, show_progress
from keras_dhnn.runs import Run

# As `saved_models.version.exporter` has it, which imports TensorFlow.
_OF_VERSION = f"assets.extra/{LIST}"
# As `archive.manifest` has it, which imports what an extra brings.
_OF_ARCHIVE = "archive.json"


class Verified(NamedTuple):
    """Describe what was read of one data set, run, archive or exported version.

    Attributes:
        path: its folder.
        kind: "data set", "run", "archive" or "version".
        files: how many were read and compared; 0 if it was made before there were lists to compare with.
        faults: what is wrong, a sentence each.
    """

    path: Path
    kind: str
    files: int
    faults: list[str]


def verify(path: Path | str, *, bar: Bar = show_progress) -> list[Verified]:
    """Read every file of the data sets, runs, exports and archives in and below a folder, and compare it with what was
    written.

    Args:
        path: of one of them, or of a folder of many, such as `data` or `runs`.
        bar: progress bar factory.

    Raises:
        DataError: if there is none.
        MissingPackage: if there is an archive, and not what reads it.
    """
    places = list(_places(Path(path)))
    if not places:
        raise DataError(
            f"There is no data set, run, export or archive in {path}. Expected a folder that prepare, fit, export or "
            "encode wrote, or one of such."
        )
    found = []
    with bar("Reading", len(places), "folder") as update:
        for done, (kind, place) in enumerate(places, 1):
            found.append(_verified(kind, place))
            update(done)
    return found


def _places(path):
    """Give (kind, folder) of what lies in a folder and below, by name; nothing hidden."""
    if (path / INFO_FILE).is_file():
        yield "data set", path
        return
    if (path / "saved_model.pb").is_file():
        yield "version", path
        return
    if (path / _OF_ARCHIVE).is_file():
        yield "archive", path
        return
    if (path / "experiment.json").is_file() and (path / "environment.json").is_file():
        yield "run", path
    for folder in sorted(path.iterdir()) if path.is_dir() else ():
        if folder.is_dir() and not folder.is_symlink() and folder.name[0] != ".":
            yield from _places(folder)


def _verified(kind, path):
    try:
        listed, faults = _READERS[kind](path)
    except MissingPackage:
        raise
    except KerasDhnnError as error:
        return Verified(path, kind, 0, [str(error)])
    return Verified(path, kind, listed, faults)


def _read_data_set(path: Path) -> tuple[int, list[str]]:
    info = DatasetInfo.load(path)
    files = (info.items_file, *info.shards)
    return len(files), [fault for fault in (file.damage(path, content=True) for file in files) if fault]


def _read_run(path: Path) -> tuple[int, list[str]]:
    listed = read_list(path)
    faults = damage(path, listed)
    if not faults:
        Run(path).experiment  # noqa: B018  is read, and so checked
    return len(listed), faults


def _read_version(path: Path) -> tuple[int, list[str]]:
    listed = read_list(path, _OF_VERSION)
    return len(listed), damage(path, listed)


def _read_archive(path: Path) -> tuple[int, list[str]]:
    from keras_dhnn.archive import Archive
    from keras_dhnn.archive.maintenance import verify as faults_of

    archive = Archive.open(path)
    return archive.info.files, list(map(str, faults_of(archive)))


_READERS: dict[str, Any] = {
    "data set": _read_data_set,
    "run": _read_run,
    "archive": _read_archive,
    "version": _read_version,
}
