"""Read scenes for the page: what cannot be read is refused."""

import contextlib
from collections.abc import Iterator

import numpy as np

from keras_dhnn.archive import rasters
from keras_dhnn.archive.rasters import Box, Scene
from keras_dhnn.browse.refusal import Refusal, not_found
from keras_dhnn.errors import DataError, SettingError

__all__ = ["Box", "Scene", "describe", "read_window"]


def describe(path: str) -> Scene:
    """Return what a scene's file says of itself; see `archive.rasters.describe`.

    Raises:
        Refusal: 404 if it cannot be read.
    """
    with _refusing():
        return rasters.describe(path)


def read_window(
    path: str, box: Box | None = None, *, bands: tuple[int, ...] | None = None, first: int | None = None, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a part of a scene and where it holds data; see `archive.rasters.read_window`.

    Raises:
        Refusal: 404 if it cannot be read, 400 if it has no such part or band, 413 if the part is too large.
    """
    with _refusing():
        return rasters.read_window(path, box, bands=bands, first=first, most=most)


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except rasters.TooLarge as error:
        raise Refusal(413, "too_large", str(error)) from error
    except SettingError as error:
        raise Refusal.of(error) from error
    except DataError as error:
        raise not_found(str(error)) from error
