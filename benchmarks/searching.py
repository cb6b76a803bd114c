"""How long searching takes by a run's codes, as Table IX of SIDHCNN has it: hashing one query image of each source,
hashing the database, distances from one query to it, sorting them.

    python benchmarks/searching.py RUN [--data data] [--database 75000] [--repeats 20] [--json]

Of a database smaller than asked for, items are repeated to measure distances and sorting. The median is printed.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.codes import hamming_distances, pack
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.pipelines.batches import batches
from keras_dhnn.pipelines.sources import image_sizes, sources_of
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.runs import Run
from keras_dhnn.training.loading import load_model

BATCH = 64


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--database", type=int, default=75_000, help="codes that are searched")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    info = DatasetInfo.load(arguments.data / run.experiment.data.name)
    model, split = load_model(run, info), Split.load(run.split_path)
    figures = {}
    for source in sources_of(info):
        branch = model.branches[source] if isinstance(model, SIDHCNN) else model
        stored = run.load_codes(source if isinstance(model, SIDHCNN) else None)["codes"]
        images = _images(run.experiment.data, info, split, source)
        figures |= measure(source, branch, images, stored[split.database], arguments.database, arguments.repeats)
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, seconds in figures.items():
        print(f"{name:55} {seconds:.2e} s")


def _images(data, info, split, source):
    sizes = image_sizes(data, info)
    images, _ = next(iter(batches(info, split.queries[:BATCH], batch_size=BATCH, image_size=sizes, turns=data.turns)))
    return images[source]


def measure(source, branch, images, codes, database, repeats):
    """{step: seconds} of one source."""
    hash_images = tf.function(lambda x: branch({source: x}, training=False)[source])
    codes = np.resize(codes, (database, codes.shape[1]))
    query = pack(hash_images(images[:1]).numpy())
    distances = hamming_distances(query, codes)[0]
    one = median(lambda: pack(hash_images(images[:1]).numpy()), repeats)
    many = median(lambda: pack(hash_images(images).numpy()), max(3, repeats // 4)) / len(images)
    return {
        f"hash one image, {source}": one,
        f"hash {database:,} images, {source}, from the rate": many * database,
        f"distances to {database:,} codes, {source}": median(lambda: hamming_distances(query, codes), repeats),
        f"sort {database:,} distances, {source}": median(lambda: np.argsort(distances, kind="stable"), repeats),
    }


def median(work, repeats):
    """Median seconds of a function that was called once before."""
    work()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
