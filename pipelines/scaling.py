"""Scale pixels that are not 8 bits to 0 to 255, band by band: by percentiles, or as the user says."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.errors import DataError, SettingError, invalid

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_dhnn.pipelines.augment import Augment, Images

PERCENTILES = (1.0, 99.0)


def measure_scaling(pixels: Sequence[np.ndarray], percentiles: Sequence[float] = PERCENTILES) -> dict[str, list[float]]:
    """Return what becomes 0 and 255 in each band.

    Args:
        pixels: a list of `(n,)` arrays, one a band: a sample of its values, none of them empty.
        percentiles: (lower, upper), 0 to 100, which become 0 and 255.

    Returns:
        `{"low": [...], "high": [...]}`, a float a band; high is larger than low even if the band is constant.

    Raises:
        SettingError: for percentiles that are not in order.
    """
    if not 0 <= percentiles[0] < percentiles[1] <= 100:
        raise SettingError(
            invalid("argument `percentiles`", "two numbers from 0 to 100 in ascending order", percentiles)
        )
    bounds = [np.percentile(band, percentiles) if len(band) else (0.0, 1.0) for band in pixels]
    return _scaling(*np.transpose(bounds).astype(np.float64))


def given_scaling(bounds: Sequence[ArrayLike], bands: int) -> dict[str, list[float]]:
    """Return a scaling that the user chose.

    Args:
        bounds: (low, high), each a number for all bands or a list with one a band.
        bands: number of bands.

    Returns:
        As of `measure_scaling`.

    Raises:
        DataError: if there are not as many numbers as bands, or a high is not above its low.
    """
    try:
        low, high = (np.broadcast_to(np.asarray(bound, np.float64), (bands,)) for bound in bounds)
    except ValueError as error:
        sizes = " and ".join(str(np.size(bound)) for bound in bounds)
        raise DataError(
            f"Expected the values that become 0 and 255 as two numbers, or as two lists of {bands}, one a band. "
            f"Received lists of {sizes}."
        ) from error
    if not np.all(low < high):
        band = int(np.argmin(low < high))
        raise DataError(
            f"Expected the value that becomes 255 above the one that becomes 0. Received for band {band + 1}: "
            f"{low[band]:g} and {high[band]:g}."
        )
    return _scaling(low, high)


def describe_scaling(scaling: Mapping[str, Sequence[float]]) -> list[str]:
    """Return a line a band: what becomes 0 and 255."""
    pairs = zip(scaling["low"], scaling["high"], strict=True)
    return [f"band {number}: {low:g} to {high:g}" for number, (low, high) in enumerate(pairs, 1)]


def augment_scaled(augment: "Augment", scalings: Mapping[str, Mapping[str, Sequence[float]]] | None) -> "Augment":
    """Return an augmentation that works on 0 to 255, as one that works on stored units.

    Args:
        augment: `augment(images, seed)`, see `augment.augmentation`.
        scalings: `{source: scaling}` of the data set; None or a source left out is in 0 to 255 already.

    Returns:
        `augment(images, seed)`. What it cuts off at 0 and 255 the network would cut off too.
    """
    if not scalings:
        return augment
    units = {
        source: (np.asarray(scaling["low"], np.float32), np.float32(np.subtract(scaling["high"], scaling["low"]) / 255))
        for source, scaling in scalings.items()
    }

    def scaled(images: "Images", seed: "tf.Tensor") -> "Images":
        inputs = {
            source: (image - units[source][0]) / units[source][1] if source in units else image
            for source, image in images.items()
        }
        return {
            source: image * units[source][1] + units[source][0] if source in units else image
            for source, image in augment(inputs, seed).items()
        }

    return scaled


def _scaling(low, high):
    high = np.where(high > low, high, low + 1)
    return {"low": low.tolist(), "high": high.tolist()}
