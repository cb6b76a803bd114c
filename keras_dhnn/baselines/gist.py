"""Compute GIST: how much energy an image has at each scale and orientation, in each of 4 x 4 blocks. 512 numbers."""

import functools

import numpy as np
from scipy import fft
from sklearn.base import BaseEstimator, TransformerMixin

from keras_dhnn.errors import SettingError, invalid

SCALES = 4
ORIENTATIONS = 8
BLOCKS = 4

# The largest centre frequency, in cycles a pixel, and its ratio from one scale to the next.
_FINEST, _RATIO = 0.3, 1.85
# Filters are computed where their gain is above this share of their largest.
_NEGLIGIBLE = 0.01
# Images whose spectra are held at once.
_CHUNK = 16


class Gist(TransformerMixin, BaseEstimator):
    """Describe images by their energies in 4 scales x 8 orientations x 4 x 4 blocks.

    An image is made grey (the mean of its bands), resized to a square, spread to 0..255 and prefiltered: `log(1 + x)`,
    less its low frequencies, over `0.2 +` its local standard deviation. Mirrored beyond its edges, it is then filtered
    at frequency f and angle t with the gain `exp(-3.5 (f / f_s - 1)^2 - 2 pi (t - t_o)^2)`, where
    `f_s = 0.3 / 1.85^s` cycles a pixel and `t_o = pi o / 8`; a feature is the mean over a block of the magnitude.

    A filter passes a small part of all frequencies, so that its response is computed from that part alone, at as many
    places as that part has frequencies: the magnitude does not depend on where the part lies.

    Args:
        size: height and width in pixels that images are resized to, a multiple of 4 and at least 32.

    References:
        Oliva, Torralba: Modeling the Shape of the Scene: A Holistic Representation of the Spatial Envelope.
        International Journal of Computer Vision 42(3), 2001; prefilter and filters with the settings that its authors'
        later code made usual.
    """

    def __init__(self, size: int = 128):
        self.size = size

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> "Gist":
        """Do nothing: there is nothing to learn. Returns the estimator itself."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the descriptors of images.

        Args:
            X: `(n, H, W, bands)` or `(n, H, W)` real, of any type and range.

        Returns:
            `(n, 512)` float32, in order of scale (finest first), orientation, block row, block column. Orientation o
            is that of waves that run at o * 22.5 degrees from the columns' axis towards the rows': 0 is vertical
            stripes, 4 horizontal ones.

        Raises:
            ValueError: if `X` has another number of axes, or `size` is no multiple of 4 from 32 on.
        """
        X = np.asarray(X)
        if X.ndim not in (3, 4):
            raise SettingError(invalid("argument `X`", "images of shape (n, H, W, bands) or (n, H, W)", shape=X.shape))
        filters = _filters(_checked_size(self.size))
        chunks = [X[start : start + _CHUNK] for start in range(0, len(X), _CHUNK)]
        described = [_energies(prefiltered(square(chunk, self.size)), filters) for chunk in chunks]
        return np.concatenate(described) if described else np.empty((0, SCALES * ORIENTATIONS * BLOCKS**2), np.float32)


def square(images: np.ndarray, size: int) -> np.ndarray:
    """Return grey images resized to a square and spread to 0..255.

    Args:
        images: `(n, H, W, bands)` or `(n, H, W)` real.
        size: height and width to resize to.

    Returns:
        `(n, size, size)` float32; an image of one value is 0.
    """
    grey = _mean_of_bands(images) if images.ndim == 4 else images.astype(np.float32)
    down, across = (_resizing(length, size) for length in grey.shape[1:])
    resized = down @ grey @ across.T
    low, high = resized.min(axis=(1, 2), keepdims=True), resized.max(axis=(1, 2), keepdims=True)
    # Less than that is rounding, which would be spread to noise.
    rounding = 8 * np.finfo(np.float32).eps * np.maximum(np.abs(low), np.abs(high))
    return np.where(high - low > rounding, (resized - low) * (255 / np.maximum(high - low, 1e-30)), np.float32(0))


def _mean_of_bands(images: np.ndarray) -> np.ndarray:
    # NumPy's own mean over a short last axis takes 20 times as long.
    total = images[..., 0].astype(np.float32)
    for band in range(1, images.shape[-1]):
        total += images[..., band]
    return total / images.shape[-1]


def prefiltered(images: np.ndarray) -> np.ndarray:
    """Return images with like contrast everywhere: `log(1 + x)`, less its low frequencies, over its local deviation.

    Low frequencies are what a Gaussian passes that halves amplitudes at 4 cycles an image; margins are mirrored.

    Args:
        images: `(n, s, s)` float32, from 0 on.

    Returns:
        `(n, s, s)` float32.
    """
    margin = 5
    widths = [(0, 0), (margin, margin), (margin, margin)]
    logarithm = np.pad(np.log1p(images), widths, mode="symmetric")
    sharp = logarithm - _low_frequencies(logarithm)
    deviation = np.sqrt(np.abs(_low_frequencies(np.square(sharp))))
    return (sharp / (0.2 + deviation))[:, margin:-margin, margin:-margin]


