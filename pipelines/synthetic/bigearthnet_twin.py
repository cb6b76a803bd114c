"""Write the synthetic twin of BigEarthNet-S2 version 2: made-up patches in the real layout of files and metadata.

No score on a twin may be set beside a published one; every report says "synthetic".
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile

from keras_dhnn.errors import MissingPackage, SettingError, invalid
from keras_dhnn.pipelines.datasets.bigearthnet import BANDS, CLASSES, IMAGES, METADATA, SIDE
from keras_dhnn.pipelines.synthetic.new_archive import new_archive

_TILES = ("33UUP", "29SNB", "34TDM", "35VNK")
# Of each sixteen patches, as of the original's blocks of neighbours: half train, a quarter validation and test each.
_PARTS = ("train",) * 8 + ("validation",) * 4 + ("test",) * 4


def write_bigearthnet(
    destination: Path | str, *, size: int = 600, seed: int = 0, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write `BigEarthNet-S2/<tile>/<patch>/<patch>_<band>.tif` and `metadata.parquet`.

    A patch shows one to four land covers side by side. Each has a spectrum and a texture of its own; light, haze and
    noise are those of the patch. A band of 20 or 60 m is the mean of what one of 10 m would be.

    Args:
        destination: folder to put them into; made if missing.
        size: patches.
        seed: whole number, 0 or more.
        progress: called as `progress(done, total)` after each patch.

    Returns:
        Path of `destination`.

    Raises:
        SettingError: for a number outside its bounds.
        DataError: if there is an archive already.
        MissingPackage: without pyarrow.
    """
    if not 2 <= size <= 100_000:
        raise SettingError(invalid("argument `size`", "a whole number from 2 to 100000", size))
    root = Path(destination)
    with new_archive(root / IMAGES) as images, new_archive(root / METADATA) as table:
        rows = [_write_patch(images, seed, number) for number in _counted(size, progress)]
        _write_table(table, rows)
    return root


def _counted(size: int, progress: Callable[[int, int], None] | None) -> Iterator[int]:
    for number in range(size):
        yield number
        if progress:
            progress(number + 1, size)


def _write_patch(images: Path, seed: int, number: int) -> tuple[str, list[str], str]:
    """Write the files of one patch, and return its row of the metadata."""
    name, (bands, labels) = patch_name(number), bigearthnet_patch(seed, number)
    folder = images / name.rsplit("_", 2)[0] / name
    folder.mkdir(parents=True)
    for band, pixels in bands.items():
        tifffile.imwrite(folder / f"{name}_{band}.tif", pixels, photometric="minisblack", metadata=None)
    return name, [CLASSES[label] for label in labels], _PARTS[number // 4 % 16]


def patch_name(number: int) -> str:
    """Return the name of a patch, of which the part before the last two numbers names the tile."""
    tile, place = number % len(_TILES), number // len(_TILES)
    return f"S2A_MSIL2A_2017061{3 + tile}T101031_N9999_R022_T{_TILES[tile]}_{place // 90:02d}_{place % 90:02d}"


def _write_table(path: Path, rows: list[tuple[str, list[str], str]]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackage("The metadata is Parquet. Run: pip install 'keras-dhnn[scale]'") from error
    names, labels, parts = zip(*rows, strict=True)
    columns = {"patch_id": names, "labels": labels, "split": parts, "country": ["Nowhere"] * len(rows)}
    pyarrow.parquet.write_table(pyarrow.table({name: list(column) for name, column in columns.items()}), path)


def bigearthnet_patch(seed: int, number: int) -> tuple[dict[str, np.ndarray], list[int]]:
    """Return one patch of the twin.

    Args:
        seed: whole number, 0 or more.
        number: of the patch, from 0.

    Returns:
        `({band: (H, W) uint16}, labels)`: 120, 60 or 20 pixels a side, and the numbers of its classes, sorted.
    """
    random = np.random.default_rng([seed, 23, number])
    chosen = random.choice(len(CLASSES), random.integers(1, 5), replace=False)
    cover = chosen[_regions(random, len(chosen))]
    spectra = np.stack([_spectrum(label) for label in range(len(CLASSES))])
    light, haze = random.uniform(0.8, 1.2), random.uniform(0, 300)
    patch = spectra[cover] * (1 + _texture(random, cover)[..., None]) * light + haze
    patch *= random.normal(1, 0.03, patch.shape)
    bands = {
        band: patch[..., place].reshape(SIDE // width, width, SIDE // width, width).mean(axis=(1, 3))
        for place, (band, width) in enumerate(BANDS.items())
    }
    stored = {band: np.clip(np.rint(of), 1, 65535).astype(np.uint16) for band, of in bands.items()}
    return stored, np.unique(cover).tolist()


def _regions(random: np.random.Generator, count: int) -> np.ndarray:
    """Return (120, 120) numbers below `count`: each pixel is of the nearest of some places, at least one of each."""
    places = random.uniform(0, SIDE, (3 * count, 2))
    grid = np.moveaxis(np.mgrid[:SIDE, :SIDE], 0, -1)[:, :, None]
    return ((grid - places) ** 2).sum(axis=-1).argmin(axis=-1) % count


def _spectrum(label: int) -> np.ndarray:
    """Return the reflectance of a class in each band, which changes smoothly from band to band."""
    random = np.random.default_rng([29, label])
    return 400 + 3600 * random.uniform() * np.exp(np.cumsum(random.normal(0, 0.2, len(BANDS))))


def _texture(random: np.random.Generator, cover: np.ndarray) -> np.ndarray:
    """Return (120, 120): waves whose length, direction and strength are those of the class."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    texture = np.zeros((SIDE, SIDE))
    for label in np.unique(cover):
        own = np.random.default_rng([31, label])
        angle, length, strength = own.uniform(0, np.pi), own.uniform(3, 24), own.uniform(0.02, 0.3)
        along = rows * np.cos(angle) + columns * np.sin(angle)
        wave = strength * np.sin(2 * np.pi * along / length + random.uniform(0, 2 * np.pi))
        texture = np.where(cover == label, wave, texture)
    return texture
