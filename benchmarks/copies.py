"""Which rank an image has, among its class, for a changed copy of it: who asks for *this* lake, does he get it?

Takes a run of UC Merced and its images. Every image is encoded by the run's network; 32 features are learned as
`encode` learns them. Images of the run's queries are turned, cropped, recoloured and compressed, and search the
originals of the whole collection by `Archive.search`: which rank has the original among the items of its class (1 is
best, 50.5 chance)?

Orders: `hamming` (ties by id), `asymmetric` inside ties; `features` inside ties and among distances up to l/16, which
is the default; `best` the hundred nearest by features alone; `float` by the cosine of all. `agreement` is the mean
Spearman correlation, within the class, of an order and that of `float`. mAP of the unchanged queries over all other
images says what an order costs. So does ITQ of the same network, 64 bits. `within 0`, `within 2`, ... are features
among distances up to so many bits, with mAP of all the run's queries and of other images.

With `--features FILE.npy` what the run's frozen backbone makes of all images, `(n, d)`, is read and not computed again.

    python benchmarks/copies.py RUN IMAGES [--data data] [--features FILE] [--queries 210] [--seed 0] [--json]
"""

import argparse
import io
import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from keras_dhnn.archive import Archive, Identity, Queries, make_rows
from keras_dhnn.archive.learned import learn_bits, learn_features, outputs_of
from keras_dhnn.archive.schema import quantize_features
from keras_dhnn.archive.tiles import list_images
from keras_dhnn.codes import hamming_distances, pack
from keras_dhnn.pipelines.formats.image_file import read_image_file
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.runs import Run
from keras_dhnn.workflows.archive_encoder import open_model

FEATURES, BITS = 32, 64
WITHIN = (0, 2, 4, 6, 8, 10, 12)
# `best`: the best hundred by features alone.
ORDERS = {
    "hamming": {"rank": "hamming"},
    "asymmetric": {"rank": "asymmetric"},
    "features": {"rank": "features"},
    "best": {"rank": "features", "rerank": 100},
}


def turned(image):
    """By 90 degrees."""
    return image.transpose(Image.Transpose.ROTATE_90)


