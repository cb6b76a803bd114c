"""Decode what the members of a zip are called: packers of earlier days wrote names in the code page of their
country.
"""

import contextlib
import struct
import zipfile
import zlib

from keras_dhnn.errors import DataError

_IS_UTF8 = 0x800
_UNICODE_PATH = 0x7075  # Info-ZIP's second name of a member, in UTF-8
CODE_PAGES = ("gbk", "shift_jis", "cp949", "big5", "cp866", "cp850", "cp437", "cp1252")


def member_names(path: object, members: list[zipfile.ZipInfo], encoding: str | None = None) -> list[str]:
    """Return the names of members, in the order given.

    Args:
        path: of the zip, for the message.
        members: all of them.
        encoding: that names are written in which do not say it; by default UTF-8, which no code page looks like.

    Raises:
        DataError: if names are in a code page and nobody says which, or not in the one that was said.
    """
    names = [_said(member) for member in members]
    raw = [_bytes(member) for member in members]
    unsaid = [number for number, name in enumerate(names) if name is None]
    tried = encoding or "utf-8"
    try:
        for number in unsaid:
            names[number] = raw[number].decode(tried)
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(_ask(path, [raw[number] for number in unsaid], encoding)) from error
    return names


def _said(member):
    """Return the name of a member that says how it is written; else None."""
    if member.flag_bits & _IS_UTF8:
        return member.filename
    extra = member.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == _UNICODE_PATH and len(body) > 5 and body[0] == 1:
            with contextlib.suppress(UnicodeDecodeError):
                if zlib.crc32(_bytes(member)) == struct.unpack_from("<I", body, 1)[0]:
                    return body[5:].decode()
    return None


def _bytes(member):
    return member.orig_filename.encode("utf-8" if member.flag_bits & _IS_UTF8 else "cp437", "surrogateescape")


def _ask(path, raw, encoding):
    """Return the message, with what a name would be in each code page."""
    odd = next((name for name in raw if not name.isascii()), b"")
    readings = {}
    for page in CODE_PAGES:
        with contextlib.suppress(UnicodeDecodeError):
            text = odd.decode(page)
            if text.isprintable():
                readings[page] = text
    said = f"not {encoding}" if encoding else "neither ASCII nor UTF-8"
    lines = [f"Names in {path} are {said}. Say which code page they are in, by --zip-encoding. The first would be:"]
    return "\n".join([*lines, *(f"  {text}   with --zip-encoding {page}" for page, text in readings.items())])
