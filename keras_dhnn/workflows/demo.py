"""Show what this is: draw made-up images, encode them by a frozen network, open the page."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from keras_dhnn.archive import Archive
from keras_dhnn.archive.calibration import calibrate
from keras_dhnn.archive.manifest import IDENTITY
from keras_dhnn.archive.tiles.scenes import load_rasterio
from keras_dhnn.experiment.resolve import notice
from keras_dhnn.files import atomic_folder, system_error, user_cache
from keras_dhnn.pipelines.synthetic.ucmd_twin import UCMD_CLASSES, ucmd_image, write_ucmd
from keras_dhnn.progress import Bar, no_bar
from keras_dhnn.workflows.kept import DEMO

BACKBONE = "efficientnet_lite0"
_IMAGES, _SEED, _TILE = 12, 0, 256
# The scene is so many tiles wide and high, of 0.3 m pixels; where it lies is made up too.
_SCENE, _PIXEL, _PLACE, _SYSTEM = 6, 0.3, (500_000.0, 5_600_000.0), "EPSG:32632"
# Made-up images of other numbers than those of the classes' folders.
_FIRST = 1000


def demo(
    *,
    port: int = 8080,
    host: str = "127.0.0.1",
    allow_host: str | Iterable[str] = (),
    open_browser: bool = True,
    folder: Path | str | None = None,
    bar: Bar = no_bar,
    say: Callable[[str], None] = notice,
) -> None:
    """Draw a small archive of made-up images, encode it untrained, and serve its page until it is interrupted.

    Args:
        port: as of `browse`, as are host, allow_host and open_browser.
        host: address to listen at.
        allow_host: other names.
        open_browser: whether the browser is told to open it.
        folder: where the archive is kept, and found the next time; None: in the user's cache.
        bar: see `progress`.
        say: is told the address.

    Raises:
        DataError: if the folder cannot be written.
        SettingError: if the port is not free.
    """
    from keras_dhnn.workflows.browse import serve_page

    serve_page(
        lambda: make_demo(folder, bar=bar),
        port=port,
        host=host,
        allow_host=allow_host,
        open_browser=open_browser,
        synthetic=True,
        say=say,
    )


def make_demo(folder: Path | str | None = None, *, bar: Bar = no_bar) -> Path:
    """Return the folder of the demonstration's archive, which is made if it is not there; arguments as of `demo`."""
    root = Path(folder) if folder is not None else user_cache() / DEMO
    archive, images = root / "made-up", root / "images"
    if not images.exists():
        _draw(images, bar)
    if not (archive / IDENTITY).exists() or not Archive.open(archive).info.rows:
        from keras_dhnn.workflows.encode import encode

        encode(BACKBONE, [images], archive=archive, labels="folder", bar=bar)
        calibrate(Archive.open(archive))
    return archive


def _draw(images, bar):
    """Write the images, and where rasterio is there a scene."""
    placed = load_rasterio(required=False) is not None
    alone = len(UCMD_CLASSES) * _IMAGES
    with bar("Draw", alone + placed * _SCENE**2, "image") as update, atomic_folder(images) as place:
        write_ucmd(place, per_class=_IMAGES, seed=_SEED, progress=lambda done, total: update(done))
        if placed:
            _write_scene(place / "town.tif", lambda number: update(alone + number))


def _write_scene(path, progress):
    """Write a GeoTIFF of made-up tiles side by side, at a made-up place."""
    rasterio = load_rasterio()
    rng, side = np.random.default_rng(_SEED), _SCENE * _TILE
    scene = np.zeros((3, side, side), np.uint8)
    for number in range(_SCENE**2):
        row, col = (_TILE * place for place in divmod(number, _SCENE))
        tile = ucmd_image(_SEED, int(rng.integers(len(UCMD_CLASSES))), 48 * (_FIRST + number))
        scene[:, row : row + _TILE, col : col + _TILE] = tile.transpose(2, 0, 1)
        progress(number + 1)
    kind = {"driver": "GTiff", "tiled": True, "compress": "deflate", "count": 3, "dtype": "uint8"}
    place = rasterio.transform.from_origin(*_PLACE, _PIXEL, _PIXEL)
    try:
        with rasterio.open(path, "w", width=side, height=side, crs=_SYSTEM, transform=place, **kind) as raster:
            raster.write(scene)
    except rasterio.errors.RasterioIOError as error:  # it does not say why
        raise system_error(str(error), path) from error
