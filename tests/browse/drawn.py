"""Archives of small drawn pictures, and what encodes them: a page's tests need pictures, but no network."""

from functools import cached_property

import numpy as np
from PIL import Image

from keras_dhnn.archive import Archive, Identity, Queries, make_rows
from keras_dhnn.archive.calibration import calibrate
from keras_dhnn.archive.encoding import encode_tiles
from keras_dhnn.archive.tiles.scenes import Cut, Scene, scene_tiles
from keras_dhnn.archive.tiles.tile import Form
from tests.rasters import write_scene

SIDE, BITS, PICTURES = 64, 64, 10
# Two colours each, and how wide their stripes are.
CLASSES = {
    "beach": ((222, 196, 150), (64, 120, 150), 40),
    "field": ((96, 140, 60), (120, 160, 70), 6),
    "forest": ((34, 70, 40), (50, 92, 52), 3),
    "harbour": ((40, 70, 96), (220, 220, 214), 10),
}


def draw(label, number):
    """A picture `(64, 64, 3)` uint8 of a class: stripes of its colours, turned and shifted a little."""
    rng = np.random.default_rng([sorted(CLASSES).index(label), number])
    one, other, wide = CLASSES[label]
    down, right = np.mgrid[:SIDE, :SIDE]
    angle = rng.uniform(-0.2, 0.2)
    across = right * np.cos(angle) + down * np.sin(angle) + rng.uniform(0, wide)
    pixels = np.where((across // wide % 2 == 0)[..., None], one, other) + rng.normal(0, 6, (SIDE, SIDE, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8)


class DrawnEncoder:
    """Turn pictures into codes by a fixed random projection of what they look like from afar."""

    batch = 64
    form = Form(SIDE, SIDE, 3, "uint8")
    identity = Identity("d" * 64, BITS, "drawn pictures", encoder={"kind": "backbone"})

    @cached_property
    def _directions(self):
        return np.random.default_rng(7).normal(size=(8 * 8 * 3, BITS))

    def encode(self, images):
        small = images.reshape(len(images), 8, 8, 8, 8, 3).astype(float).mean(axis=(2, 4))
        return Queries.from_outputs(((small - 110) / 60).reshape(len(images), -1) @ self._directions)

    def stream(self, batches):
        return map(self.encode, batches)


def draw_pictures(folder):
    """Writes PICTURES files a class as PNG; gives `{label: [path]}`."""
    folder.mkdir()
    paths = {label: [folder / f"{label}{number}.png" for number in range(PICTURES)] for label in CLASSES}
    for label, files in paths.items():
        for number, path in enumerate(files):
            Image.fromarray(draw(label, number)).save(path)
    return paths


def drawn_archive(folder, count=2000, labelled=True, scene=True):
    """An archive of so many items, each a drawn picture under an id of its own, and of a scene of 16 tiles."""
    encoder = DrawnEncoder()
    archive = Archive.create(folder / "archive", encoder.identity)
    paths = draw_pictures(folder / "pictures")
    labels = np.resize(sorted(CLASSES), count)
    numbers = np.arange(count) // len(CLASSES) % PICTURES
    images = np.stack([draw(label, number) for label, number in zip(labels, numbers, strict=True)])
    codes = _with_noise(encoder.encode(images).codes)
    archive.append(
        make_rows(
            [f"{label}/{number:05d}" for number, label in enumerate(labels)],
            codes,
            label=labels.tolist() if labelled else None,
            path=[str(paths[label][number]) for label, number in zip(labels, numbers, strict=True)],
            time=np.datetime64("2021-01-01", "ms") + np.arange(count).astype("timedelta64[h]"),
        )
    )
    if scene:
        path = write_scene(folder / "coast.tif", _mosaic().transpose(2, 0, 1))
        tiles = scene_tiles(Scene(str(path), "coast.tif"), encoder.form, Cut(tile=SIDE), lambda ids: {})
        encode_tiles(archive, tiles, encoder)
    if labelled:
        calibrate(archive)
    return archive


def dual_archive(folder, count=200):
    """An archive of two sources of the same ids."""
    encoder = DrawnEncoder()
    archive = Archive.create(folder / "archive", encoder.identity)
    paths = draw_pictures(folder / "pictures")
    labels = np.resize(sorted(CLASSES), count)
    images = np.stack([draw(label, number % PICTURES) for number, label in enumerate(labels)])
    for source in ("mul", "pan"):
        codes = _with_noise(encoder.encode(images).codes, seed=len(source) + ord(source[0]))
        files = [str(paths[label][number % PICTURES]) for number, label in enumerate(labels)]
        ids = [f"{label}/{number:05d}" for number, label in enumerate(labels)]
        archive.append(make_rows(ids, codes, label=labels.tolist(), path=files), source)
    return archive


def _with_noise(codes, seed=1):
    """Flips a bit of each code in 40, so that distances differ."""
    flips = np.random.default_rng(seed).random((len(codes), 8 * codes.shape[1])) < 1 / 40
    return codes ^ np.packbits(flips, axis=1)


def _mosaic(side=4):
    names = sorted(CLASSES)
    tiles = [
        [draw(names[(row + col) % len(names)], 50 + side * row + col) for col in range(side)] for row in range(side)
    ]
    return np.concatenate([np.concatenate(row, axis=1) for row in tiles], axis=0)
