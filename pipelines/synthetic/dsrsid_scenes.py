"""Draw the pairs of the DSRSID twin: land cover of eight classes at 2 m, in blue, green, red and near infrared.

Every scene draws onto a Canvas of four bands. Living plants are bright in near infrared, water is black there; in the
sum of the bands, which a panchromatic sensor sees, only form and texture are left to tell the classes apart. Colours,
light and mixed cover vary so much that no colour belongs to one class.
"""

import numpy as np

from keras_dhnn.pipelines.synthetic.canvas import Canvas, Lattice, box, noise, wrap
from keras_dhnn.pipelines.synthetic.scenery import turn

# Blue, green, red, near infrared.
CROP, MEADOW, DRY, SOIL = (52, 78, 58, 168), (60, 88, 76, 150), (92, 118, 132, 158), (84, 98, 116, 128)
TREE, CLEAR, MUDDY, GREEN_WATER = (40, 56, 46, 140), (62, 58, 40, 22), (84, 96, 92, 46), (58, 82, 62, 40)
ASPHALT, CONCRETE, ROOF, TILE = (88, 88, 86, 84), (150, 154, 156, 150), (122, 122, 120, 116), (82, 92, 130, 138)
WHITE, SHADOW = (214, 216, 218, 214), (26, 22, 20, 22)
LAND, WATERS, ROOFS = (CROP, MEADOW, DRY, SOIL), (CLEAR, MUDDY, GREEN_WATER), (CONCRETE, ROOF, TILE, WHITE)
_CLOUD = (236, 236, 238, 230)


def draw(rng: np.random.Generator, label: int) -> np.ndarray:
    """Draw the ground of one pair.

    Args:
        rng: NumPy generator, the only source of chance.
        label: 0 to 7, the class in the order of `dsrsid.CLASSES`.

    Returns:
        `(4, SIDE, SIDE)` float32, 0 to 255. Of two in five scenes a part, less than half, is of another class.
    """
    canvas = Canvas(rng, bands=4)
    SCENES[label](canvas)
    if rng.random() < 0.4:
        other = Canvas(rng, bands=4)
        # No clouds: where they are, the class is cloud, however thin.
        others = [number for number in range(len(SCENES)) if number not in (label, 1)]
        SCENES[rng.choice(others)](other)
        border = canvas.patch(turn(rng))
        border.paint(rng.uniform(15, 90) - border.v + 20 * noise(rng, 60), other.planes)
    return canvas.planes


def aquafarm(canvas: Canvas) -> None:
    """Draw ponds side by side, narrow dikes between them."""
    rng = canvas.rng
    canvas.ground(_one(rng, *LAND), 0.1)
    farm, long, wide = canvas.patch(turn(rng), *rng.uniform(-20, 20, 2)), rng.uniform(26, 70), rng.uniform(14, 34)
    ponds = Lattice(rng, farm.u + np.float32(0.3) * wrap(farm.v, 90), farm.v, long, wide)
    dike = rng.uniform(1, 4)
    shape = box(ponds.u, ponds.v, long / 2 - dike, wide / 2 - dike) + ponds.vacant(rng.uniform(0, 0.25))
    ripples = 1 + np.float32(0.06) * noise(rng, 6)
    farm.paint(shape, ponds.pick([_one(rng, *WATERS, CROP), _one(rng, *WATERS), _one(rng, *WATERS)], 0.3) * ripples)


def cloud(canvas: Canvas) -> None:
    """Draw clouds, thick or thin, over ground of any class."""
    rng = canvas.rng
    SCENES[rng.choice([0, 2, 4, 5, 6, 7])](canvas)
    billows = noise(rng, rng.uniform(50, 110)) + np.float32(0.5) * noise(rng, 26) + np.float32(0.22) * noise(rng, 9)
    depth = np.clip((billows + np.float32(rng.uniform(0.1, 1.2))) * np.float32(rng.uniform(0.6, 2)), 0, 1)
    light = np.float32(rng.uniform(0.65, 1)) * (1 + np.float32(0.12) * noise(rng, 30))
    canvas.planes += depth * (np.reshape(np.asarray(_CLOUD, np.float32), (4, 1, 1)) * light - canvas.planes)


def forest(canvas: Canvas) -> None:
    """Draw crowns of a few metres on hills that light and shade show, with clearings."""
    rng = canvas.rng
    canvas.ground(_one(rng, TREE, TREE, MEADOW), 0.06)
    crowns = noise(rng, rng.uniform(2.2, 4.5)) * np.float32(rng.uniform(0.12, 0.4))
    hills = noise(rng, rng.uniform(40, 100)) * np.float32(rng.uniform(0, 0.4))
    canvas.planes *= 1 + crowns + hills
    if rng.random() < 0.5:
        land = canvas.patch()
        land.paint((noise(rng, 50) + rng.uniform(0.2, 0.6)) * 25, _one(rng, *LAND))
    _road(canvas, 0.25)


def high_building(canvas: Canvas) -> None:
    """Draw towers and slabs with long shadows, streets between them."""
    rng = canvas.rng
    town, pitch = _town(canvas, rng.uniform(26, 52))
    blocks = Lattice(rng, town.u, town.v, pitch, pitch * rng.uniform(0.7, 1.3), 0.08 * pitch)
    half_u, half_v = blocks.draw(0.14, 0.38) * np.float32(pitch), blocks.draw(0.12, 0.26) * np.float32(pitch)
    _houses(blocks, town, (half_u, half_v), rng.uniform(0.05, 0.4), height=rng.uniform(5, 16))


