"""How much faster the tie-aware evaluation is than the usual loop over queries.

The loop (`plain_average_precision`, below) does for each query what most published code does: distances by a
dot product, `np.argsort`, cumulative precision. It is timed on a sample of the queries, half of them before
and half after ours, and scaled to all of them; its codes are unpacked to float32 beforehand, ours are not.

Three kinds of codes, 64 bits, 10 classes:

- trained: a random centre for each class, and every bit of an item flipped with a probability of 0.8 %, which
  leaves about 5 % distinct codes (a trained network measured 1.4 to 6 %);
- confused: the same, but 1 % of the items lie at the centre of a class drawn at random;
- random: every bit at random.

For each, the default call (all four orders of ties) and one that leaves the stable order out. Every ratio is
checked: the loop's average precision must equal ours to 1e-9 where the order of a query's relevant and
irrelevant items is unique, lie between our pessimistic and optimistic value elsewhere, and equal our stable
value with a stable sort.

    python benchmarks/evaluation.py [--small] [--json]
"""

import argparse
import json
import sys
import time
import tracemalloc

import numpy as np

from keras_dhnn.metrics.ranking import mean_average_precision

BITS, CLASSES = 64, 10
TOLERANCE = 1e-9
MEMORY_BOUND = 500 * 2**20


def plain_average_precision(query, database, relevant, kind=None):
    """One query's average precision by the usual steps: signs `(l,)` and `(m, l)` float32, `(m,)` bool."""
    distances = (BITS - database @ query) / 2
    ranked = relevant[np.argsort(distances, kind=kind)]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return precision[ranked].mean()


def make_codes(kind, items, rng):
    """Packed codes `(n, 8)` and labels `(n,)` of one kind."""
    labels = rng.integers(0, CLASSES, items)
    if kind == "random":
        return rng.integers(0, 256, (items, BITS // 8), dtype=np.uint8), labels
    centres = rng.integers(0, 256, (CLASSES, BITS // 8), dtype=np.uint8)
    near = labels.copy()
    if kind == "confused":
        astray = rng.random(items) < 0.01
        near[astray] = rng.integers(0, CLASSES, astray.sum())
    flips = np.packbits(rng.random((items, BITS), dtype=np.float32) < 0.008, axis=1)
    return centres[near] ^ flips, labels


def seconds(function):
    """Wall-clock time of a call, and its result."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def check(plain, stable, ours, sample):
    """Stop if the loop and ours disagree, and return how many of the sampled queries have a unique order."""
    low, high = ours.per_query_pessimistic[sample], ours.per_query_optimistic[sample]
    unique = high - low < TOLERANCE
    if np.abs(plain - ours.per_query[sample])[unique].max(initial=0) > TOLERANCE:
        raise SystemExit("Average precision differs from the loop's where the order is unique.")
    if (plain < low - TOLERANCE).any() or (plain > high + TOLERANCE).any():
        raise SystemExit("The loop's average precision is outside the pessimistic and optimistic one.")
    if np.abs(stable - ours.per_query_stable[sample]).max() > TOLERANCE:
        raise SystemExit("Stable average precision differs from that of a stable sort.")
    return int(unique.sum())


def compare(kind, queries, items, sample_size, rng):
    """Ratios of one kind of codes, the loop's time over ours: name -> ratio. Details go to stderr."""
    codes, labels = make_codes(kind, queries + items, rng)
    arguments = codes[:queries], codes[queries:], labels[:queries], labels[queries:]
    sample = np.linspace(0, queries - 1, sample_size).astype(int)
    signs = 2 * np.unpackbits(codes, axis=1).astype(np.float32) - 1

    def loop(numbers, kind=None):
        database, of_database = signs[queries:], labels[queries:]
        return [plain_average_precision(signs[i], database, of_database == labels[i], kind) for i in numbers]

    loop(sample[:1])
    before, first = seconds(lambda: loop(sample[: sample_size // 2]))
    default, ours = seconds(lambda: mean_average_precision(*arguments))
    without, _ = seconds(lambda: mean_average_precision(*arguments, stable=False))
    after, second = seconds(lambda: loop(sample[sample_size // 2 :]))
    unique = check(np.array(first + second), np.array(loop(sample, "stable")), ours, sample)

    plain = (before + after) / sample_size
    distinct = len(np.unique(np.ascontiguousarray(codes[queries:]).view(np.uint64)))
    report(
        f"{kind}: {distinct} distinct codes, mAP {ours.expected:.6f}; ms a query: loop {1e3 * plain:.2f},",
        f"ours {1e3 * default / queries:.3f}, without the stable order {1e3 * without / queries:.3f};",
        f"equal to {TOLERANCE} ({unique} of {sample_size} sampled queries have a unique order)",
    )
    return {kind: plain * queries / default, f"{kind}_without_stable": plain * queries / without}


def memory(queries, items, rng):
    """The bound of 500 MiB over the peak of what a call allocates, for random codes."""
    codes, labels = make_codes("random", queries + items, rng)
    tracemalloc.start()
    mean_average_precision(codes[:queries], codes[queries:], labels[:queries], labels[queries:])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    report(f"memory: peak {peak / 2**20:.0f} MiB")
    return {"memory_bound_over_peak": MEMORY_BOUND / peak}


def report(*parts):
    """Details for the reader; the ratios alone go to stdout."""
    print(*parts, file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description="Tie-aware evaluation against the usual loop: ratios.")
    parser.add_argument("--small", action="store_true", help="100 x 20,000, a smoke run; not 1,000 x 499,000")
    parser.add_argument("--json", action="store_true", help="print one object {name: ratio}")
    parser.add_argument("--sample", type=int, default=20, help="queries to time the loop on (default: 20)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    queries, items = (100, 20_000) if options.small else (1_000, 499_000)
    rng = np.random.default_rng(options.seed)
    ratios = {}
    for kind in ("trained", "confused", "random"):
        ratios.update(compare(kind, queries, items, min(options.sample, queries), rng))
    # Memory does not grow with queries beyond one block of them.
    ratios.update(memory(min(queries, 300), items, rng))
    if options.json:
        print(json.dumps(ratios))
    else:
        for name, ratio in ratios.items():
            print(f"{name:24} {ratio:8.1f} x")


if __name__ == "__main__":
    main()
