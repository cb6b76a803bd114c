"""Make a panchromatic and a multispectral image of the same ground from one image, as Wald's protocol does.

The multispectral image is the original at a quarter of its resolution, the panchromatic one the mean of its bands at
full resolution: one is sharp and grey, the other coarse and in colour. Real images give a cross-source benchmark so,
where pairs of two sensors are not to be had. What it lacks of real pairs: noise, light and time are the same in both.

Reference: L. Wald, T. Ranchin and M. Mangolini, "Fusion of satellite images of different spatial resolutions: assessing
the quality of resulting images", Photogrammetric Engineering and Remote Sensing 63 (6), 1997.
"""

import dataclasses
import hashlib
from collections.abc import Iterator

import numpy as np

from keras_dhnn.pipelines.example import Archive, Example

PAN, MUL = "pan", "mul"
FACTOR = 4  # as between the sensors of Gaofen-1 (2 m and 8 m), and of most satellites with both


def derive_pairs(archive: Archive) -> Archive:
    """Return an archive of single images as one of pairs.

    Args:
        archive: Archive whose Examples have the one source `image`, `(H, W, C)`, H and W multiples of 4.

    Returns:
        Archive of the same items with the sources `pan`, `(H, W, 1)`, and `mul`, `(H / 4, W / 4, C)`.
    """

    def read(skipped: list[tuple[str, str]]) -> Iterator[Example]:
        for example in archive.read(skipped):
            image = example.images["image"]
            yield Example(example.id, example.label, {PAN: band_mean(image), MUL: area_average(image, FACTOR)})

    fingerprint = hashlib.sha256(f"{archive.origin['fingerprint']} pan, mul by {FACTOR}".encode()).hexdigest()
    return dataclasses.replace(archive, origin={**archive.origin, "fingerprint": fingerprint}, read=read, blocks=None)


def band_mean(image: np.ndarray) -> np.ndarray:
    """Return the mean of the bands of a uint8 image, rounded to the nearest whole number, halves up: (H, W, C) -> (H,
    W, 1).
    """
    bands = image.shape[2]
    total = image.sum(axis=2, keepdims=True, dtype=np.uint32)
    return ((2 * total + bands) // (2 * bands)).astype(np.uint8)


def area_average(image: np.ndarray, factor: int) -> np.ndarray:
    """Return means of squares of `factor` x `factor` pixels of a uint8 image, rounded likewise.

    Args:
        image: `(H, W, C)` uint8, H and W multiples of the factor.
        factor: side of the squares.

    Returns:
        `(H / factor, W / factor, C)` uint8.
    """
    height, width, bands = image.shape
    squares = image.reshape(height // factor, factor, width // factor, factor, bands)
    total, count = squares.sum(axis=(1, 3), dtype=np.uint32), factor**2
    return ((2 * total + count) // (2 * count)).astype(np.uint8)
