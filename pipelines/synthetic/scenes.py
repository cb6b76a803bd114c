"""Draw land-use classes of UC Merced: what tells them apart is form and arrangement, hardly colour.

Every function draws one random scene of the class that it is named after onto a Canvas, at about 0.3 m a pixel.
"""

import numpy as np

from keras_dhnn.pipelines.synthetic.canvas import Canvas, Lattice, box, dashes, disc, frame, noise, wrap
from keras_dhnn.pipelines.synthetic.scenery import (
    ASPHALT,
    CARS,
    CLAY,
    CONCRETE,
    DRY,
    GRASS,
    GREY,
    LAND,
    LAWN,
    PAVED,
    ROOFS,
    RUST,
    SAND,
    SCRUB,
    SEA,
    SHADOW,
    SLATE,
    SOIL,
    TREE,
    WATER,
    WHITE,
    YELLOW,
    airframe,
    blob,
    carriageways,
    crowns,
    gable,
    houses,
    one,
    places,
    traffic,
    trees,
    turn,
)


def agricultural(canvas: Canvas) -> None:
    rng = canvas.rng
    soil, angle = one(rng, *LAND, ASPHALT, SCRUB), turn(rng)
    canvas.ground(soil, 0.1)
    crops = soil * rng.choice([0.7, 0.8, 1.25, 1.4]) * rng.uniform(0.94, 1.06, 3)
    for edge in (-300, rng.uniform(-60, 400)):  # in some a second field, ploughed another way
        field = canvas.patch(angle)
        bend = np.float32(rng.uniform(0, 8)) * noise(rng, 60)
        field.paint(edge - field.u, soil)
        rows = np.sin((field.v + bend) * np.float32(2 * np.pi / rng.uniform(4.5, 15)))
        field.paint(np.maximum(edge - field.u, -6 * rows), crops, rng.uniform(0.6, 1))
        angle += rng.uniform(0.4, 1.6)


def airplane(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *PAVED, DRY), 0.06)
    apron = canvas.patch(turn(rng))
    apron.paint(frame(box(wrap(apron.u, 50), wrap(apron.v, 50), 25, 25), 1.5), ASPHALT, 0.4)
    if rng.random() < 0.5:
        apron.paint(rng.uniform(50, 110) - apron.v, one(rng, *LAND))
    heading = turn(rng)
    for x, y in places(rng, rng.integers(1, 5), 72, 70):
        size = rng.uniform(38, 62)
        plane = canvas.patch(heading + rng.normal(0, 0.3), x, y, 90)
        plane.stand(lambda u, v, size=size: airframe(u, v, size), one(rng, WHITE, WHITE, GREY), 7)


def baseballdiamond(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *LAND), 0.1)
    infield, size = canvas.patch(turn(rng), *rng.uniform(-30, 30, 2)), rng.uniform(55, 95)
    u, v, dirt = infield.u + np.float32(size / 2), infield.v, one(rng, SAND, CLAY, DRY, SOIL)
    if rng.random() < 0.7:
        field = np.maximum(disc(u, v, size * rng.uniform(1.8, 2.4)), np.abs(v) - u - 12)
        infield.paint(field, one(rng, LAWN, GRASS))
        infield.paint(frame(field, 4), dirt, 0.8)
    infield.paint(np.maximum(disc(u - 0.6 * size, v, 0.85 * size), np.abs(v) - u - 10), dirt)
    if rng.random() < 0.75:
        infield.paint(np.abs(u - 0.62 * size) + np.abs(v) - 0.5 * size, one(rng, LAWN, GRASS))
        infield.paint(disc(u - 0.62 * size, v, 0.09 * size), dirt)
    infield.paint(disc(u, v, 0.16 * size), dirt)
    trees(canvas, rng.uniform(0, 0.3), away=disc(u - 60, v, 110))


