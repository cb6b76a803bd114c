"""Measures the neighbour graph and what is inferred over it: seconds, memory, and neighbours found.

    python benchmarks/neighbour_graph.py [--items 1000000] [--json]

Features are made up: clusters of clusters around a curve, as many dimensions as the default backbone's with band
statistics left out, 1,280; they lie in a file, as features of so many images would. Recall is the share of the ten
nearest neighbours, by exact search for 500 items, that are found. Beside it stands FAISS's inverted file
(IndexIVFFlat) on the same reduced vectors, as many threads, at the number of cells looked through (of the same number
of cells) that first reaches our recall.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from keras_dhnn.unlabelled.cells import CELL_ITEMS
from keras_dhnn.unlabelled.diffusion import diffuse
from keras_dhnn.unlabelled.graph import NEIGHBOURS, locally_scaled
from keras_dhnn.unlabelled.inference import UNKNOWN, infer_labels
from keras_dhnn.unlabelled.neighbours import _THREADS, nearest_neighbours
from keras_dhnn.unlabelled.standard import DIMENSIONS, standard_features
from keras_dhnn.unlabelled.structure import Structure

WIDTH, CLASSES, PARTS = 1280, 45, 20
CHECKED = 500


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--no-faiss", action="store_true", help="leave the comparison out")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        features, labels = make_features(Path(folder) / "features.npy", arguments.items)
        result = measure(features, labels, not arguments.no_faiss)
    print(json.dumps(result) if arguments.json else "\n".join(f"{name}: {value:.4g}" for name, value in result.items()))


def make_features(path, count, seed=0):
    """Write `(count, WIDTH)` float16 features, and return them as a memory map, with `(count,)` labels."""
    random = np.random.default_rng(seed)
    features = np.lib.format.open_memmap(path, "w+", np.float16, (count, WIDTH))
    labels = random.integers(CLASSES, size=count)
    centres = random.standard_normal((CLASSES, 1, 64)) + 0.7 * random.standard_normal((CLASSES, PARTS, 64))
    mixing = random.standard_normal((64, WIDTH)).astype(np.float32) / 8
    parts = random.integers(PARTS, size=count)
    for first in range(0, count, 20_000):
        block = slice(first, first + 20_000)
        latent = centres[labels[block], parts[block]]
        latent = (latent + 1.0 * random.standard_normal(latent.shape)).astype(np.float32)
        noise = 0.2 * random.standard_normal((len(latent), WIDTH), np.float32)
        features[block] = np.maximum(latent @ mixing + noise, -0.2)
    features.flush()
    return np.load(path, mmap_mode="r"), labels


def measure(features, labels, with_faiss):
    """Return `{name: number}`."""
    started = time.perf_counter()
    units = standard_features(features, DIMENSIONS)
    reduced = time.perf_counter()
    found = nearest_neighbours(units, NEIGHBOURS)
    near = time.perf_counter()
    graph = locally_scaled(found)
    walks = diffuse(graph)
    walked = time.perf_counter()
    given = np.full(len(labels), UNKNOWN)
    chosen = np.random.default_rng(1).choice(len(labels), 10 * CLASSES, replace=False)
    given[chosen] = labels[chosen]
    inferred = infer_labels(Structure(units, graph, walks), given)
    ended = time.perf_counter()
    checked, exact = _exact(units)
    recall = _recall(found.numbers[checked], exact)
    result = {
        "items": len(features),
        "seconds": ended - started,
        "seconds_reduce": reduced - started,
        "seconds_neighbours": near - reduced,
        "seconds_walks": walked - near,
        "seconds_labels": ended - walked,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "recall": recall,
        "labels_right": float((inferred.labels == labels).mean()),
    }
    return result | (_faiss(units, checked, exact, recall, near - reduced) if with_faiss else {})


def _exact(units):
    """Some items, and their nearest others by comparing them with all."""
    checked = np.random.default_rng(2).choice(len(units), CHECKED, replace=False)
    similarities = units[checked] @ units.T
    similarities[np.arange(CHECKED), checked] = -2
    return checked, np.argpartition(-similarities, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]


def _recall(found, exact):
    return float(np.mean([len(np.intersect1d(*rows)) / NEIGHBOURS for rows in zip(found, exact, strict=True)]))


def _faiss(units, checked, exact, recall, seconds):
    """The same by FAISS."""
    import faiss

    faiss.omp_set_num_threads(_THREADS)
    started = time.perf_counter()
    cells = max(2, len(units) // CELL_ITEMS)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(units.shape[1]), units.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = 8
    index.cp.max_points_per_centroid = 40
    index.train(units)
    index.add(units)
    made = time.perf_counter() - started
    for index.nprobe in (1, 2, 4, 6, 8, 12, 16, 24, 32):
        theirs = _recall(index.search(units[checked], NEIGHBOURS + 1)[1][:, 1:], exact)
        if theirs >= recall:
            break
    started = time.perf_counter()
    index.search(units, NEIGHBOURS + 1)
    searched = time.perf_counter() - started
    return {
        "faiss_cells": index.nprobe,
        "faiss_recall": theirs,
        "faiss_seconds": made + searched,
        "neighbours_times_as_fast_as_faiss": (made + searched) / seconds,
    }


if __name__ == "__main__":
    main()
