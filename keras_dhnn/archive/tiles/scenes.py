"""Cut GeoTIFF scenes of any size into tiles by windowed reads: a row of tiles in memory at a time."""

import contextlib
import functools
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np

from keras_dhnn.archive.geoparquet import snap
from keras_dhnn.archive.places import address, in_parts, is_address, local_copy
from keras_dhnn.archive.tiles.bands import Bands
from keras_dhnn.archive.tiles.tile import Form, Known, Skipped, Tile, content_of_files
from keras_dhnn.errors import DamagedFile, DataError, MissingPackage
from keras_dhnn.pipelines.formats.unreadable import HOLDS_NOTHING
from keras_dhnn.pipelines.read_ahead import read_ahead

# Tiles read at a time; of a wide scene a row is read in several steps.
_STRIP = 32
# Reading and decoding leave the processor to the network, which takes longer.
_THREADS = 2
# Of GDAL's own, in MB: it takes a twentieth of the machine's memory if it is not told.
_CACHE_MB = 128
# Its switches: no other file of the folder is looked at, and nothing is fetched.
OTHER_FILES = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none"}
# What is opened by which driver: a file is what its name says, whatever is in it.
_DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".vrt": "VRT", ".jp2": "JP2OpenJPEG"}
# Files that a scene may consist of, and bytes by which it is seen whether one of them names others.
_MOST_FILES, _HEAD = 10_000, 64
# Sides of tiles up to which it is known that a content is of the same file, cut otherwise.
_MOST_TILE = 1 << 13
# Parts of a pixel to which footprints are exact.
_PIXEL_PARTS = 64

# Is told, before a scene's first tile, what says whether a content is of the same file.
Begun = Callable[[Callable[[int | None], bool]], None]


@dataclass(frozen=True)
class Cut:
    """Describe how a scene is cut.

    Attributes:
        tile: side of a tile in pixels of the network's image.
        stride: pixels from one tile to the next; None: the tile's side.
        scales: whole numbers; at scale 2 a tile covers twice as many pixels a side, which are averaged in twos.
        bands: numbers of the bands from 1, in the order that the network takes; None: all, but opacity.
        empty: a tile is left out if more than this share of it holds no data.
        plain: whether a raster at no place on the ground is cut too, if it is twice as large as a tile.
    """

    tile: int = 256
    stride: int | None = None
    scales: tuple = (1,)
    bands: tuple | None = None
    empty: float = 0.5
    plain: bool = True

    def stride_by(self, scale: int) -> int:
        """Return pixels of the scene from one tile to the next at a scale."""
        return (self.stride or self.tile) * scale


@dataclass(frozen=True)
class Header:
    """Describe what is known of a scene before its pixels are read.

    Attributes:
        tiles: how many it is cut into.
        channels: number of their bands.
        dtype: their type.
    """

    tiles: int
    channels: int
    dtype: str


@dataclass(frozen=True)
class Scene:
    """Describe one scene.

    Attributes:
        path: of its file, or its address.
        name: by which its tiles are called.
        time: ISO 8601, or None: what the file says.
    """

    path: str
    name: str
    time: str | None = None

    @classmethod
    def of(cls, path: Path | str) -> "Scene":
        """Return the scene in a file or at an address, called as that is given."""
        if is_address(path):
            return cls(address(path), address(path))
        return cls(str(path), Path(path).as_posix())

    @property
    def place(self) -> str:
        """Return its address, or its path from the root on."""
        return self.path if is_address(self.path) else str(Path(self.path).absolute())


def is_scene(path: Path | str, cut: Cut) -> bool:
    """Return whether a file is a raster that is cut: one with a place on the ground, or see `Cut.plain`."""
    rasterio = load_rasterio(required=False)
    if Path(path).suffix.lower() not in _DRIVERS or rasterio is None:
        return False
    try:
        with _header(rasterio, path) as raster:
            large = cut.plain and max(raster.width, raster.height) >= 2 * cut.tile
            return large or raster.crs is not None or bool(raster.gcps[0])
    except rasterio.errors.RasterioError:
        return False