def beach(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, SAND, DRY, SAND), 0.05)
    shore = canvas.patch(turn(rng))
    depth = shore.v + 14 * noise(rng, 90) + 5 * noise(rng, 24) + np.float32(rng.uniform(-50, 50))
    shore.paint((18 - depth) / 24, SOIL, 0.45)  # wet sand
    shore.paint((12 - depth) / 16, one(rng, SEA, WATER, GRASS))
    foam = noise(rng, 14) + np.float32(0.7) * noise(rng, 5)
    for line in rng.uniform(8, 90, rng.integers(1, 5)):
        breaker = np.abs(depth - np.float32(line) - 8 * noise(rng, 40)) - rng.uniform(3, 16)
        shore.paint(np.maximum(breaker / 2, -4 * foam - 1.5), WHITE, rng.uniform(0.5, 0.95))


def buildings(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *PAVED, GRASS), 0.1)
    trees(canvas, rng.uniform(0.05, 0.35))
    angle = turn(rng)
    for x, y in places(rng, rng.integers(2, 6), 88):
        half, wing = rng.uniform(26, 52, 2).astype(np.float32), np.float32(rng.uniform(0.3, 0.8))
        roof = canvas.patch(angle, x, y, 110)

        def outline(u: np.ndarray, v: np.ndarray, half: np.ndarray = half, wing: np.float32 = wing) -> np.ndarray:
            return np.minimum(box(u, v, half[0], half[1] * wing), box(u + half[0] / 2, v, half[0] / 2, half[1]))

        roof.stand(outline, one(rng, WHITE, GREY, CONCRETE, CLAY, SAND), rng.uniform(8, 26))
        within = outline(roof.u, roof.v) + 3
        roof.paint(frame(within, 1.5), SLATE, 0.5)
        units = Lattice(rng, roof.u, roof.v, 15, 15, 4)
        unit = box(units.u, units.v, units.draw(1, 4), 2.5) + units.vacant(0.6)
        roof.paint(np.maximum(unit, within + 3), units.pick((WHITE, SLATE)), 0.9)


def chaparral(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, SAND, DRY, SOIL, CLAY, SCRUB), 0.14)
    pitch, bush = rng.uniform(10, 19), one(rng, SCRUB, TREE, GRASS)
    for share in rng.uniform(0.25, 0.8, 2):
        crowns(canvas, pitch, 1 - share, (0.12, 0.38), bush, 0.5)
    if rng.random() < 0.3:
        track = canvas.patch(turn(rng), *rng.uniform(-60, 60, 2))
        track.paint(np.abs(track.v + 10 * noise(rng, 80)) - 3, SAND, 0.7)


def denseresidential(canvas: Canvas) -> None:
    houses(canvas, canvas.rng.uniform(27, 36), (0.36, 0.46), street=11, green=0.35, vacant=0.03)


def forest(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, TREE, TREE, SCRUB), 0.2)
    leaf, pitch = one(rng, TREE, GRASS, SCRUB), rng.uniform(15, 28)
    for scale in (1, 0.85, 0.7):
        crowns(canvas, pitch * scale, rng.uniform(0.05, 0.25), (0.3, 0.45), leaf * rng.uniform(0.9, 1.1), 0.9)


def freeway(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *LAND), 0.14)
    trees(canvas, rng.uniform(0, 0.5))
    carriageways(canvas, turn(rng), rng.uniform(-25, 25))


def golfcourse(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, GRASS, LAWN, DRY), 0.12)
    course = canvas.patch(turn(rng))
    fairway = np.abs(course.v + 45 * noise(rng, 110)) - rng.uniform(25, 60)
    course.paint(fairway / 3, one(rng, LAWN, GRASS), 0.8)
    if rng.random() < 0.6:  # mown in stripes
        course.paint(np.maximum(dashes(course.u, rng.uniform(10, 18)), fairway), LAWN, 0.25)
    (x, y), *sand = places(rng, rng.integers(2, 6), 58)
    green = canvas.patch(0, x, y, 60)
    green.paint(blob(rng, green, rng.uniform(20, 36)), (112, 148, 92))
    for x, y in sand:
        bunker = canvas.patch(turn(rng), x, y, 40)
        bunker.paint(blob(rng, bunker, rng.uniform(9, 22)), one(rng, (226, 214, 190)))
    trees(canvas, rng.uniform(0.1, 0.6), away=fairway)