def low_building(canvas: Canvas) -> None:
    """Draw small houses in rows, some fields left among them."""
    rng = canvas.rng
    town, pitch = _town(canvas, rng.uniform(11, 24))
    lots = Lattice(rng, town.u, town.v, pitch, pitch * rng.uniform(0.8, 1.2), 0.1 * pitch)
    half_u, half_v = lots.draw(0.22, 0.4) * np.float32(pitch), lots.draw(0.2, 0.36) * np.float32(pitch)
    _houses(lots, town, (half_u, half_v), rng.uniform(0.05, 0.45), height=rng.uniform(1, 4))


def farm_land(canvas: Canvas) -> None:
    """Draw fields of several crops and stages, some in furrows, with paths and a few trees."""
    rng = canvas.rng
    canvas.ground(_one(rng, *LAND), 0.08)
    farm, long, wide = canvas.patch(turn(rng)), rng.uniform(40, 130), rng.uniform(14, 60)
    fields = Lattice(rng, farm.u + 12 * noise(rng, 90), farm.v + 6 * noise(rng, 90), long, wide)
    path = rng.uniform(0.4, 2)
    shape = box(fields.u, fields.v, long / 2 - path, wide / 2 - path)
    furrows = np.sin(farm.v * np.float32(rng.uniform(0.5, 1.6))) * fields.draw(0, rng.uniform(0, 0.16))
    crops = [_one(rng, *LAND, TREE) for _ in range(3)] + [_one(rng, *LAND, *WATERS)]
    farm.paint(shape, fields.pick(crops, 0.25) * (1 + furrows), rng.uniform(0.5, 1))
    _road(canvas, 0.4)


def river(canvas: Canvas) -> None:
    """Draw water between two banks, through fields, woods or houses."""
    rng = canvas.rng
    SCENES[rng.choice([2, 4, 5, 5])](canvas)
    bed = canvas.patch(turn(rng), *rng.uniform(-20, 20, 2))
    bank = np.abs(bed.v + rng.uniform(10, 60) * noise(rng, 110) + 4 * noise(rng, 25)) - rng.uniform(8, 46)
    bed.paint((bank - rng.uniform(1, 9)) / 2, _one(rng, *LAND, CONCRETE), 0.8)
    bed.paint(bank, _one(rng, *WATERS), light=_ripples(rng))


def water(canvas: Canvas) -> None:
    """Draw lake or sea, with currents, boats, and in many a shore."""
    rng = canvas.rng
    canvas.ground(_one(rng, *LAND), 0.12)
    if rng.random() < 0.5:
        SCENES[rng.choice([0, 2, 4, 5])](canvas)
    lake = canvas.patch(turn(rng))
    shore = rng.uniform(-150, -25) + lake.v + 24 * noise(rng, 80) + 5 * noise(rng, 20)
    lake.paint(np.asarray(shore, np.float32) / 2, _one(rng, *WATERS), light=_ripples(rng))
    boats = Lattice(rng, lake.u, lake.v, 40, 40, 14)
    hull = box(boats.u, boats.v, boats.draw(2, 5), 1.2) + boats.vacant(rng.uniform(0.8, 1))
    lake.paint(np.maximum(hull, shore), WHITE, 0.8)


SCENES = (aquafarm, cloud, forest, high_building, low_building, farm_land, river, water)


def _one(rng, *colours):
    """Return one of the colours, as this scene happens to have it: brighter or darker, of a slightly other hue."""
    return np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.72, 1.28) * rng.uniform(0.9, 1.1, 4)


def _ripples(rng):
    """Return the light on water, (SIDE, SIDE): currents and waves."""
    currents = noise(rng, rng.uniform(30, 100)) * np.float32(rng.uniform(0, 0.25))
    return 1 + currents + noise(rng, rng.uniform(2, 5)) * np.float32(rng.uniform(0, 0.12))


def _town(canvas, pitch):
    """Return the ground of a town, and its streets: a Patch along them, and the pitch of its lots."""
    rng = canvas.rng
    canvas.ground(_one(rng, ASPHALT, CONCRETE, SOIL, MEADOW, TREE), 0.14)
    town = canvas.patch(turn(rng), *rng.uniform(-30, 30, 2))
    street = np.minimum(np.abs(wrap(town.u, 4 * pitch)), np.abs(wrap(town.v, 3 * pitch))) - rng.uniform(1.5, 4)
    town.paint(street, _one(rng, ASPHALT, CONCRETE))
    return town, pitch


def _houses(lots, town, halves, vacant, height):
    """Draw roofs of half sides `halves`, and their shadows; none on a share `vacant` of the lots."""
    rng, missing = lots.rng, lots.vacant(vacant)
    along, across = town.sun * np.float32(height)
    town.paint(box(lots.u - along, lots.v - across, *halves) + missing, SHADOW, 0.65)
    roofs = [_one(rng, *ROOFS) for _ in range(3)]
    light = 1 + np.float32(rng.uniform(0, 0.14)) * np.sign(lots.v)
    town.paint(box(lots.u, lots.v, *halves) + missing, lots.pick(roofs), light=light)


def _road(canvas, share):
    """Draw a road across the scene, on a share of the scenes."""
    rng = canvas.rng
    if rng.random() < share:
        road = canvas.patch(turn(rng), *rng.uniform(-90, 90, 2))
        road.paint(np.abs(road.v + 8 * noise(rng, 90)) - rng.uniform(1.2, 3), _one(rng, ASPHALT, CONCRETE, DRY))
