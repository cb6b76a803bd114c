"""Draw the patches of the SAT-4 twin: land cover of four classes in red, green, blue and near infrared.

A patch of 28 x 28 pixels is a square of 28 m. Many are drawn at once: `planes` are (n, 4, 28, 28) float32 from 0 to
255, and every (n, 1, 1) array is one number a patch. Living plants are bright in near infrared and dark in red, bare
soil is a little brighter in near infrared than in red, water is black there. Light, season and mixed cover make the
classes overlap in colour, so that texture and shape are needed to tell them apart.
"""

import functools

import numpy as np

SIDE = 28
_AT = np.arange(SIDE, dtype=np.float32) - np.float32((SIDE - 1) / 2)

# Red, green, blue, near infrared.
LUSH, DRY = (82, 112, 74, 182), (146, 138, 106, 160)
LEAVES, BARE = (58, 82, 58, 158), (112, 104, 88, 128)
DARK_SOIL, LIGHT_SOIL = (98, 84, 70, 106), (188, 170, 146, 190)
WATER, MUDDY = (36, 56, 62, 20), (92, 96, 82, 48)
ASPHALT, CONCRETE = (86, 88, 90, 84), (178, 176, 170, 170)
_ROOFS = np.array([(150, 92, 74, 140), (120, 118, 116, 116), (196, 194, 190, 188), (84, 78, 76, 84)], np.float32)


