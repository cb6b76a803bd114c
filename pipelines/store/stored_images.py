"""Read images of a prepared data set, one after the other: for looking at them, not for training."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_dhnn.pipelines.sources import sources_of
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.record_store import open_records

_CHUNK = 64  # images read at a time


def read_images(
    info: DatasetInfo, numbers: Sequence[int] | np.ndarray, source: str | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Read stored images, a few at a time.

    Args:
        info: `DatasetInfo`.
        numbers: `(n,)` integers, numbers of stored images.
        source: name of the source; by default the one with the finest pixels.

    Yields:
        (number, image): in the order given; the image is `(H, W, C)` in the stored type.
    """
    records, source = open_records(info, memory_budget=0), source or sources_of(info)[0]
    for first in range(0, len(numbers), _CHUNK):
        chunk = numbers[first : first + _CHUNK]
        yield from zip(chunk, records.gather(tf.constant(chunk))[source].numpy(), strict=True)


def colours(image: np.ndarray, info: DatasetInfo, source: str | None = None) -> np.ndarray:
    """Return the red, green and blue bands of an image with three bands or more; others as they are; `source` as
    above.
    """
    return in_colour(image, info.rgb_bands_of(source or sources_of(info)[0]))


def in_colour(image: np.ndarray, bands: Sequence[int]) -> np.ndarray:
    """Return the bands of these numbers, from 1, of an image with three bands or more; others as they are."""
    # `take` lays bands beside one another, as every library wants pixels; indexing by a list lays planes.
    return np.take(image, np.subtract(bands, 1), axis=-1) if image.shape[-1] >= 3 else image