def read_headers(scenes: Iterable[Scene], cut: Cut) -> dict[str, Header | DamagedFile]:
    """Return `{name: header}` of scenes, of those that cannot be cut what is wrong with them."""
    found: dict[str, Header | DamagedFile] = {}
    for scene in scenes:
        try:
            found[scene.name] = read_header(scene, cut)
        except DamagedFile as error:
            found[scene.name] = error
    return found


def read_header(scene: Scene, cut: Cut) -> Header:
    """Return what a scene's header says: of one at an address little is read.

    Raises:
        DamagedFile: if it cannot be read, is at an address that cannot be reached, or lacks the bands that are wanted.
    """
    rasterio = load_rasterio()
    try:
        with _header(rasterio, scene.path) as raster:
            bands = Bands(raster)
            chosen = _chosen(bands, scene, cut)
            tiles = sum(len(rows) * len(cols) for _, _, rows, cols in _grids(raster.height, raster.width, cut))
            return Header(tiles, len(chosen), bands.dtype(chosen))
    except rasterio.errors.RasterioError as error:
        raise _no_raster(scene, error) from error


def scene_tiles(
    scene: Scene,
    form: Form,
    cut: Cut,
    known: Known,
    *,
    skip_damaged: bool = False,
    skipped: list[Skipped] | None = None,
    begun: Begun | None = None,
    ended: Callable[[], object] | None = None,
) -> Iterator[Tile | None]:
    """Cut a scene into tiles, row by row from its upper left corner.

    A remainder at the right or lower edge that is narrower than a tile is covered by a last tile that ends at the edge.
    A strip narrower than a tile (see `_is_strip`) is cut into squares as wide as it is; another raster that is smaller
    than a tile is one.
    Overviews are not read: larger scales average the full resolution. A scene at an address is copied to a temporary
    file, which is gone when the last tile has been read.

    Args:
        scene: `Scene`.
        form: `Form` of the images.
        cut: `Cut`.
        known: function of a list of ids that gives `{id: content}` of those that need not be read again.
        skip_damaged: whether a scene that cannot be read is left out, from where it cannot.
        skipped: list that gets a `Skipped` for it, and for one that gives no tile, which is none of an error.
        begun: called before the first tile with a function that says whether a content is that of a tile of the same
            file, however it was cut.
        ended: called when all of the scene has been read.

    Yields:
        `Tile`, or None for one that is known or empty.

    Raises:
        DamagedFile: if it cannot be read.
    """
    rasterio = load_rasterio()
    try:
        with _quietly(rasterio), _fetched(scene) as file:
            reader = _Reader(rasterio, scene, file, form, cut)
            yield from reader.tiles(known, begun)
            if ended is not None:
                ended()
            if skipped is not None and not reader.gives:
                skipped.append(Skipped(scene.name, reader.why_nothing()))
    except DamagedFile as error:
        if not skip_damaged:
            raise
        if skipped is not None:
            skipped.append(Skipped(scene.name, error.reason))


def load_rasterio(required: bool = True) -> Any:
    """Return the package rasterio.

    Raises:
        MissingPackage: if it is not installed and is required.
    """
    try:
        import rasterio
        import rasterio.errors
        import rasterio.transform
        import rasterio.warp
        import rasterio.windows
    except ImportError as error:
        if not required:
            return None
        raise MissingPackage("Cutting scenes needs rasterio: pip install 'keras-dhnn[geo]'") from error
    return rasterio


def offsets(length: int, side: int, stride: int) -> list[int]:
    """Return where tiles begin along a scene's side: every `stride` pixels, the last so that it ends at the edge."""
    if length < side:
        return []
    starts = list(range(0, length - side + 1, stride))
    if starts[-1] + side < length:
        starts.append(length - side)
    return starts


