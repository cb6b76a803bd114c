"""Keep a folder of what can be made again within bounds: what was not used for longest makes room."""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

# Bytes that are left free on a disk.
_SPARE = 1 << 30


def files_in(folder: Path) -> dict[Path, os.stat_result]:
    """Return the files in a folder, which need not be there, with what the system says of them."""
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):  # another process removes the same
            if path.is_file():
                found[path] = path.stat()
    return found


def make_room(folder: Path, nbytes: int, most: int, keep: Iterable[Path] = ()) -> bool:
    """Remove what was not used for longest until so many bytes more are within a limit.

    A process that has a removed file open can use it to its end.

    Args:
        folder: of what can be made again.
        nbytes: to be written.
        most: bytes that the folder may take.
        keep: files that are to stay.

    Returns:
        Whether there is room, by the limit and on the disk; if not, nothing is removed.
    """
    keep = set(keep)
    stats = {path: stat for path, stat in files_in(folder).items() if path not in keep}
    kept = sum(path.stat().st_size for path in keep if path.is_file())
    total = sum(stat.st_size for stat in stats.values())
    free = shutil.disk_usage(_existing(folder)).free + total - _SPARE
    if nbytes + kept > most or nbytes > free:
        return False
    total += kept
    for path, stat in sorted(stats.items(), key=lambda item: item[1].st_mtime):
        if total + nbytes <= most and nbytes <= shutil.disk_usage(folder).free - _SPARE:
            break
        path.unlink(missing_ok=True)
        total -= stat.st_size
    return True


def _existing(folder):
    return folder if folder.is_dir() else _existing(folder.parent)
