"""Draw what synthetic twins are drawn with: a canvas, patches of it in turned coordinates, lattices and noise.

Lengths are pixels, angles radians, colours a number a band from 0 to 255. Shapes are signed distances (negative
inside), so that their edges are smooth. Whole arrays at a time, and float32 throughout: an image takes milliseconds.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

SIDE = 257  # the largest side in the original archive; smaller images are cut from it
_Y, _X = np.mgrid[:SIDE, :SIDE].astype(np.float32) - SIDE // 2
_CELLS = 64  # draws of a lattice repeat after so many cells, farther apart than a picture is wide

Number = float | np.floating


class Canvas:
    """Paint a square picture of the ground, lit by one sun.

    Attributes:
        rng: the only source of chance.
        planes: `(bands, SIDE, SIDE)` float32, 0 to 255: by default red, green, blue.
        sun: (x, y) by how much one pixel of height displaces a shadow.
    """

    def __init__(self, rng: np.random.Generator, bands: int = 3) -> None:
        self.rng = rng
        self.planes = np.zeros((bands, SIDE, SIDE), np.float32)
        angle = rng.uniform(0, 2 * np.pi)
        self.sun = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.4, 1.2)

    def patch(self, angle: Number = 0.0, x: Number = 0.0, y: Number = 0.0, radius: Number | None = None) -> "Patch":
        """Return the part within `radius` of (x, y) from the centre (all of it by default), as a Patch turned by
        `angle`.
        """
        rows, columns = slice(None), slice(None)
        if radius is not None:
            rows, columns = (
                slice(*np.clip([at - radius + SIDE // 2, at + radius + 1 + SIDE // 2], 0, SIDE).astype(int))
                for at in (y, x)
            )
        across, down = _X[rows, columns] - np.float32(x), _Y[rows, columns] - np.float32(y)
        cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        sun = self.sun @ np.array([[cosine, -sine], [sine, cosine]])
        u, v = cosine * across + sine * down, cosine * down - sine * across
        return Patch(self.planes[:, rows, columns], u, v, sun)

    def ground(self, colour: ArrayLike, rough: Number = 0.12) -> None:
        """Cover everything with a material whose brightness varies by about `rough` at four scales."""
        scales = enumerate((80, 22, 7, 3))
        texture = sum(noise(self.rng, cell) * np.float32(rough / (1 + order / 2)) for order, cell in scales)
        self.planes[:] = np.reshape(colour, (-1, 1, 1)).astype(np.float32) * (1 + texture)


class Patch:
    """Paint part of a canvas in coordinates of its own: `u` along and `v` across, `(h, w)` float32."""

    def __init__(self, planes: np.ndarray, u: np.ndarray, v: np.ndarray, sun: np.ndarray) -> None:
        self.planes, self.u, self.v = planes, u, v
        self.sun = np.asarray(sun, np.float32)

    def paint(
        self, distance: np.ndarray, colour: ArrayLike, opacity: Number = 1.0, light: np.ndarray | None = None
    ) -> None:
        """Paint where the signed `distance` `(h, w)` is negative.

        Args:
            distance: `(h, w)`.
            colour: a number a band, or `(bands, h, w)`.
            opacity: 0 to 1.
            light: `(h, w)`, a factor on the colour.
        """
        mask = np.float32(0.5) - distance
        np.clip(mask, 0, np.float32(1), out=mask)
        mask *= np.float32(opacity)
        colours = np.asarray(colour, np.float32)
        for plane, band in zip(self.planes, colours, strict=True):  # one by one: they fit the cache
            plane += mask * ((band if light is None else band * light) - plane)

    def stand(
        self,
        shape: Callable[..., np.ndarray],
        colour: ArrayLike,
        height: Number,
        light: np.ndarray | None = None,
    ) -> None:
        """Paint `shape`, a function of (u, v) giving distances, as something `height` pixels high: shadow first."""
        along, across = self.sun * np.float32(height)
        own = shape(self.u, self.v)
        self.paint(np.minimum(shape(self.u - along, self.v - across), own), (22, 24, 32), 0.65)
        self.paint(own, colour, light=light)


class Lattice:
    """Repeat objects: cells of pitch `(pitch_u, pitch_v)`, each with draws and a displacement of its own.

    Attributes:
        u, v: `(h, w)` float32, position relative to the object of the pixel's cell.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        u: np.ndarray,
        v: np.ndarray,
        pitch_u: Number,
        pitch_v: Number,
        jitter: Number = 0.0,
    ) -> None:
        self.rng = rng
        i, j = np.floor(u * np.float32(1 / pitch_u)), np.floor(v * np.float32(1 / pitch_v))
        self.u = u - (i + np.float32(0.5)) * np.float32(pitch_u)
        self.v = v - (j + np.float32(0.5)) * np.float32(pitch_v)
        self.cell = (i.astype(np.intp) & (_CELLS - 1)) * _CELLS + (j.astype(np.intp) & (_CELLS - 1))
        if jitter:
            self.u -= self.draw(-jitter, jitter)
            self.v -= self.draw(-jitter, jitter)

    def draw(self, low: Number, high: Number) -> np.ndarray:
        """Return `(h, w)` float32, one uniform number a cell."""
        return self.rng.uniform(low, high, _CELLS**2).astype(np.float32)[self.cell]

    def vacant(self, share: Number) -> np.ndarray:
        """Return `(h, w)` float32 to add to distances: far outside in `share` of the cells, 0 in the others."""
        return np.where(self.rng.random(_CELLS**2) < share, np.float32(1e3), np.float32(0))[self.cell]

    def pick(self, colours: Sequence[ArrayLike] | np.ndarray, spread: Number = 0.15) -> np.ndarray:
        """Return `(bands, h, w)` float32: one of `colours` a cell, its brightness varied by up to `spread`."""
        table = np.asarray(colours, np.float32)[self.rng.integers(len(colours), size=_CELLS**2)]
        table *= self.rng.uniform(1 - spread, 1 + spread, (_CELLS**2, 1)).astype(np.float32)
        return np.stack([np.ascontiguousarray(band)[self.cell] for band in table.T])