def _grids(height, width, cut):
    """Return (scale, (height, width) of a tile, rows, columns) of each scale."""
    if min(height, width) >= cut.tile:
        return [_grid(height, width, cut.tile * scale, cut.stride_by(scale), scale) for scale in cut.scales]
    if not _is_strip(height, width, cut.tile):
        return [(1, (height, width), [0], [0])]
    side = min(height, width)
    return [_grid(height, width, side, max(1, side * cut.stride_by(1) // cut.tile), 1)]


def _grid(height, width, side, stride, scale):
    return scale, (side, side), offsets(height, side, stride), offsets(width, side, stride)


def _is_strip(height, width, tile):
    """Return whether a raster is narrower than a tile, though not than a quarter of it, and at least twice as long."""
    side = min(height, width)
    return side < tile <= 4 * side and max(height, width) >= 2 * side


@contextlib.contextmanager
def _quietly(rasterio):
    """Let GDAL look at no other file of the folder and no network, take little memory, not mind files at no place."""
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=_CACHE_MB, **OTHER_FILES):
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield


@contextlib.contextmanager
def _header(rasterio, path):
    """Yield an open raster of which only the header is looked at: of an address little is read.

    Raises:
        DamagedFile: if it is at an address that cannot be reached.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quietly(rasterio))
        try:
            file = stack.enter_context(in_parts(path))
        except DataError as error:
            raise DamagedFile(str(path), str(error)) from error
        yield stack.enter_context(_open(rasterio, file, path))


def _open(rasterio, file, path):
    """Return an open raster, whose path or address is `path`.

    At an address nothing is opened that could name other files or addresses, as a VRT does.
    """
    apart = is_address(path)
    driver = _DRIVERS.get(Path(urlparse(str(path)).path if apart else path).suffix.lower(), "GTiff")
    return rasterio.open(file, driver="GTiff" if apart and driver == "VRT" else driver)


@contextlib.contextmanager
def _fetched(scene):
    """Yield a file of this machine with a scene.

    Raises:
        DamagedFile: if it cannot be fetched.
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(local_copy(scene.path))
        except DataError as error:
            raise DamagedFile(scene.name, str(error)) from error
        yield file


def _no_raster(scene, error):
    return DamagedFile(scene.name, f"is no raster that GDAL reads ({error})")


def _chosen(bands, scene, cut):
    """Return the numbers of the bands that are read."""
    chosen = list(cut.bands or bands.own)
    if not chosen:
        raise DamagedFile(scene.name, "has no band but its opacity")
    if max(chosen) > bands.count:
        raise DamagedFile(
            scene.name,
            f"has bands 1 to {bands.count}. Received: --bands {','.join(map(str, chosen))}",
            " Choose among them",
        )
    return chosen


def _is_vrt(name):
    if not os.path.isfile(name):
        return False
    with open(name, "rb") as file:
        return file.read(_HEAD).lstrip().startswith(b"<VRTDataset")


class _Reader:
    """Read one scene by several threads, each with the file open for itself."""

    def __init__(self, rasterio: Any, scene: Scene, file: Path, form: Form, cut: Cut):
        self.rasterio, self.scene, self.file, self.form, self.cut = rasterio, scene, file, form, cut
        self.local = threading.local()
        raster = self._raster()
        self.shape = raster.height, raster.width
        self.bands = Bands(raster)
        self.chosen = _chosen(self.bands, scene, cut)
        self.place = Place(rasterio, raster)
        self.time = scene.time or _time_of(raster)
        self.grids = _grids(raster.height, raster.width, cut)
        self.has_mask = self._has_mask(raster)
        # Whether any tile was given, or is known; and whether any pixel of the others holds data.
        self.gives = self.holds = False

    def tiles(self, known: Known, begun: Begun | None = None) -> Iterator[Tile | None]:
        """Yield the tiles of all scales."""
        content_of_cut = self._content()

        def content_by(tile: int) -> int:
            marks = " squares" * _is_strip(*self.shape, tile) + " colours" * (self.bands.table is not None)
            return content_of_cut(f"{self.chosen} {tile}{marks}".encode())

        content = content_by(self.cut.tile)
        if begun is not None:
            every = functools.cache(lambda: {content_by(tile) for tile in range(1, _MOST_TILE + 1)})
            begun(lambda held: held == content or held in every())
        strips = self._strips(known, content)
        for _, tiles in read_ahead(lambda strip: self._read(content, *strip), strips, threads=_THREADS):
            yield from tiles

    def why_nothing(self) -> str:
        """Return why the scene gave no tile."""
        if not any(rows and columns for _, _, rows, columns in self.grids):
            return f"gives no tile: it is smaller than one at --scales {','.join(map(str, self.cut.scales))}"
        if not self.holds:
            return HOLDS_NOTHING
        return f"gives no tile: more than {self.cut.empty:.0%} of each holds no data"

    def _strips(self, known: Known, content: int) -> Iterator[tuple[int, tuple[int, int], int, list[int | None]]]:
        """Yield (scale, shape, row, columns) of tiles side by side; columns of known tiles are None."""
        for scale, shape, rows, columns in self.grids:
            for row in rows:
                for first in range(0, len(columns), _STRIP):
                    strip = columns[first : first + _STRIP]
                    ids = [self._id(shape, row, col) for col in strip]
                    contents = known(ids)
                    new = [c if contents.get(i) != content else None for i, c in zip(ids, strip, strict=True)]
                    yield scale, shape, row, new

    def _content(self):
        """Return `content_of_files` of all files that the scene's pixels are in."""
        try:
            return content_of_files(self._files())
        except OSError as error:
            raise DamagedFile(self.scene.name, f"cannot be read ({error.filename}: {error.strerror})") from error

    def _files(self):
        """Return the scene's own file, and those that it names, as a VRT does its sources, which may be VRTs too."""
        found, waiting = {os.path.abspath(self.file): None}, [*self._raster().files]
        while waiting:
            name = os.path.abspath(waiting.pop(0))
            if name in found:
                continue
            if len(found) == _MOST_FILES:
                raise DamagedFile(self.scene.name, f"consists of more than {_MOST_FILES:,} files")
            found[name] = None
            if _is_vrt(name):
                try:
                    with self.rasterio.open(name) as raster:
                        waiting += raster.files
                except self.rasterio.errors.RasterioError as error:
                    raise _no_raster(self.scene, error) from error
        return list(found)

    def _read(self, content, scale, shape, row, columns):
        new = [col for col in columns if col is not None]
        tiles = [None] * (len(columns) - len(new))
        if tiles:
            self.gives = True
        if not new:
            return tiles
        pixels, valid = self._window(row, new[0], shape[0], new[-1] + shape[1] - new[0])
        for col in new:
            part = slice(col - new[0], col - new[0] + shape[1])
            holds = valid[:, part]
            if holds.any():
                self.holds = True
            if holds.mean() < 1 - self.cut.empty or not holds.any():
                tiles.append(None)
                continue
            self.gives = True
            image = self.form.fit(_averaged(fill_empty(pixels[:, part], holds), scale), self.scene.name)
            values = self._values(row, col, shape)
            corners = self.place.corners(row, col, shape)
            tiles.append(Tile(self._id(shape, row, col), content, image, values, corners))
        return tiles

    def _values(self, row, col, shape):
        place = {"row": row, "col": col, "size": max(shape), "crs": self.place.crs}
        return {"path": self.scene.place, "scene": self.scene.name, "time": self.time} | place

    def _id(self, shape, row, col):
        return f"{self.scene.name}#{shape[1]}/{row:06d}/{col:06d}"

    def _window(self, row, col, height, width):
        """Return pixels `(height, width, C)` and where they hold data `(height, width)` bool."""
        window, errors = self.rasterio.windows.Window(col, row, width, height), self.rasterio.errors
        try:
            raster = self._raster()
            pixels, shown = self.bands.read(raster, self.chosen, window=window)
            valid = raster.dataset_mask(window=window) if self.has_mask else None
        except errors.RasterioError as error:
            raise DamagedFile(self.scene.name, f"cannot be read at row {row}, column {col} ({error})") from error
        valid = np.ones((height, width), bool) if valid is None else valid > 0
        if shown is not None:
            valid &= shown
        if pixels.dtype.kind == "f":
            valid &= np.isfinite(pixels).all(axis=0)
        return np.moveaxis(pixels, 0, -1), valid

    def _has_mask(self, raster):
        every = [flag for flags in raster.mask_flag_enums for flag in flags]
        return any(flag != self.rasterio.enums.MaskFlags.all_valid for flag in every)

    def _raster(self):
        """Return this thread's own open file."""
        if not hasattr(self.local, "raster"):
            try:
                self.local.raster = _open(self.rasterio, self.file, self.scene.path)
            except self.rasterio.errors.RasterioError as error:
                raise _no_raster(self.scene, error) from error
        return self.local.raster


class Place:
    """Know where a scene's pixels lie on the ground, in longitude and latitude.

    Args:
        rasterio: the package.
        raster: the open scene.

    Attributes:
        crs: name of its reference system, or None.
    """

    def __init__(self, rasterio: Any, raster: Any):
        points, system = raster.gcps
        self.rasterio, self.system = rasterio, raster.crs or system or None
        self.points = None if raster.crs is not None or not points else rasterio.transform.GCPTransformer(points)
        self.transform = raster.transform
        self.crs = None if self.system is None else _crs_name(self.system)

    def corners(self, row: int, col: int, shape: tuple[int, int]) -> np.ndarray | None:
        """Return where the corners of a part are.

        Args:
            row: of the part's upper left pixel.
            col: likewise.
            shape: its height and width.

        Returns:
            `(4, 2)` longitude and latitude of the upper left, lower left, lower right and upper right corner; None
            where the scene is at no known place.
        """
        if self.system is None:
            return None
        rows = row + shape[0] * np.array([0.0, 1, 1, 0])
        cols = col + shape[1] * np.array([0.0, 0, 1, 1])
        if self.points is not None:
            x, y = self.points.xy(rows, cols, offset="ul")
        else:
            a, b, c, d, e, f = self.transform[:6]
            x, y = a * cols + b * rows + c, d * cols + e * rows + f
        corners = np.stack(self.rasterio.warp.transform(self.system, "OGC:CRS84", list(x), list(y)), axis=-1)
        pixel = float(np.linalg.norm(corners[1] - corners[0])) / shape[0]
        if not np.isfinite(corners).all() or not pixel:
            return None
        return snap(corners, pixel / _PIXEL_PARTS)


def _crs_name(system):
    code = system.to_epsg()
    return f"EPSG:{code}" if code else system.to_wkt()


def _time_of(raster):
    """Return ISO 8601 from the file's own tag, `2020:01:31 12:00:00`, or None."""
    text = raster.tags().get("TIFFTAG_DATETIME", "")
    date, _, clock = text.partition(" ")
    return f"{date.replace(':', '-')}T{clock}Z" if len(date) == 10 and clock else None


def fill_empty(pixels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return pixels without data as the lowest value of their band, as `image_file` does."""
    if valid.all():
        return pixels
    lowest = np.where(valid[..., None], pixels, pixels[valid].max(axis=0)).min(axis=(0, 1))
    return np.where(valid[..., None], pixels, lowest).astype(pixels.dtype)


def _averaged(pixels, scale):
    """Return means of squares of `scale` pixels a side, rounded in whole numbers."""
    if scale == 1:
        return np.ascontiguousarray(pixels)
    height, width, bands = pixels.shape
    blocks = pixels.reshape(height // scale, scale, width // scale, scale, bands)
    mean = blocks.mean(axis=(1, 3), dtype=np.float64 if pixels.dtype.kind == "f" else np.float32)
    return (np.rint(mean) if pixels.dtype.kind in "ui" else mean).astype(pixels.dtype)