def harbor(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, WATER, WATER, SEA, SLATE), 0.08)
    dock, berth, length = canvas.patch(turn(rng)), rng.uniform(9, 15), np.float32(rng.uniform(13, 24))
    across = wrap(dock.v + np.float32(rng.uniform(0, 99)), 2 * length + rng.uniform(26, 50))
    boats = Lattice(rng, dock.u, 40 * np.sign(across), berth, 80)
    ahead = (np.abs(across) - length - 5 - boats.draw(-3, 3)) / boats.draw(0.75, 1)
    beam = np.float32(0.36 * berth) * (1 - np.clip(ahead / length, 0, 1) ** 2)  # narrow towards the bow
    hull = np.maximum(np.abs(boats.u) - beam, np.abs(ahead) - length * np.float32(0.9))
    dock.paint(hull + boats.vacant(rng.uniform(0.05, 0.35)), boats.pick((WHITE, WHITE, SAND, GREY), 0.1))
    cabin = box(boats.u, ahead, 0.16 * berth, 0.4 * length) + boats.vacant(0.4)
    dock.paint(cabin, boats.pick((SLATE, (70, 90, 140), WHITE)), 0.8)
    dock.paint(np.abs(across) - rng.uniform(3, 5), one(rng, CONCRETE, SAND, GREY))


def intersection(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *LAND, CONCRETE), 0.12)
    trees(canvas, rng.uniform(0.1, 0.6))
    angle, paved, halves = turn(rng), one(rng, *PAVED), rng.uniform(20, 40, 2)
    angles = angle, angle + np.pi / 2 + rng.normal(0, 0.15)
    x, y = rng.uniform(-35, 35, 2)
    roads = [(canvas.patch(turned, x, y), half) for turned, half in zip(angles, halves, strict=True)]
    for margin, colour in ((6, one(rng, CONCRETE)), (0, paved)):
        for road, half in roads:
            road.paint(np.abs(road.v) - half - margin, colour)
    for (road, half), other in zip(roads, halves[::-1], strict=True):
        outside = np.abs(road.u) - other - 4
        road.paint(np.maximum(np.abs(road.v) - 1.2, 12 - outside), YELLOW, 0.9)
        zebra = np.maximum(dashes(road.v, 7), np.abs(outside - 5) - 5)
        road.paint(np.maximum(zebra, np.abs(road.v) - half), WHITE, 0.75)
        traffic(rng, road, half, rng.uniform(0.6, 0.9))


def mediumresidential(canvas: Canvas) -> None:
    houses(canvas, canvas.rng.uniform(46, 60), (0.24, 0.34), street=13, green=0.8, vacant=0.08)


def mobilehomepark(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, ASPHALT, DRY, GREY, GRASS), 0.12)
    park, long, wide = canvas.patch(turn(rng)), rng.uniform(40, 56), rng.uniform(16, 22)
    lean = np.float32(rng.choice([-0.5, 0, 0, 0.5]))
    homes = Lattice(rng, park.u + lean * wrap(park.v, long), park.v, wide, long)
    half_u, half_v = homes.draw(0.26, 0.34) * np.float32(wide), homes.draw(0.3, 0.36) * np.float32(long)
    missing, (along, across) = homes.vacant(0.06), park.sun * 4
    park.paint(box(homes.u - along, homes.v - across, half_u, half_v) + missing, SHADOW, 0.7)
    shape = box(homes.u, homes.v, half_u, half_v) + missing
    park.paint(shape, homes.pick((WHITE, WHITE, GREY, SAND, CONCRETE)))
    park.paint(np.maximum(shape, homes.u), SLATE, 0.15)
    trees(canvas, rng.uniform(0.02, 0.4), away=shape - 2)
    park.paint(np.abs(wrap(park.v + np.float32(long), 2 * long)) - 7, one(rng, ASPHALT), 0.9)


