"""Check what a zip's directory says before a byte of any member is unpacked."""

import stat
import zipfile
from collections.abc import Sequence
from pathlib import Path

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.formats.limits import Limits

_ENCRYPTED = 0x1


def check_members(path: Path, members: Sequence[tuple[str, zipfile.ZipInfo]], limits: Limits) -> None:
    """Refuse a zip that cannot be read safely: links, paths that lead outside, sizes beyond a bound, and the like.

    Args:
        path: the zip, for the message.
        members: (name, `zipfile.ZipInfo`) of all of them.
        limits: `Limits`.

    Raises:
        DataError: naming the first member at fault.
    """
    refused = f"{path} is not safe to read, and nothing of it was unpacked:"
    if len(members) > limits.files:
        raise DataError(f"{refused} it lists {len(members):,} members, where at most {limits.files:,} are allowed.")
    seen = set()
    for name, member in members:
        reason = "is listed twice" if name in seen else _danger(name, member, limits)
        if reason:
            raise DataError(f"{refused} its member {name!r} {reason}.")
        seen.add(name)
    total = sum(member.file_size for _, member in members)
    if total > limits.total_bytes:
        raise DataError(f"{refused} its members declare {_excess(total, limits.total_bytes)}.")


def _danger(name, member, limits):
    if name.startswith("/") or "\\" in name or name[1:2] == ":":
        return "is an absolute path, or one with a drive letter or backslashes"
    if ".." in name.split("/"):
        return "points outside of the archive"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a symbolic link"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted; unpack it yourself and give the folder"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Other methods cannot be unpacked within a bound on memory.
        return "is compressed otherwise than by deflate; unpack it yourself and give the folder"
    if member.file_size > limits.file_bytes:
        return f"declares {_excess(member.file_size, limits.file_bytes)}"
    return None


def _excess(size, limit):
    return f"{size:,} bytes, where at most {limit:,} are allowed"
