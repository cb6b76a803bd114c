"""Measure what the page learns from marks, and how fast: against the majority of the marked items' bits.

    python benchmarks/teach.py ARCHIVE [--json]

ARCHIVE has labels. For every class and seed, some items of it are marked right and as many of the nearest others wrong;
all methods get the same marks and order what is not marked, scored by average precision. The ridge is chosen on every
third class (`--choose`), and scores are of the others. Then the time from a mark to a new order of a million random
codes, against one pass of FAISS-like byte tables' oracle: the product of the unpacked bits with the weights.
"""

import argparse
import json
import time

import numpy as np

from keras_dhnn.archive import Archive, Queries, combine
from keras_dhnn.browse import scorer
from keras_dhnn.codes import hamming_distances, pack, unpack

MARKS = (1, 2, 5, 10)
SEEDS = 5
_CHOICES = (3.0, 10.0, 30.0, 100.0)


def average_precision(scores, relevant):
    """Return the average precision of scores `(n,)`, equal ones in order of place."""
    hits = relevant[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(hits)[hits] / (np.flatnonzero(hits) + 1)).mean())


def by_majority(codes, right, wrong, background, ridge):
    """Return scores by the Hamming distance to the majority of the right items' bits."""
    majority = pack(unpack(codes[right]).sum(axis=0, dtype=int)[None])
    return -hamming_distances(codes, majority)[:, 0]


def by_weighed_bits(codes, right, wrong, background, ridge):
    """Return scores by `combine` (Rocchio), as `search --like --unlike` orders."""
    unliked = Queries(codes[wrong]) if len(wrong) else None
    return unpack(codes).astype(np.float32) @ combine(Queries(codes[right]), unliked).outputs[0]


def by_ridge(codes, right, wrong, background, ridge):
    """Return scores as the page makes them."""
    return scorer.fit(codes[right], codes[wrong], codes[background], ridge=ridge).score(codes)


METHODS = {"majority": by_majority, "weighed bits": by_weighed_bits, "ridge": by_ridge}


def measure(codes, labels, classes, count, method, ridge=scorer.RIDGE, seeds=SEEDS):
    """Return the mean average precision over classes and seeds, with `count` right and wrong marks each."""
    found = []
    for name in classes:
        for seed in range(seeds):
            rng = np.random.default_rng([seed, count])
            members = np.flatnonzero(labels == name)
            right = rng.choice(members, count, replace=False)
            others = np.flatnonzero(labels != name)
            near = hamming_distances(codes[others], codes[right[:1]])[:, 0]
            wrong = others[np.argsort(near, kind="stable")[:count]]
            background = rng.choice(len(codes), min(500, len(codes)), replace=False)
            rest = np.ones(len(codes), bool)
            rest[right] = rest[wrong] = False
            scores = METHODS[method](codes, right, wrong, background, ridge)
            found.append(average_precision(scores[rest], (labels == name)[rest]))
    return float(np.mean(found))


def latency(count=1_000_000, bits=64, repeats=5):
    """Return milliseconds, the median, of fitting, scoring and ordering so many codes; and of the product alone."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (count, bits // 8), np.uint8)
    background = codes[rng.choice(count, 500)]
    ours, product = [], []
    for _ in range(repeats):
        began = time.perf_counter()
        learned = scorer.fit(codes[:10], codes[10:20], background)
        scores = learned.score(codes)
        scorer.best(scores, 2000)
        doubtful = scorer.most_doubtful(scores, np.ones(count, bool))
        scorer.suggest(scores[doubtful], codes[doubtful], codes[:20])
        ours.append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        unpack(codes) @ learned.weights.astype(np.float32)
        product.append(1000 * (time.perf_counter() - began))
    return float(np.median(ours)), float(np.median(product))


def main():
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive")
    parser.add_argument("--choose", action="store_true", help="compare ridges on the classes kept for that")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = Archive.open(given.archive).rows(["id", "label", "code0"]).sort_by("id")
    codes, labels = Archive.open(given.archive).codes().codes, np.array(rows["label"].to_pylist(), object)
    classes = sorted(set(labels.tolist()) - {None})
    chosen_on, reported = classes[::3], [name for number, name in enumerate(classes) if number % 3]
    if given.choose:
        for ridge in _CHOICES:
            print(ridge, [round(measure(codes, labels, chosen_on, count, "ridge", ridge), 4) for count in MARKS])
        return
    found = {name: [measure(codes, labels, reported, count, name) for count in MARKS] for name in METHODS}
    ours, product = latency()
    ratios = {
        f"ridge_over_majority_{count}": round(found["ridge"][place] / found["majority"][place], 3)
        for place, count in enumerate(MARKS)
    }
    ratios["product_over_scorer_1m"] = round(product / ours, 2)
    if given.json:
        print(json.dumps(ratios))
        return
    print(f"{len(reported)} classes, {SEEDS} seeds, {8 * codes.shape[1]} bits; marks of each kind: {MARKS}")
    for name, scores in found.items():
        print(f"{name:14}", *(f"{score:.3f}" for score in scores))
    print(f"1M codes, from a mark to the order and five suggestions: {ours:.0f} ms (bits unpacked: {product:.0f} ms)")
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