def cropped(image):
    """A corner of four fifths of the sides."""
    return image.crop((0, 0, 4 * image.width // 5, 4 * image.height // 5)).resize(image.size)


def recoloured(image):
    """Brighter, with less contrast and half of the colour."""
    image = ImageEnhance.Brightness(image).enhance(1.25)
    return ImageEnhance.Color(ImageEnhance.Contrast(image).enhance(0.8)).enhance(0.5)


def compressed(image):
    """By JPEG at quality 20."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=20)
    return Image.open(file).convert("RGB")


COPIES = (turned, cropped, recoloured, compressed)


def embed(encoder, images):
    """(features, outputs) of an iterable of images."""
    images, found = list(images), []
    for first in range(0, len(images), encoder.batch):
        batch = np.stack([encoder.form.fit(image, "image") for image in images[first : first + encoder.batch]])
        found += encoder.network.outputs([batch])
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def chosen(run, data, paths, count, seed):
    """Numbers, among the paths, of images of the run's queries."""
    info = DatasetInfo.load(data / run.experiment.data.name)
    images = np.unique(Split.load(run.split_path).queries // run.experiment.data.turns)
    stems = {Path(path).stem: number for number, path in enumerate(paths)}
    numbers = [stems[Path(str(info.ids[image])).stem] for image in images]
    return np.sort(np.random.default_rng(seed).permutation(numbers)[:count])


def places(archive, queries, names, own, labels, order):
    """Rank of each query's original in its class, and the order of the class by numbers: `(q, class)`."""
    found = archive.search(queries, len(labels), **ORDERS[order], columns=()).table
    number = {name: at for at, name in enumerate(names)}
    listed = np.array([number[name] for name in found["id"].to_pylist()]).reshape(len(queries), -1)
    of_class = [row[labels[row] == labels[one]] for row, one in zip(listed, own, strict=True)]
    return np.array([1 + int(np.flatnonzero(row == one)[0]) for row, one in zip(of_class, own, strict=True)]), of_class


def agreement(rows, reference):
    """Mean Spearman correlation of pairs of orders of the same items."""
    found = []
    for row, other in zip(rows, reference, strict=True):
        found.append(np.corrcoef(np.argsort(row), np.argsort(other))[0, 1])
    return float(np.mean(found))


def mean_precision(archive, queries, names, own, labels, order):
    """mAP over all other images."""
    found = archive.search(queries, len(labels), **ORDERS[order], columns=()).table
    number = {name: at for at, name in enumerate(names)}
    listed = np.array([number[name] for name in found["id"].to_pylist()]).reshape(len(queries), -1)
    scores = []
    for row, one in zip(listed, own, strict=True):
        right = labels[row[row != one]] == labels[one]
        scores.append((np.cumsum(right) / np.arange(1, len(right) + 1))[right].mean())
    return float(np.mean(scores))


def sweep(outputs, kept, copied, own, sets, labels):
    """Mean rank of turned copies `copied` of images `own` in their class, and mAP of sets of images, by how many bits
    count as none.
    """
    codes, table = pack(outputs), {}
    unit = quantize_features(kept).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)

    def scores(asked, features, within):
        cosine = features @ unit.T / np.linalg.norm(features, axis=1, keepdims=True)
        return 0.49 * cosine - np.maximum(hamming_distances(pack(asked), codes), within)

    for within in WITHIN:
        for name, numbers in sets.items():
            precision = []
            for row, one in zip(scores(outputs[numbers], kept[numbers], within), numbers, strict=True):
                listed = np.argsort(-row, kind="stable")
                right = labels[listed[listed != one]] == labels[one]
                precision.append((np.cumsum(right) / np.arange(1, len(right) + 1))[right].mean())
            table[f"trained within {within} map {name}"] = float(np.mean(precision))
        found = scores(*copied, within)
        same = labels[own][:, None] == labels[None]
        mine = np.take_along_axis(found, own[:, None], axis=1)
        rank = 1 + ((found > mine) & same).sum(axis=1)
        table[f"trained within {within} turned"] = float(rank.mean())
        table[f"trained within {within} turned first"] = float((rank == 1).mean())
    return table


def float_places(vectors, asked, own, labels):
    """As `places`, by the cosine of all features."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    listed = np.argsort(-(asked / np.linalg.norm(asked, axis=1, keepdims=True)) @ unit.T, axis=1, kind="stable")
    of_class = [row[labels[row] == labels[one]] for row, one in zip(listed, own, strict=True)]
    return np.array([1 + int(np.flatnonzero(row == one)[0]) for row, one in zip(of_class, own, strict=True)]), of_class


def stored(run, file, encoder, first):
    """(features, outputs) of all images as they are kept; stops if they are not the network's."""
    vectors, outputs = np.load(file), run.load_codes()["outputs"][:: run.experiment.data.turns]
    for found, kept in zip(embed(encoder, [first]), (vectors, outputs), strict=True):
        if np.abs(found[0] - kept[0]).max() > 0.05 * np.abs(kept[0]).max():
            raise SystemExit("The features are not this network's")
    return vectors, outputs


def measure(run, tree, data, file, count, seed):
    """The table as a dictionary."""
    paths = list_images([tree])
    encoder, _ = open_model(run, data=data)
    encoder.expect(len(paths))
    opened = Run.open(Path(run))
    own = chosen(opened, data, paths, count, seed)
    labels = np.unique([Path(path).parent.name for path in paths], return_inverse=True)[1]
    if file is not None:
        vectors, outputs = stored(opened, file, encoder, read_image_file(paths[0]).image(3))
    else:
        vectors, outputs = embed(encoder, (read_image_file(path).image(3) for path in paths))
    pictures = [Image.fromarray(read_image_file(paths[at]).image(3)) for at in own]
    asked = {change.__name__: embed(encoder, (np.asarray(change(one)) for one in pictures)) for change in COPIES}
    first = vectors[np.random.default_rng(seed).permutation(len(vectors))[:2000]]
    small = learn_features(first, FEATURES)
    itq = learn_bits(first, BITS)
    kinds = {"trained": lambda _, made: made, "itq": lambda features, _: outputs_of(features, itq)}
    table = {}
    for kind, made in kinds.items():
        with tempfile.TemporaryDirectory() as folder:
            archive = Archive.create(folder, Identity("a" * 64, BITS, features=FEATURES))
            kept = (vectors - small["features_mean"]) @ small["features_directions"]
            archive.append(make_rows(paths, pack(made(vectors, outputs)), kept, content=np.arange(len(paths))))
            table |= _of_archive(archive, kind, made, small, asked, paths, own, labels, vectors, outputs)
    all_kept = (vectors - small["features_mean"]) @ small["features_directions"]
    turned_features, turned_outputs = asked["turned"]
    copied = turned_outputs, (turned_features - small["features_mean"]) @ small["features_directions"]
    searched = chosen(opened, data, paths, len(paths), seed)
    others = np.setdiff1d(np.arange(len(paths)), searched)
    others = np.random.default_rng(seed).permutation(others)[: 4 * len(own)]
    return table | sweep(outputs, all_kept, copied, own, {"queries": searched, "others": others}, labels)


def _of_archive(archive, kind, made, small, asked, paths, own, labels, vectors, outputs):
    table = {}
    same = _queries(made, small, vectors[own], outputs[own])
    for rank in ORDERS:
        table[f"{kind} {rank} map"] = mean_precision(archive, same, paths, own, labels, rank)
        for name, (features, found) in asked.items():
            place, rows = places(archive, _queries(made, small, features, found), paths, own, labels, rank)
            whole, reference = float_places(vectors, features, own, labels)
            table[f"{kind} {rank} {name}"] = float(place.mean())
            table[f"{kind} {rank} {name} first"] = float((place == 1).mean())
            table[f"{kind} {rank} {name} agreement"] = agreement(rows, reference)
            table[f"float {name}"], table[f"float {name} first"] = float(whole.mean()), float((whole == 1).mean())
    return table


def _queries(made, small, features, outputs):
    kept = (features - small["features_mean"]) @ small["features_directions"]
    return Queries.from_outputs(made(features, outputs), kept)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("images")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--features", type=Path)
    parser.add_argument("--queries", type=int, default=210)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    table = measure(
        arguments.run, arguments.images, arguments.data, arguments.features, arguments.queries, arguments.seed
    )
    if arguments.json:
        print(json.dumps(table))
        return
    for name, value in table.items():
        print(f"{name:40} {value:.4f}")


if __name__ == "__main__":
    main()
