"""Tiny archives in the real on-disk formats, and tiny prepared data sets, for tests."""

import dataclasses
import zipfile
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import tifffile

from keras_dhnn.pipelines.example import Archive, Block, Example
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.store.prepare import prepare

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
        origin={"kind": "folder", "path": f"/made/up/{fingerprint}", "fingerprint": fingerprint},
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


def partly_labelled(info, unlabelled):
    """A data set seen with labels of names that it does not know: its classes', but of some images none.

    Returns:
        DatasetInfo.
    """
    names = [[] if number in set(unlabelled) else [f"new{label}"] for number, label in enumerate(info.true_labels)]
    return info.with_labels(Labels.of_names([f"new{place}" for place in range(len(info.classes))], names))


def tiny_backbone(image_shape):
    """A backbone for tests, as `--backbone tests.fakes:tiny_backbone`; it has a stage to cut at."""
    import tensorflow as tf

    images = tf.keras.Input(image_shape)
    x = tf.keras.layers.Rescaling(1 / 127.5, -1)(images)
    x = tf.keras.layers.Conv2D(8, 3, 2, "same", activation="relu", name="stage1")(x)
    x = tf.keras.layers.Conv2D(16, 3, 2, "same", activation="relu", name="stage2")(x)
    return tf.keras.Model(images, tf.keras.layers.GlobalAveragePooling2D()(x))


def noisy_backbone(image_shape):
    """The same with layers that draw while they are trained, as users' own backbones may have."""
    import tensorflow as tf

    images = tf.keras.Input(image_shape)
    x = tf.keras.layers.GaussianNoise(0.1)(tf.keras.layers.Rescaling(1 / 127.5, -1)(images))
    x = tf.keras.layers.Conv2D(8, 3, 2, "same", activation="relu", name="stage1")(x)
    x = tf.keras.layers.GlobalAveragePooling2D()(tf.keras.layers.SpatialDropout2D(0.2)(x))
    return tf.keras.Model(images, tf.keras.layers.Dropout(0.2, seed=3)(x))


def sat4_arrays(train=7, test=3, seed=0, classes=4):
    """The variables of a SAT-4 archive as `scipy.io.loadmat` gives them: random images, random one-hot labels."""
    random = np.random.default_rng(seed)
    arrays = {}
    for part, count in (("train", train), ("test", test)):
        arrays[f"{part}_x"] = random.integers(0, 256, (28, 28, 4, count), np.uint8)
        arrays[f"{part}_y"] = np.eye(classes)[:, random.integers(0, classes, count)]
    return arrays


def write_sat4_mat5(path, arrays, compressed=False):
    """Writes `sat-4-full.mat` as MATLAB 5, with the cell of texts that the real archive has."""
    annotations = np.array([["1,0,0,0", "barren land"], ["0,1,0,0", "trees"]], object)
    scipy.io.savemat(path, arrays | {"annotations": annotations}, do_compression=compressed)
    return path


def write_sat4_mat73(path, arrays, **options):
    """Writes it as HDF5, as MATLAB's `save -v7.3` does: axes in reverse, behind a block of its own.

    Options are those of h5py's `create_dataset`.
    """
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            dataset = file.create_dataset(name, data=array.T, **options)
            dataset.attrs["MATLAB_class"] = np.bytes_({"uint8": "uint8", "float64": "double"}[array.dtype.name])
        file["annotations"] = np.array([[97, 98]], np.uint16)
        file["annotations"].attrs["MATLAB_class"] = np.bytes_("char")
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, made up".ljust(124) + b"\x00\x02IM")
    return path


def write_sat4_csv(folder, arrays, name="sat4"):
    """Writes the four CSV files: a row of 3136 numbers an image (row, column, band), a row of 4 a label."""
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_x"].transpose(3, 0, 1, 2), arrays[f"{part}_y"].T
        for kind, rows in (("X", images.reshape(len(images), -1)), ("y", labels)):
            np.savetxt(folder / f"{kind}_{part}_{name}.csv", rows, "%d", ",")
    return folder


def dsrsid_arrays(count=24, seed=0):
    """The variables of a DSRSID archive as h5py gives them: random images, one class after the other."""
    random = np.random.default_rng(seed)
    return {
        "PAN_IMAGES": random.integers(0, 256, (count, 1, 256, 256), np.uint8),
        "MUL_IMAGES": random.integers(0, 256, (count, 4, 64, 64), np.uint8),
        "LAND_COVER_TYPES": 1.0 + np.sort(np.arange(count) % 8)[None],
    }


def write_dsrsid(path, arrays, **options):
    """Writes `DSRSID.mat` as MATLAB 7.3; options as of `write_sat4_mat73`."""
    return write_sat4_mat73(path, {name: array.T for name, array in arrays.items()}, **options)


def write_pairs(root, sources, classes=("coast", "town"), per_class=3, seed=0):
    """Writes `root/<source>/<class>/<class><n>.tif`, random pixels.

    Args:
        sources: {source: ((H, W, C), dtype)}.
    """
    random = np.random.default_rng(seed)
    for source, (shape, dtype) in sources.items():
        for name in classes:
            (Path(root) / source / name).mkdir(parents=True)
            for number in range(per_class):
                pixels = random.integers(0, 250 if dtype == "uint8" else 3000, shape).astype(dtype)
                path = Path(root) / source / name / f"{name}{number}.tif"
                tifffile.imwrite(
                    path, pixels, photometric="minisblack", planarconfig="contig" if shape[2] > 1 else None
                )
    return Path(root)


def make_blocks(count=20, classes=2, images=None, seed=0, size=7, wrong=()):
    """The items of `make_examples` in Blocks of `size`; items `wrong` have another true label than label."""
    examples = list(make_examples(count, classes, images, seed))
    for start in range(0, count, size):
        chosen = examples[start : start + size]
        truth = [(e.label + (i in wrong)) % classes for i, e in enumerate(chosen, start)]
        yield Block(
            [e.id for e in chosen],
            np.array([e.label for e in chosen]),
            {source: np.stack([e.images[source] for e in chosen]) for source in chosen[0].images},
            np.array(truth) if wrong else None,
        )


def make_block_archive(**options):
    """An Archive that gives Blocks; options as of `make_blocks`."""
    kept = {name: options[name] for name in ("count", "classes", "images", "seed") if name in options}
    return dataclasses.replace(make_archive(**kept), blocks=lambda: make_blocks(**options))