def _low_frequencies(images: np.ndarray, cycles: int = 4) -> np.ndarray:
    side = images.shape[-1]
    rows, columns = np.fft.fftfreq(side, 1 / side), np.fft.rfftfreq(side, 1 / side)
    gain = np.exp2(-(rows[:, None] ** 2 + columns**2) / cycles**2).astype(np.float32)
    return fft.irfft2(fft.rfft2(images, workers=-1) * gain, s=(side, side), workers=-1)


def _energies(images: np.ndarray, filters: list) -> np.ndarray:
    """Return `(n, 512)` float32 of images `(n, s, s)`, by `filters` of `_filters(s)`."""
    margin = images.shape[1] // BLOCKS
    spectra = fft.fft2(np.pad(images, [(0, 0), (margin,) * 2, (margin,) * 2], mode="symmetric"), workers=-1)
    spectra = fft.fftshift(spectra, axes=(1, 2))
    responses = [_block_means(spectra[:, rows, columns] * gain) for rows, columns, gain in filters]
    return np.stack(responses, axis=1).reshape(len(images), -1)


def _block_means(spectra: np.ndarray) -> np.ndarray:
    """Return `(n, 4, 4)` mean magnitudes of spectra `(n, w, w)` whose image is 6 x 6 blocks, the outer ones margin."""
    blocks = BLOCKS + 2
    magnitudes = fft.ifft2(spectra, workers=-1, overwrite_x=True)
    samples = spectra.shape[1] // blocks
    inner = np.abs(magnitudes[:, samples:-samples, samples:-samples])
    return inner.reshape(-1, BLOCKS, samples, BLOCKS, samples).mean(axis=(2, 4))


@functools.lru_cache(maxsize=4)
def _filters(size: int) -> list[tuple[slice, slice, np.ndarray]]:
    """Return, for each scale and orientation, the frequencies that pass and how.

    Args:
        size: side of the images, without the margins of a block's side each.

    Returns:
        A list of (slice of rows, slice of columns, gain `(w, w)` complex64), slices of a spectrum whose zero frequency
        is in the middle. The gain's phase puts samples in the middle of what they stand for.
    """
    blocks = BLOCKS + 2
    side = blocks * (size // BLOCKS)
    filters = []
    for scale in range(SCALES):
        gains = [transfer(side, scale, orientation) for orientation in range(ORIENTATIONS)]
        boxes = [[_extent(gain.max(axis=1 - axis)) for axis in (0, 1)] for gain in gains]
        needed = max(end - start for box in boxes for start, end in box)
        width = min(blocks * -(-needed // blocks), side)
        for gain, box in zip(gains, boxes, strict=True):
            rows, columns = (_window(extent, width, side) for extent in box)
            passed = gain[rows, columns] * (width / side) ** 2 * _centred_phase(width, side)
            filters.append((rows, columns, passed.astype(np.complex64)))
    return filters


def transfer(side: int, scale: int, orientation: int) -> np.ndarray:
    """Compute a filter's gain `(side, side)` float64 at each frequency, zero frequency in the middle."""
    frequencies = fft.fftshift(fft.fftfreq(side))
    rows, columns = np.meshgrid(frequencies, frequencies, indexing="ij")
    centre = _FINEST / _RATIO**scale
    turned = np.angle(np.exp(1j * (np.arctan2(rows, columns) - np.pi * orientation / ORIENTATIONS)))
    return np.exp(-3.5 * (np.hypot(rows, columns) / centre - 1) ** 2 - 2 * np.pi * turned**2)


def _extent(gains: np.ndarray) -> tuple[int, int]:
    """Return the first place where gains are not negligible, and the one after the last."""
    places = np.flatnonzero(gains > _NEGLIGIBLE * gains.max())
    return int(places[0]), int(places[-1]) + 1


def _window(extent: tuple[int, int], width: int, side: int) -> slice:
    """Return the slice of `width` places, within `side`, that has an extent in its middle."""
    start = min(max((sum(extent) - width) // 2, 0), side - width)
    return slice(start, start + width)


def _centred_phase(width: int, side: int) -> np.ndarray:
    """Return the factors `(w, w)` that move samples from the first pixel of what they stand for to its middle."""
    shift = (side / width - 1) / 2
    phase = np.exp(2j * np.pi * np.arange(width) * shift / side)
    return phase[:, None] * phase


@functools.lru_cache(maxsize=16)
def _resizing(length: int, size: int) -> np.ndarray:
    """Return the matrix `(size, length)` float32 that resizes: mean of what a pixel covers, linear where it grows."""
    centres = (np.arange(size) + 0.5) * (length / size)
    distances = np.abs(np.arange(length) + 0.5 - np.clip(centres, 0.5, length - 0.5)[:, None])
    covers = max(length / size, 1)
    weights = np.clip((covers + 1) / 2 - distances, 0, 1)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _checked_size(size: int) -> int:
    if not isinstance(size, int | np.integer) or size < 32 or size % BLOCKS:
        raise SettingError(invalid("argument `size`", f"a multiple of {BLOCKS} pixels, at least 32", size=size))
    return int(size)
