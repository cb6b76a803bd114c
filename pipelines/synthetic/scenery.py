"""Draw what the synthetic scenes are made of: materials, trees, houses, roads with traffic, and places to put them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.pipelines.synthetic.canvas import Canvas, Lattice, Number, Patch, box, dashes, frame, noise, wrap

GRASS, LAWN, DRY, SOIL = (92, 106, 70), (86, 122, 74), (156, 142, 110), (146, 120, 100)
ASPHALT, CONCRETE, SAND = (98, 98, 100), (172, 168, 158), (206, 192, 170)
TREE, SCRUB, WATER, SEA = (48, 66, 48), (76, 76, 58), (44, 60, 64), (78, 110, 114)
WHITE, GREY, RUST, CLAY, SLATE = (232, 230, 222), (140, 138, 136), (142, 98, 82), (168, 124, 104), (84, 86, 92)
YELLOW, SHADOW = (214, 190, 90), (22, 24, 32)
LAND, PAVED, ROOFS = (GRASS, LAWN, DRY, SOIL), (ASPHALT, CONCRETE), (GREY, CLAY, SLATE, WHITE, RUST, DRY)
CARS = (WHITE, GREY, (40, 42, 48), (60, 70, 110), (150, 44, 40), SAND)


def turn(rng: np.random.Generator) -> float:
    """Return any angle."""
    return rng.uniform(0, 2 * np.pi)


def one(rng: np.random.Generator, *colours: ArrayLike) -> np.ndarray:
    """Return one of the colours, as this scene happens to have it: brighter or darker, of a slightly other hue."""
    return np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.82, 1.18) * rng.uniform(0.97, 1.03, 3)


def places(rng: np.random.Generator, count: int, apart: Number, reach: Number = 100) -> list[np.ndarray]:
    """Return up to `count` places (x, y), each at least `apart` from the others in x or in y, at most `reach` off
    centre.
    """
    chosen: list[np.ndarray] = []
    for place in rng.uniform(-reach, reach, (60, 2)):
        if len(chosen) < count and all(np.abs(place - other).max() > apart for other in chosen):
            chosen.append(place)
    return chosen


def crowns(
    canvas: Canvas,
    pitch: Number,
    vacant: Number,
    size: tuple[Number, Number],
    colour: ArrayLike,
    relief: Number,
    away: np.ndarray | None = None,
) -> None:
    """Draw ragged round crowns, bright towards the sun and dark away from it, with shadows.

    Args:
        canvas: Canvas.
        pitch: mean distance between neighbours.
        vacant: share of the places without one.
        size: radius as a share of the pitch, smallest and largest, up to 0.45.
        colour: three numbers.
        relief: how much the light changes across a crown.
        away: `(SIDE, SIDE)` signed distance; none where it is negative.
    """
    rng = canvas.rng
    ground = canvas.patch(turn(rng), *rng.uniform(0, 99, 2))
    lattice = Lattice(rng, ground.u, ground.v, pitch, pitch, (0.5 - size[1]) * pitch)
    radius = lattice.draw(size[0] * pitch, size[1] * pitch)
    edge = np.float32(0.16 * pitch) * noise(rng, 4) + lattice.vacant(vacant) - radius
    if away is not None:
        edge[away < 0] = 1e3
    u, v, (along, across) = lattice.u, lattice.v, ground.sun * np.float32(0.2 * pitch)
    ground.paint(np.sqrt((u - along) ** 2 + (v - across) ** 2) + edge, SHADOW, 0.6)
    light = (u * ground.sun[0] + v * ground.sun[1]) / radius * np.float32(-0.5 * relief)
    light = (1 + np.clip(light, -0.5, 0.8)) * lattice.draw(0.8, 1.2)
    ground.paint(np.sqrt(u * u + v * v) + edge, colour, light=light)


def trees(canvas: Canvas, share: Number, away: np.ndarray | None = None) -> None:
    """Draw single trees of one kind on `share` of the places, none where the signed distance `away` is negative."""
    if share > 0.03:
        crowns(canvas, canvas.rng.uniform(18, 32), 1 - share, (0.2, 0.4), one(canvas.rng, TREE), 0.8, away)


def houses(
    canvas: Canvas, pitch: Number, size: tuple[Number, Number], street: Number, green: Number, vacant: Number
) -> None:
    """Draw rows of gabled houses along parallel streets, with gardens.

    Args:
        canvas: Canvas.
        pitch: distance from house to house.
        size: half a side of a house as a share of the pitch, smallest and largest.
        street: width of the streets.
        green: share of the places for trees that are taken.
        vacant: share of empty lots.
    """
    rng = canvas.rng
    canvas.ground(one(rng, *LAND, CONCRETE, SCRUB), 0.14)
    rows, deep = canvas.patch(turn(rng), *rng.uniform(-20, 20, 2)), pitch * rng.uniform(1, 1.25)
    lots = Lattice(rng, rows.u, rows.v, pitch, deep, 0.05 * pitch)
    half_u, half_v = lots.draw(*size) * np.float32(pitch), lots.draw(*size) * np.float32(deep - street / 2)
    missing, (along, across) = lots.vacant(vacant), rows.sun * 6
    rows.paint(box(lots.u - along, lots.v - across, half_u, half_v) + missing, SHADOW, 0.65)
    shape = box(lots.u, lots.v, half_u, half_v) + missing
    ridge = np.where(lots.draw(0, 1) < 0.5, lots.u, lots.v)
    roofs = np.array(ROOFS)[rng.choice(len(ROOFS), 3, replace=False)]
    rows.paint(shape, lots.pick(roofs), light=1 + np.float32(0.16) * np.sign(ridge))
    trees(canvas, green * rng.uniform(0.3, 1), away=shape - 4)
    rows.paint(np.abs(wrap(rows.v + np.float32(deep), 2 * deep)) - street / 2, one(rng, ASPHALT))


def gable(patch: Patch, offset: Number, half: Sequence[Number] | np.ndarray, colour: ArrayLike) -> None:
    """Draw one house, lit on one side of its ridge; `half` its half sides, `offset` along and across from the
    origin.
    """
    u, v = patch.u - np.float32(offset), patch.v - np.float32(offset)
    patch.stand(lambda u, v: box(u - np.float32(offset), v - np.float32(offset), *half), colour, 9)
    patch.paint(np.maximum(box(u, v, *half), v), SLATE, 0.35)


def carriageways(canvas: Canvas, angle: Number, offset: Number) -> None:
    """Draw two carriageways of two to four lanes with a median between them."""
    rng = canvas.rng
    road, lane, lanes = canvas.patch(angle), 12, rng.integers(2, 5)
    half, gap = lanes * lane / 2, rng.uniform(3, 18)
    road.paint(np.abs(road.v - offset) - 2 * half - gap - 8, one(rng, *PAVED, GREY), 0.8)
    if rng.random() < 0.6:
        road.paint(np.abs(road.v - offset) - gap, one(rng, *LAND))
    # Both ways at once, folded along the median; the shift of u gives each its own cars.
    road.u += np.where(road.v < offset, np.float32(1000), np.float32(0))
    road.v = np.abs(road.v - offset) - np.float32(half + gap)
    edge = np.abs(road.v) - half
    road.paint(edge, one(rng, *PAVED))
    road.paint(frame(edge + 1, 1.2), WHITE, 0.7)
    between = lane / 2 - 0.6 - np.abs(wrap(road.v + half, lane))
    road.paint(np.maximum(np.maximum(between, dashes(road.u, 30, 0.4)), edge + 3), WHITE, 0.7)
    traffic(rng, road, half, rng.uniform(0.8, 0.97))


def traffic(rng: np.random.Generator, road: Patch, half: Number, vacant: Number) -> None:
    """Draw cars in the lanes of a road that runs along u, `half` wide to each side."""
    lanes = Lattice(rng, road.u, road.v, 34, 12, 1.5)
    shape = np.maximum(box(lanes.u, lanes.v, lanes.draw(6, 9), 3) + lanes.vacant(vacant), np.abs(road.v) - half)
    road.paint(shape - 1.2, SHADOW, 0.4)
    road.paint(shape, lanes.pick(CARS, 0.2))


def blob(rng: np.random.Generator, patch: Patch, size: Number) -> np.ndarray:
    """Return signed distance of a rounded, lobed shape of about `size`."""
    angle = np.arctan2(patch.v, patch.u)
    lobes = sum(np.float32(rng.uniform(0, 0.25)) * np.sin(k * angle + np.float32(turn(rng))) for k in (1, 2, 3))
    stretched = patch.v * np.float32(rng.uniform(1, 1.8))
    return np.sqrt(patch.u**2 + stretched**2) - np.float32(size) * (1 + lobes)


def airframe(u: np.ndarray, v: np.ndarray, size: Number) -> np.ndarray:
    """Return signed distance of an aeroplane heading along u, `size` half its length: body, swept wing, tail."""
    aside, size = np.abs(v), np.float32(size)
    body = np.sqrt(np.maximum(np.abs(u) - 0.88 * size, 0) ** 2 + v * v) - 0.1 * size
    wing = np.maximum(np.abs(u + 0.55 * aside - 0.15 * size) - 0.16 * size + 0.1 * aside, aside - 0.9 * size)
    tail = np.maximum(np.abs(u + 0.8 * size + 0.5 * aside) - 0.08 * size, aside - 0.36 * size)
    return np.minimum(body, np.minimum(wing, tail))
