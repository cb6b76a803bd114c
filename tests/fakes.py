"""Tiny archives in the real on-disk formats, and tiny prepared data sets, for tests."""

import zipfile
from pathlib import Path

import numpy as np
import tifffile

from keras_dhnn.pipelines.example import Archive, Example
from keras_dhnn.pipelines.prepare import prepare

UCMD_CLASSES = ("agricultural", "beach", "forest")


def write_ucmd(root, classes=UCMD_CLASSES, per_class=3, seed=0):
    """Writes `root/UCMerced_LandUse/Images/<class>/<class>NN.tif`, as the real archive has it.

    Returns:
        `root`. The second image of each class is 247 x 253, the others are 256 x 256.
    """
    random = np.random.default_rng(seed)
    for name in classes:
        folder = Path(root) / "UCMerced_LandUse" / "Images" / name
        folder.mkdir(parents=True)
        for number in range(per_class):
            shape = (247, 253, 3) if number == 1 else (256, 256, 3)
            write_tiff(folder / f"{name}{number:02d}.tif", random.integers(0, 256, shape, np.uint8))
    return Path(root)


def write_tiff(path, image, **options):
    """Writes an uncompressed TIFF without tifffile's own metadata, as the real archive's are."""
    photometric = "rgb" if image.ndim == 3 and image.shape[2] == 3 else "minisblack"
    tifffile.imwrite(path, image, photometric=photometric, metadata=None, **options)


def zip_folder(root, path):
    """Packs a folder into a zip, with entries for the folders, as the real archive's zip has them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for member in sorted(Path(root).rglob("*")):
            file.write(member, member.relative_to(root))
    return path


def make_examples(count=20, classes=2, images=None, seed=0):
    """Random Examples, sorted by class as in real archives.

    Args:
        images: {source: (shape, dtype)}; by default `image` of 8 x 8 x 3 uint8.
    """
    random = np.random.default_rng(seed)
    images = images or {"image": ((8, 8, 3), "uint8")}
    for number in range(count):
        drawn = {source: random.integers(0, 256, shape).astype(dtype) for source, (shape, dtype) in images.items()}
        yield Example(f"item{number:03d}", number * classes // count, drawn)


def make_archive(count=20, classes=2, images=None, seed=0, fingerprint="made up"):
    """The same as an Archive."""
    return Archive(
        classes=tuple(f"class{label}" for label in range(classes)),
        count=count,
        source={"kind": "folder", "path": f"/made/up/{fingerprint}", "fingerprint": fingerprint},
        read=lambda skipped: make_examples(count, classes, images, seed),
    )


def make_dataset(directory, **options):
    """The same as a prepared data set; options as of `make_archive`.

    Returns:
        DatasetInfo, and the list of Examples.
    """
    info = prepare(make_archive(**options), directory, shards=3).info
    options.pop("fingerprint", None)
    return info, list(make_examples(**options))


def make_coloured_dataset(directory, count=36, classes=3, side=16, seed=0):
    """A prepared data set whose classes differ in colour and overlap a little: small networks learn it in seconds.

    Returns:
        DatasetInfo.
    """
    random = np.random.default_rng(seed)
    colours = random.uniform(60, 200, (classes, 3))

    def examples(skipped):
        for number in range(count):
            label = number * classes // count
            image = colours[label] + random.normal(0, 25, (side, side, 3)) + random.normal(0, 15, 3)
            yield Example(f"class{label}/{number:03}", label, {"image": np.clip(image, 0, 255).astype(np.uint8)})

    source = {"kind": "folder", "path": "/made/up/coloured", "fingerprint": f"coloured {count} {classes} {side} {seed}"}
    archive = Archive(tuple(f"class{label}" for label in range(classes)), count, source, examples)
    return prepare(archive, directory, shards=2).info


def tiny_backbone(image_shape):
    """A backbone for tests, as `--backbone tests.fakes:tiny_backbone`; it has a stage to cut at."""
    import tensorflow as tf

    images = tf.keras.Input(image_shape)
    x = tf.keras.layers.Rescaling(1 / 127.5, -1)(images)
    x = tf.keras.layers.Conv2D(8, 3, 2, "same", activation="relu", name="stage1")(x)
    x = tf.keras.layers.Conv2D(16, 3, 2, "same", activation="relu", name="stage2")(x)
    return tf.keras.Model(images, tf.keras.layers.GlobalAveragePooling2D()(x))
