"""Write the synthetic twin of UC Merced: made-up images in the real on-disk format, for trials without the real data.

No score on a twin may be set beside a published one; every report says "synthetic".
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.pipelines.synthetic.canvas import Canvas
from keras_dhnn.pipelines.synthetic.new_archive import new_archive
from keras_dhnn.pipelines.synthetic.scenes import SCENES

UCMD_CLASSES = tuple(scene.__name__ for scene in SCENES)
# Some of the sizes that occur in the original, in pixels: height, width.
_ODD_SIZES = ((247, 247), (256, 253), (251, 256), (256, 255), (253, 256), (257, 257), (256, 242), (249, 256))


def write_ucmd(
    destination: Path | str,
    *,
    per_class: int = 100,
    seed: int = 0,
    classes: int = 21,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the twin of UC Merced Land Use: `UCMerced_LandUse/Images/<class>/<class>NN.tif`, uncompressed RGB uint8.

    An image depends on seed, class and number only. As in the original, 44 of 2,100 are not 256 x 256 (of each twin
    at least the second image of the first class). The archive appears whole or not at all.

    Args:
        destination: folder to put `UCMerced_LandUse` into; made if missing.
        per_class: images a class.
        seed: whole number, 0 or more.
        classes: how many of the 21 classes, in alphabetical order.
        progress: called as `progress(done, total)` after each image.

    Returns:
        Path of `UCMerced_LandUse`.

    Raises:
        SettingError: for a number outside its bounds.
        DataError: if `UCMerced_LandUse` is there already.
    """
    for name, value, most in (("per_class", per_class, 10_000), ("classes", classes, len(SCENES))):
        if not 1 <= value <= most:
            raise SettingError(invalid(f"argument `{name}`", f"a whole number from 1 to {most}", value))
    root = Path(destination) / "UCMerced_LandUse"
    with new_archive(root) as partial:
        _write_ucmd(partial, per_class, seed, classes, progress)
    return root


def _write_ucmd(root, per_class, seed, classes, progress):
    for label, name in enumerate(UCMD_CLASSES[:classes]):
        folder = root / "Images" / name
        folder.mkdir(parents=True)
        for number in range(per_class):
            image = ucmd_image(seed, label, number)
            tifffile.imwrite(folder / f"{name}{number:02d}.tif", image, photometric="rgb", metadata=None)
            if progress:
                progress(label * per_class + number + 1, classes * per_class)


def ucmd_image(seed: int, label: int, number: int) -> np.ndarray:
    """Return one image of the twin.

    Args:
        seed: whole number, 0 or more.
        label: 0 to 20, the class in alphabetical order.
        number: of the image in its class, from 0.

    Returns:
        `(H, W, 3)` uint8, H and W 256, or 242 to 257 in one image of 48.
    """
    rng = np.random.default_rng([seed, label, number])
    canvas = Canvas(rng)
    SCENES[label](canvas)
    height, width = _ODD_SIZES[rng.integers(len(_ODD_SIZES))] if has_odd_size(label, number) else (256, 256)
    planes = expose(canvas.planes, rng)[:, :height, :width]
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def has_odd_size(label: int, number: int) -> bool:
    """Return whether an image is not 256 x 256: true for 44 of 21 x 100, as in the original."""
    return (100 * label + number) % 48 == 1


def expose(planes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return what a camera makes of the ground: light, haze, gradation and noise of its own in every image.

    Args:
        planes: `(3, H, W)` float32, 0 to 255.
        rng: NumPy generator.

    Returns:
        `(3, H, W)` uint8.
    """
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.95, 1.05, (3, 1, 1))
    haze = rng.uniform(0, 0.3)
    grain = np.frombuffer(rng.bytes(planes.size), np.uint8).reshape(planes.shape)
    seen = planes * np.float32(gain * (1 - haze)) + np.float32(haze * 170)
    seen = (seen + np.roll(seen, 1, -1) * np.float32(0.35)) / np.float32(1.35)  # the optics blur a little
    seen += (grain - np.float32(127.5)) * np.float32(rng.uniform(0.01, 0.09))
    return np.clip(seen, 0, 255).astype(np.uint8)