def box(u: np.ndarray, v: np.ndarray, half_u: np.ndarray | Number, half_v: np.ndarray | Number) -> np.ndarray:
    """Return signed distance of a rectangle about the origin."""
    return np.maximum(np.abs(u) - half_u, np.abs(v) - half_v)


def disc(u: np.ndarray, v: np.ndarray, radius: Number) -> np.ndarray:
    """Return signed distance of a disc about the origin."""
    return np.sqrt(u * u + v * v) - radius


def frame(distance: np.ndarray, width: Number) -> np.ndarray:
    """Return signed distance of the outline, `width` wide, of a shape given by its distance."""
    return np.abs(distance) - width / 2


def wrap(u: np.ndarray, period: Number) -> np.ndarray:
    """Return the position in a period, from its middle: -period/2 to period/2. (`%` takes four times as long.)"""
    period = np.float32(period)
    return u - np.floor(u / period) * period - period / 2


def dashes(u: np.ndarray, period: Number, share: Number = 0.5) -> np.ndarray:
    """Return signed distance along `u` of dashes that take `share` of each period."""
    return np.abs(wrap(u, period)) - share * period / 2


def noise(rng: np.random.Generator, cell: Number) -> np.ndarray:
    """Return `(SIDE, SIDE)` float32, smooth, -1 to 1, with features of about `cell` pixels."""
    left, part = _knots(cell)
    knots = rng.uniform(-1, 1, (left[-1] + 2, left[-1] + 2)).astype(np.float32)
    rows = knots[:, left] + part * (knots[:, left + 1] - knots[:, left])
    return rows[left] + part[:, None] * np.diff(rows, axis=0)[left]


@functools.lru_cache
def _knots(cell):
    """Return of every pixel of a row the knot to its left, knots being `cell` pixels apart, and the next one's
    weight.
    """
    left, part = np.divmod(np.arange(SIDE) / cell, 1)
    return left.astype(int), (part * part * (3 - 2 * part)).astype(np.float32)