def overpass(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *LAND), 0.12)
    trees(canvas, rng.uniform(0, 0.4))
    angle = turn(rng)
    carriageways(canvas, angle, rng.uniform(-15, 15))
    bridge, half = canvas.patch(angle + rng.uniform(0.9, 2.2), *rng.uniform(-30, 30, 2)), rng.uniform(13, 30)
    bridge.v += np.float32(rng.choice([0, 0, 1]) * rng.uniform(-8e-4, 8e-4)) * bridge.u**2
    bridge.stand(lambda u, v: np.abs(v) - half, one(rng, *PAVED), 16)
    bridge.paint(frame(np.abs(bridge.v) - half + 1, 2.5), WHITE, 0.7)
    bridge.paint(np.maximum(np.abs(bridge.v) - 0.8, dashes(bridge.u, 26, 0.4)), WHITE, 0.8)
    traffic(rng, bridge, half - 3, 0.85)


def parkinglot(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *PAVED, GREY, GRASS), 0.07)
    lot, stall, car = canvas.patch(turn(rng)), rng.uniform(8, 10.5), np.float32(rng.uniform(15, 18))
    row = 2 * car + np.float32(rng.uniform(18, 30))
    across = wrap(lot.v, row)
    stalls = Lattice(rng, lot.u, 2 * np.floor(lot.v / row) + (across > 0), stall, 1)
    inward = np.abs(across) - car / 2 - 1
    lot.paint(np.maximum(stall / 2 - 0.6 - np.abs(stalls.u), np.abs(inward) - car / 2), WHITE, 0.6)
    shape = box(stalls.u, inward + stalls.draw(-1.5, 1.5), stall * 0.3, car * 0.4) + stalls.vacant(
        rng.uniform(0.1, 0.6)
    )
    lot.paint(shape - 1.2, SHADOW, 0.5)
    lot.paint(shape, stalls.pick(CARS, 0.2))
    lot.paint(np.maximum(shape, np.abs(inward - 1) - 2), SLATE, 0.6)  # windscreens


def river(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *LAND, SCRUB), 0.16)
    bed = canvas.patch(turn(rng))
    water = np.abs(bed.v + 55 * noise(rng, 120) + 6 * noise(rng, 30)) - rng.uniform(14, 55)
    bed.paint((water - rng.uniform(2, 14)) / 3, one(rng, SAND, SOIL, DRY), 0.8)
    trees(canvas, rng.uniform(0.3, 0.95), away=water)
    bed.paint(water / 2, one(rng, WATER, WATER, SCRUB, SLATE))


def runway(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *LAND), 0.1)
    strip, half = canvas.patch(turn(rng), *rng.uniform(-30, 30, 2)), rng.uniform(45, 85)
    edge = np.abs(strip.v) - half
    strip.paint(edge - rng.uniform(6, 30), one(rng, *PAVED))
    strip.paint(edge, one(rng, *PAVED, SLATE, DRY))
    strip.paint((np.abs(strip.v) - half * 0.4 - half * 0.16 * noise(rng, 40)) / 12, SLATE, 0.45)  # rubber
    strip.paint(frame(edge + 3, 2.5), WHITE, 0.85)
    strip.paint(np.maximum(np.abs(strip.v) - 2, dashes(strip.u, rng.uniform(60, 110), 0.6)), WHITE, 0.9)
    start = strip.u + np.float32(rng.uniform(-60, 60))
    if rng.random() < 0.5:  # threshold
        strip.paint(np.maximum(np.maximum(dashes(strip.v, 9), np.abs(start) - 22), edge + 8), WHITE)
    else:  # aiming points
        strip.paint(box(start, np.abs(strip.v) - half * 0.5, rng.uniform(20, 42), 7), WHITE)