def patches(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Draw patches.

    Args:
        rng: NumPy generator, the only source of chance.
        labels: (n,) class numbers: barren land, trees, grassland, none.

    Returns:
        (n, 4, 28, 28) uint8.
    """
    planes = _scenes(rng, labels)
    mixed = np.flatnonzero(rng.random(len(labels)) < 0.35)
    if len(mixed):
        # A border through the patch; the class is that of the larger part. What lies beyond is soil, trees or grass:
        # a corner of a house would make the patch one of the last class.
        others = (labels[mixed] + rng.integers(1, 3, len(mixed))) % 3
        along, _ = _turned(rng, len(mixed))
        share = _clip(along - _numbers(rng, len(mixed), 1.5, 12))[:, None]
        planes[mixed] += share * (_scenes(rng, others) - planes[mixed])
    return _exposed(rng, planes)


def _scenes(rng, labels):
    planes = np.empty((len(labels), 4, SIDE, SIDE), np.float32)
    for label, scene in enumerate(SCENES):
        rows = np.flatnonzero(labels == label)
        if len(rows):
            planes[rows] = scene(rng, len(rows))
    return planes


def barren_land(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return bare soil: ploughed, stony or washed out, with a few shrubs."""
    furrows = np.sin(_turned(rng, n)[0] * _numbers(rng, n, 1.0, 2.2)) * _numbers(rng, n, 0.02, 0.12)
    stones = _noise(rng, n, 1.6) * _numbers(rng, n, 0.03, 0.1)
    gullies = -np.abs(_noise(rng, n, 7)) * _numbers(rng, n, 0.02, 0.12)
    kind = _numbers(rng, n, 0, 1)
    light = np.where(kind < 0.4, furrows, gullies) + stones
    planes = _material(rng, n, DARK_SOIL, LIGHT_SOIL) * (1 + light + 0.04 * _noise(rng, n, 10))[:, None]
    return _wooded(rng, planes, 10, (0.9, 2.2), 0.2)


def trees(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return crowns side by side, each lit from one side, over ground in their shade."""
    ground = _material(rng, n, DARK_SOIL, LUSH) * (0.55 + 0.06 * _noise(rng, n, 2))[:, None]
    return _planted(rng, ground, 34, (2.2, 5.5))


def grassland(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return meadow, pasture or lawn: even, in patches of more and less green, some of it mown in stripes."""
    greener = np.subtract(LUSH, DRY, dtype=np.float32)[:, None, None]
    green = (_noise(rng, n, 9) * _numbers(rng, n, 0, 0.12))[:, None] * greener
    planes = _material(rng, n, DRY, LUSH) + green
    stripes = np.sin(_turned(rng, n)[0] * _numbers(rng, n, 0.6, 1.4)) * np.maximum(_numbers(rng, n, -0.12, 0.07), 0)
    planes *= (1 + stripes + _noise(rng, n, 1.3) * _numbers(rng, n, 0.01, 0.05))[:, None]
    return _wooded(rng, planes, 4, (1.2, 3.5), 0.15)


def none(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return everything else: houses, roads and water, mostly with soil, grass or trees around them."""
    planes = _scenes(rng, rng.integers(0, 3, n))
    kind = rng.random(n)
    wet, paved = np.flatnonzero(kind < 0.18), np.flatnonzero((kind > 0.12) & (kind < 0.65))
    along, across = _turned(rng, n)
    shore = _noise(rng, len(wet), 14) + along[wet] / 6 + _numbers(rng, len(wet), 0.5, 5)
    planes[wet] = _covered(planes[wet], _clip(shore), _material(rng, len(wet), WATER, MUDDY))
    road = _numbers(rng, len(paved), 1.5, 6) - np.abs(across[paved])
    planes[paved] = _covered(planes[paved], _clip(road), _material(rng, len(paved), ASPHALT, CONCRETE))
    for number in range(3):
        # Where there is neither, at least one house.
        built = np.flatnonzero((rng.random(n) < 0.55) | ((kind >= 0.65) & (number == 0)))
        u, v = (axis[built] - _numbers(rng, len(built), -11, 11) for axis in (along, across))
        planes[built] = _with_house(rng, planes[built], u, v)
    return planes


SCENES = (barren_land, trees, grassland, none)


def _with_house(rng, planes, along, across):
    """Return a gabled or flat roof in the middle of the coordinates given, and its shadow."""
    n = len(planes)
    length, width, shift = _numbers(rng, n, 3, 9), _numbers(rng, n, 2, 6), _numbers(rng, n, -2.5, 2.5)
    shadow = np.minimum(length - np.abs(along - shift), width - np.abs(across - shift))
    planes *= (1 - 0.6 * _clip(shadow))[:, None]
    roof = np.minimum(length - np.abs(along), width - np.abs(across))
    colour = _ROOFS[rng.integers(0, len(_ROOFS), n)][:, :, None, None] * _numbers(rng, n, 0.85, 1.15)[:, None]
    gable = 1 + np.sign(across) * _numbers(rng, n, 0, 0.18)
    return _covered(planes, _clip(roof), colour * gable[:, None])


def _wooded(rng, planes, most, radii, share):
    """Return plants, on a share of the patches, 1 to `most` round crowns each."""
    there = np.flatnonzero(rng.random(len(planes)) < share)
    planes[there] = _planted(rng, planes[there], most, radii, _numbers(rng, len(there), 1, most + 1))
    return planes


def _planted(rng, planes, most, radii, counts=None):
    """Return plants round crowns, lit from one side.

    Args:
        planes: (n, 4, 28, 28), the ground.
        most: crowns in a patch.
        radii: least and largest radius in pixels; in one patch they differ by up to a half.
        counts: (n, 1, 1), how many of them are there in each patch; None for all.
    """
    n = len(planes)
    radius = _numbers(rng, n, *radii)
    height = np.full((n, SIDE, SIDE), -1, np.float32)
    for number in range(most):
        wide = 1 / (radius * _numbers(rng, n, 0.7, 1.4))
        across, down = (((_AT - _numbers(rng, n, -15, 15)) * wide) ** 2 for _ in range(2))
        crown = (_numbers(rng, n, 0.8, 1.2) - across) - down.transpose(0, 2, 1)
        np.maximum(height, crown if counts is None else np.where(number < counts, crown, height), out=height)
    slope, (along_x, along_y) = np.zeros_like(height), _direction(rng, n)
    slope[:, 1:] += np.diff(height, axis=1) * along_y
    slope[:, :, 1:] += np.diff(height, axis=2) * along_x
    light = np.clip(slope * (radius / 6), -0.5, 0.5)
    light += np.clip(height, 0, 1) * np.float32(0.25) + np.float32(0.8)
    return _covered(planes, np.clip(4 * height, 0, 1), _material(rng, n, LEAVES, BARE, skew=2) * light[:, None])


def _material(rng, n, one, other, skew=1):
    """Return (n, 4, 1, 1): a colour between two for each patch, nearer to the first for a larger skew."""
    between = _numbers(rng, n, 0, 1) ** np.float32(skew)
    one, other = (np.float32(colour)[:, None, None] for colour in (one, other))
    return one + between[:, None] * (other - one)


def _covered(planes, opacity, colour):
    """Return `planes` under a colour, (n, 4, 1, 1) or as large as they are, of an opacity (n, 28, 28)."""
    planes += opacity[:, None] * (colour - planes)
    return planes


def _exposed(rng, planes):
    """Return what the camera makes of it: light, haze and noise of its own in every patch."""
    n = len(planes)
    gain = _numbers(rng, n, 0.72, 1.28)[:, None] * rng.uniform(0.93, 1.07, (n, 4, 1, 1)).astype(np.float32)
    planes *= gain
    planes += _numbers(rng, n, 0, 26)[:, None] * np.float32([0.8, 0.9, 1.0, 0.4])[:, None, None]
    grain = np.frombuffer(rng.bytes(planes.size), np.uint8).reshape(planes.shape) - np.float32(127.5)
    grain *= _numbers(rng, n, 0.02, 0.08)[:, None]
    planes += grain
    return np.clip(planes, 0, 255).astype(np.uint8)


def _numbers(rng, n, low, high):
    """Return (n, 1, 1) float32, uniform."""
    return rng.random((n, 1, 1), np.float32) * np.float32(high - low) + np.float32(low)


def _direction(rng, n):
    angle = _numbers(rng, n, 0, 2 * np.pi)
    return np.cos(angle), np.sin(angle)


def _turned(rng, n):
    """Return coordinates along and across a random direction, (n, 28, 28) pixels from the middle."""
    cosine, sine = _direction(rng, n)
    return cosine * _AT + sine * _AT[:, None], cosine * _AT[:, None] - sine * _AT


def _clip(distance):
    """Return the opacity of what is inside of a shape (positive distance), with a smooth edge."""
    return np.clip(distance + np.float32(0.5), 0, 1)


def _noise(rng, n, cell):
    """Return (n, 28, 28): smooth noise of unit variance with features of about `cell` pixels."""
    weights = _interpolation(cell)
    return weights @ rng.standard_normal((n, weights.shape[1], weights.shape[1]), np.float32) @ weights.T


@functools.cache
def _interpolation(cell):
    """Return (28, nodes): weights that make a row of pixels of a row of nodes, keeping the variance."""
    nodes = int(SIDE / cell) + 3
    apart = np.abs(np.arange(SIDE)[:, None] / cell + 1 - np.arange(nodes))
    weights = np.where(apart < 1.5, np.cos(apart * np.pi / 3) ** 2, 0)
    return (weights / np.sqrt((weights**2).sum(axis=1, keepdims=True))).astype(np.float32)
