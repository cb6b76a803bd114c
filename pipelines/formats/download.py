"""Download published archives, resumable, checked by size and checksum."""

import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from keras_dhnn.errors import DataError, SettingError, invalid
from keras_dhnn.files.checksums import checksum as checksum_of
from keras_dhnn.files.locks import lock

_CHUNK = 1 << 18
_PASSING = {408, 429, 500, 502, 503, 504}


class _BrokenConnection(Exception):
    """Say that another attempt is worth while."""


def download(
    url: str,
    path: Path | str,
    *,
    size: int,
    checksum: str,
    attempts: int = 5,
    pause: float = 2.0,
    timeout: float = 30.0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Download a file whose size and checksum are known, going on where an earlier, broken download ended.

    What has come is kept in `<path>.part`, never more than `size` bytes; the file gets its name when it is whole and
    right. If it is there already, nothing is downloaded.

    Args:
        url: http or https address; so are all that it redirects to.
        path: where to put the file.
        size: bytes that it must have.
        checksum: that it must have, as "sha256:<hexadecimal>" or "md5:<hexadecimal>".
        attempts: how often to connect, in all, while connections break.
        pause: seconds between two attempts.
        timeout: seconds without a byte after which a connection counts as broken.
        progress: called as `progress(done, size)`, in bytes.

    Returns:
        Path of the file.

    Raises:
        SettingError: if the address is not http or https.
        DataError: if it cannot be reached or answers with an error or another size; if connections keep breaking
            (what has come is kept for the next run); if the checksum differs (what has come is removed); or if the
            file cannot be written.
    """
    if not url.startswith(("http://", "https://")):
        raise SettingError(invalid("argument `url`", "an http or https address", url))
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        if path.is_file() and _checksum(path, checksum) == checksum:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "ab", opener=_no_link) as file:
            _lock(file, part)
            _fetch_all(url, file, size, attempts, pause, timeout, progress)
            os.fsync(file.fileno())
            _accept(url, part, path, checksum)
    except OSError as error:
        raise DataError(f"Cannot write {error.filename or part}: {error.strerror or error}.") from error
    return path


def _no_link(name, flags):
    """Open the part itself: what a link that stands in its place leads to is not written to."""
    return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _lock(file, part):
    try:
        lock(file.fileno())
    except BlockingIOError as error:
        raise DataError(f"Another process is downloading {part}. Wait until it has finished.") from error


def _fetch_all(url, file, size, attempts, pause, timeout, progress):
    for attempt in range(1, attempts + 1):
        try:
            return _fetch(url, file, size, timeout, progress)
        except _BrokenConnection as error:
            if attempt == attempts:
                raise DataError(
                    f"The download of {url} broke off after {file.tell():,} of {size:,} bytes: {error}. Run the same "
                    f"command again to go on from there. {_by_hand(url)}"
                ) from error
        time.sleep(pause)


def _fetch(url, file, size, timeout, progress):
    """Connect once, and appends to `file` until it has `size` bytes."""
    done = file.seek(0, os.SEEK_END)
    if done == size:
        return
    if done > size:
        done = file.truncate(0)
    with _connect(url, done, timeout) as response:
        done = file.truncate(_start(response, done, size, url))
        while done < size:
            if progress:
                progress(done, size)
            try:
                chunk = response.read(min(_CHUNK, size - done))
            except (OSError, http.client.HTTPException) as error:
                raise _BrokenConnection(str(error) or type(error).__name__) from error
            if not chunk:
                raise _BrokenConnection("the connection was closed")
            done += file.write(chunk)
    if progress:
        progress(done, size)


def _connect(url, done, timeout):
    headers = {"Accept-Encoding": "identity", "User-Agent": "keras-dhnn"}
    if done:
        headers["Range"] = f"bytes={done}-"
    # No handlers for file, ftp or data, so that no redirection leads there.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    try:
        return opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code in _PASSING:
            raise _BrokenConnection(f"the server answers {error.code} {error.reason}") from error
        raise DataError(
            f"Cannot download {url}: the server answers {error.code} {error.reason}. {_by_hand(url)}"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenConnection(str(getattr(error, "reason", error)) or type(error).__name__) from error


def _start(response, done, size, url):
    """Return at which byte the answer begins: `done` if the server honours the range, else 0."""
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status == 206 and span and int(span[1]) == done:
        found = span[2]
    elif response.status == 200:
        done, found = 0, response.headers.get("Content-Length", "*")
    else:
        raise DataError(f"Cannot download {url}: unexpected answer {response.status}. {_by_hand(url)}")
    if found not in ("*", str(size)):
        raise DataError(
            f"The file at {url} has changed: expected {size:,} bytes, the server has {int(found):,}. {_by_hand(url)}"
        )
    return done


def _accept(url, part, path, checksum):
    found = _checksum(part, checksum)
    if found != checksum:
        part.unlink()
        raise DataError(
            f"What came from {url} is not the published file: expected {checksum}, received {found}. It was removed. "
            f"Try again. {_by_hand(url)}"
        )
    os.replace(part, path)


def _checksum(path, like):
    """Return the checksum of a file by the same algorithm as `like`."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{checksum_of(path, algorithm)}"


def _by_hand(url):
    return f"Or fetch {url} by other means and give the file by --source."