def sparseresidential(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *LAND, SCRUB), 0.14)
    home, half = canvas.patch(turn(rng), *rng.uniform(-35, 35, 2)), rng.uniform(14, 24, 2)
    paved = one(rng, *PAVED, SAND)
    drive = np.maximum(np.abs(home.v + 12 * noise(rng, 70)) - 5, -home.u)
    road = np.abs(home.u - rng.uniform(80, 120) + 14 * noise(rng, 90)) - rng.uniform(7, 11)
    yard = box(home.u - 32, home.v, 14, 12)
    home.paint(np.minimum(np.minimum(drive, road), yard), paved)
    trees(canvas, rng.uniform(0.1, 0.8), away=np.minimum(disc(home.u, home.v, 48), road))
    gable(home, 0, half, one(rng, *ROOFS))
    gable(home, half[0] * 0.8, half[::-1] * (0.7, 0.8), one(rng, *ROOFS))


def storagetanks(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *LAND, *PAVED), 0.1)
    site = canvas.patch(turn(rng))
    for at in rng.uniform(-110, 110, 2):  # pipes or tracks
        site.paint(np.abs(site.v - np.float32(at)) - rng.uniform(1, 6), one(rng, GREY, CONCRETE, SLATE))
    size = rng.uniform(17, 50)
    for x, y in places(rng, rng.integers(1, 9), 2.15 * size, max(20, 128 - size)):
        radius = np.float32(size * rng.uniform(0.75, 1))
        tank = canvas.patch(0, x, y, 2.6 * radius)
        light = 1 - (tank.u * tank.sun[0] + tank.v * tank.sun[1]) * np.float32(0.16) / radius
        kind = one(rng, WHITE, WHITE, GREY, RUST, SEA)
        tank.stand(lambda u, v, radius=radius: disc(u, v, radius), kind, radius * 0.45, light)
        tank.paint(frame(disc(tank.u, tank.v, radius - 2), 2), SLATE, 0.5)
        tank.paint(disc(tank.u, tank.v, 0.08 * radius), SLATE, 0.6)


def tenniscourt(canvas: Canvas) -> None:
    rng = canvas.rng
    canvas.ground(one(rng, *LAND, *PAVED), 0.12)
    courts, scale = canvas.patch(turn(rng), *rng.uniform(-30, 30, 2)), np.float32(rng.uniform(0.8, 1.5))
    along, across = 78 * scale, 42 * scale
    rows, columns = rng.integers(1, 3), rng.integers(1, 4)
    area = box(courts.u, courts.v, rows * along / 2, columns * across / 2)
    trees(canvas, rng.uniform(0.1, 0.9), away=area - 8)
    courts.paint(area - 2, one(rng, LAWN, RUST, SEA, GREY, CLAY))
    u = wrap(courts.u + rows * along / 2, along) / scale
    v = wrap(courts.v + columns * across / 2, across) / scale
    doubles, singles, service = box(u, v, 30, 14), box(u, v, 30, 10), box(u, v, 15, 10)
    courts.paint(np.maximum(doubles, area), one(rng, LAWN, RUST, SEA, GREY, CLAY))
    lines = np.minimum(np.minimum(frame(doubles, 1.3), frame(singles, 1.2)), frame(service, 1.2))
    courts.paint(np.maximum(np.minimum(lines, box(u, v, 15, 0.6)), area), WHITE, 0.9)
    courts.paint(np.maximum(box(u, v, 0.8, 16), area), SLATE, 0.9)  # net


SCENES = (
    agricultural,
    airplane,
    baseballdiamond,
    beach,
    buildings,
    chaparral,
    denseresidential,
    forest,
    freeway,
    golfcourse,
    harbor,
    intersection,
    mediumresidential,
    mobilehomepark,
    overpass,
    parkinglot,
    river,
    runway,
    sparseresidential,
    storagetanks,
    tenniscourt,
)
