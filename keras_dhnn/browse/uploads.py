"""Take pictures that somebody looks for: an uploaded file, or a box on a scene. Each gets a key, under which it stays
known.
"""

import contextlib
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.archive import Queries
from keras_dhnn.browse.encoders import Encoders
from keras_dhnn.browse.pictures import draw_upload
from keras_dhnn.browse.refusal import Refusal, not_found
from keras_dhnn.errors import DamagedFile, DataError
from keras_dhnn.files import read_arrays, read_bytes, read_json, whole_file, write_arrays, write_json
from keras_dhnn.pipelines.formats.image_file import decode_image
from keras_dhnn.pipelines.formats.unreadable import UnreadableImage

# Of a decoded image.
MOST_DECODED = 1 << 27
_KEPT = 200
_SIDE = 512
_LONGEST_NAME = 200
_MOST_BYTES = 1 << 22


@dataclass(frozen=True)
class About:
    """Describe an uploaded picture.

    Attributes:
        name: of its file, or where on a scene it is.
        source: the image source that it was encoded as.
        height: in pixels.
        width: in pixels.
        bands: how many.
    """

    name: str
    source: str
    height: int
    width: int
    bands: int


class Uploads:
    """Encode pictures, and keep the latest of them in a folder.

    Args:
        folder: where they are kept; it need not exist.
        encoders: `Encoders`.
        bands: of images with more than three, those that are shown; None: the first three.
        wanted: gives the keys of those that are kept however many come after them.
    """

    def __init__(
        self,
        folder: Path,
        encoders: Encoders,
        bands: tuple[int, ...] | None = None,
        wanted: Callable[[], set[str]] = set,
    ):
        self._folder, self._encoders, self._bands, self._wanted = folder, encoders, bands, wanted
        self._guard = threading.Lock()
        self._known: OrderedDict[str, tuple[About, Queries, bytes]] = OrderedDict()

    def add_file(self, source: str, name: str, content: bytes) -> str:
        """Encode an image file, and return its key.

        Raises:
            Refusal: 415 if it is no image, 422 if it is none as the archive's, 413 if it is too large.
        """
        encoder = self._encoders.of(source)
        try:
            decoded = decode_image(content, MOST_DECODED)
        except UnreadableImage as error:
            raise _of_unreadable(name, str(error)) from error
        try:
            pixels = decoded.image(encoder.form.channels, encoder.form.dtype)
        except UnreadableImage as error:
            expected = "Expected an image as those of the archive, of any size."
            raise Refusal(422, "wrong_image", f"{name} {error}. {expected}{error.cure}") from error
        return self.add_pixels(source, name, pixels, content)

    def add_pixels(self, source: str, name: str, pixels: np.ndarray, content: bytes) -> str:
        """Encode an image `(H, W, C)`, and return its key; `content` is what makes it another than others."""
        encoder, name = self._encoders.of(source), name[:_LONGEST_NAME]
        try:
            image = encoder.form.fit(pixels, name)
        except DamagedFile as error:
            raise Refusal(422, "wrong_image", f"{name} {error.reason}.") from error
        queries = self._encoders.encode(source, image[None])
        about = About(name, source, *pixels.shape)
        key = hashlib.blake2b(repr((source, name)).encode() + content, digest_size=12).hexdigest()
        found = about, queries, draw_upload(pixels, self._bands, _SIDE)
        self._remember(key, found)
        with contextlib.suppress(OSError):  # a disk that is full: it is known until the server ends
            self._write(key, *found)
        return key

    def get(self, key: str) -> tuple[About, Queries, bytes]:
        """Return what a picture was, its `Queries`, and a small WebP file of it.

        Raises:
            Refusal: 404 if it is not known any more.
        """
        with self._guard:
            if key in self._known:
                return self._known[key]
        if not (key.isascii() and key.isalnum() and (self._folder / f"{key}.json").is_file()):
            raise not_found("This picture is not known any more. Drop the file again.")
        found = self._read(key)
        self._remember(key, found)
        return found

    def describe(self, key: str) -> dict[str, Any]:
        """Return what a page is told of a picture, a dictionary for JSON."""
        about, queries, _ = self.get(key)
        code = queries.codes[0].tobytes().hex()
        return {"upload": key, "code": code, "thumb": f"/api/upload-thumb?upload={key}", **asdict(about)}

    def _remember(self, key, found):
        with self._guard:
            self._known[key] = found
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)

    def _write(self, key, about, queries, picture):
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        named = {"codes": queries.codes, "outputs": queries.outputs, "features": queries.features}
        write_arrays(self._folder / f"{key}.npz", {name: one for name, one in named.items() if one is not None})
        with whole_file(self._folder / f"{key}.webp") as file:
            file.write(picture)
        write_json(self._folder / f"{key}.json", asdict(about))  # last: where it is, the others are
        kept = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        wanted = self._wanted() if len(kept) > _KEPT else set()
        for old in (path for path in kept[:-_KEPT] if path.stem not in wanted):
            for suffix in (".json", ".npz", ".webp"):
                old.with_suffix(suffix).unlink(missing_ok=True)

    def _read(self, key):
        try:
            kinds = {"name": str, "source": str, "height": int, "width": int, "bands": int}
            about = About(**read_json(self._folder / f"{key}.json", kinds, remedy="Drop the file again."))
            arrays = read_arrays(self._folder / f"{key}.npz", remedy="Drop the file again.")
            queries = Queries(arrays["codes"], arrays.get("outputs"), arrays.get("features"))
            return about, queries, read_bytes(self._folder / f"{key}.webp", _MOST_BYTES)
        except (DataError, OSError, KeyError, TypeError) as error:
            raise not_found("This picture is not known any more. Drop the file again.") from error


def _of_unreadable(name, reason):
    large = "at most" in reason
    return Refusal(413 if large else 415, "too_large" if large else "not_an_image", f"{name} {reason}.")
