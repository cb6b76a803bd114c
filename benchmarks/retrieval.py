"""How fast the in-graph Hamming search of an export is, against FAISS's `IndexBinaryFlat`, with two threads each.

A ratio is FAISS's time over ours; the two take turns, and the median times of the rounds are compared. Beside it
stand the ratios of the best times and of processor times, which other load on the machine disturbs less. Answers are
checked first: distances against FAISS's, and positions of two queries against a stable sort.

Codes have 64 bits:

- random: every bit at random; nothing to group.
- trained: clustered as a trained network's codes are. Items are drawn with replacement from seed codes, then 1 to 4
  random bits are flipped in as many of them as it takes for the wanted share of distinct codes. Seeds are the codes
  of a run (`--codes runs/NAME/codes.npz`), or 21 random ones, as if every class had collapsed to one code. Queries are
  made in the same way, half of them with flipped bits.

    python benchmarks/retrieval.py [--small] [--json] [--codes FILE] [--only table|shares|growth] [--figures DIRECTORY]

`table` is 1,000,000 random codes and 1,000,000 and 10,000,000 trained ones; `shares` trained codes with 1, 5, 30 and
100 % distinct; `growth` both kinds from 10^4 to 10^7. `--figures` draws the last two.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Threads that wait sleep: where something else runs too, FAISS's would otherwise stand still for 50 ms at a time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import faiss
import numpy as np
import tensorflow as tf

from keras_dhnn.codes import hamming_distances
from keras_dhnn.saved_models.graph.retrieval import HammingRetrieval

K, QUERIES, THREADS, CLASSES = 50, 100, 2, 21
# A cautious share: networks trained on UC Merced measured 0.6 to 6 % among some thousand items.
TRAINED_SHARE = 0.05


def flip_bits(codes, rng):
    """Flips 1 to 4 random bits of each code, in place."""
    most = rng.integers(1, 5, len(codes))
    for flip in range(1, 5):
        rows = np.flatnonzero(most >= flip)
        bits = rng.integers(0, 8 * codes.shape[1], len(rows))
        codes[rows, bits // 8] ^= np.uint8(1) << (bits % 8).astype(np.uint8)


def trained_codes(items, share, seeds, rng):
    """Codes `(items, 8)` drawn from seeds, perturbed so that about `share` of them are distinct."""
    codes = seeds[rng.integers(0, len(seeds), items)]
    perturbed = codes.copy()
    flip_bits(perturbed, rng)
    low, high = 0, items
    # Perturbing more makes more distinct codes.
    for _ in range(7):
        changed = (low + high) // 2
        mixed = np.concatenate([perturbed[:changed], codes[changed:]])
        distinct = len(np.unique(mixed.view(np.uint64)))
        low, high = (changed, high) if distinct < share * items else (low, changed)
    return rng.permutation(np.concatenate([perturbed[:high], codes[high:]]))


def make_codes(kind, items, share, seeds, rng):
    """Database `(items, 8)` and queries `(QUERIES, 8)`."""
    if kind == "random" or share == 1:
        return tuple(rng.integers(0, 256, (size, 8), dtype=np.uint8) for size in (items, QUERIES))
    queries = seeds[rng.integers(0, len(seeds), QUERIES)]
    flip_bits(queries[::2], rng)
    return trained_codes(items, share, seeds, rng), queries


def check(search, index, codes, queries):
    """Stop if an answer is wrong."""
    positions, distances = (part.numpy() for part in search(tf.constant(queries), tf.constant(K)))
    if not (distances == index.search(queries, K)[0]).all():
        raise SystemExit("Distances differ from FAISS's.")
    # Blocks of codes, since the matrix product holds floats of all bits.
    blocks = np.array_split(codes, -(-len(codes) // 1_000_000))
    for row in (0, 1):
        expected = np.concatenate([hamming_distances(queries[row : row + 1], block)[0] for block in blocks])
        expected = np.argsort(expected, kind="stable")[:K]
        if not (positions[row] == expected).all():
            raise SystemExit("Positions differ from a stable sort's.")


def seconds(function):
    """Wall-clock and processor time of a call, the latter of all threads."""
    start = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def measure(name, codes, queries, rounds):
    """Times and ratios of one database, for 1 query and for all: list of dictionaries."""
    started = time.perf_counter()
    retrieval = HammingRetrieval(codes)
    built = time.perf_counter() - started
    # As a server calls it: a graph whose inputs are codes and k.
    signature = tf.TensorSpec((None, 8), tf.uint8), tf.TensorSpec((), tf.int32)
    search = tf.function(lambda codes, k: retrieval.search(codes, k), autograph=False).get_concrete_function(*signature)
    index = faiss.IndexBinaryFlat(64)
    index.add(codes)
    check(search, index, codes, queries)
    size = sum(variable.numpy().nbytes for variable in retrieval.variables) / len(codes)
    results = []
    for count in (1, len(queries)):
        asked, k = tf.constant(queries[:count]), tf.constant(K)
        repeats = max(3, min(rounds, int(3e9 / count / len(codes))))
        times = [
            (
                seconds(lambda q=queries[:count]: index.search(q, K)),
                seconds(lambda q=asked, k=k: search(q, k)[0].numpy()),
            )
            for _ in range(repeats + 2)
        ][2:]
        # Of shape (wall or processor, FAISS or ours, rounds).
        (theirs, ours), (their_work, our_work) = np.array(times).T
        quartiles = np.percentile(theirs / ours, [25, 75])
        result = {
            "name": f"{name}_{count}",
            "items": len(codes),
            "distinct": retrieval.distinct,
            "queries": count,
            "ratio": np.median(theirs) / np.median(ours),
            "best": theirs.min() / ours.min(),
            "work": np.median(their_work) / np.median(our_work),
            "ours": np.median(ours),
            "theirs": np.median(theirs),
            "bytes": size,
        }
        results.append(result)
        report(
            f"{result['name']:24} searched {retrieval.distinct:9,}: ratio {result['ratio']:6.2f} (quartiles of "
            f"{repeats} rounds {quartiles[0]:.2f} to {quartiles[1]:.2f}), of best times {result['best']:6.2f}, of "
            f"processor times {result['work']:.2f}; "
            f"ms: FAISS {1e3 * theirs.min():.2f} to {1e3 * np.median(theirs):.2f}, ours {1e3 * ours.min():.2f} to "
            f"{1e3 * np.median(ours):.2f}; {size:.2f} bytes a code; built in {built:.1f} s"
        )
    return results


def report(*parts):
    """Details for the reader; the ratios alone go to stdout."""
    print(*parts, file=sys.stderr, flush=True)


def cases(parts, small):
    """What to measure: (part, name, kind, items, share)."""
    million = 20_000 if small else 1_000_000
    every = [
        ("table", "random_1M", "random", million, 1),
        ("table", "trained_1M", "trained", million, TRAINED_SHARE),
        ("table", "trained_10M", "trained", 10 * million, TRAINED_SHARE),
    ]
    every += [("shares", f"share_{share:g}", "trained", million, share) for share in (0.01, 0.05, 0.3, 1)]
    for kind in ("random", "trained"):
        for power in (4, 5) if small else (4, 5, 6, 7):
            every.append(("growth", f"{kind}_1e{power}", kind, 10**power, TRAINED_SHARE))
    return [case for case in every if case[0] in parts]


def draw_shares(results, path):
    """Ratio against share of distinct codes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for count in (1, QUERIES):
        rows = [row for row in results if row["queries"] == count]
        shares = [100 * float(row["name"].split("_")[1]) for row in rows]
        axes.plot(shares, [row["ratio"] for row in rows], "o-", label=f"{count} queries" if count > 1 else "1 query")
    axes.axhline(1, color="gray", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="distinct codes, %", ylabel="FAISS's time / ours")
    axes.set_title(f"{rows[0]['items']:,} synthetic 64-bit codes, k = {K}, {THREADS} threads")
    axes.legend()
    figure.savefig(path, dpi=100)


def draw_growth(results, path):
    """Time a query, and bytes a code, against the number of codes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (time_axes, memory_axes) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for kind, colour in (("random", "C0"), ("trained", "C1")):
        for count, style in ((1, "-"), (QUERIES, "--")):
            rows = [row for row in results if row["queries"] == count and row["name"].startswith(kind)]
            items = [row["items"] for row in rows]
            label = f"{kind}, batch of {count}"
            time_axes.plot(items, [1e3 * row["ours"] / count for row in rows], "o" + style, color=colour, label=label)
            theirs = [1e3 * row["theirs"] / count for row in rows]
            time_axes.plot(items, theirs, "x" + style, color="gray", linewidth=0.8)
        memory_axes.plot(items, [row["bytes"] for row in rows], "o-", color=colour, label=kind)
    time_axes.set(xscale="log", yscale="log", xlabel="codes", ylabel="ms a query (gray: FAISS)")
    memory_axes.set(xscale="log", ylim=(0, 13), xlabel="codes", ylabel="bytes a code, positions included")
    memory_axes.axhline(12, color="gray", linewidth=0.8)
    time_axes.legend()
    memory_axes.legend()
    figure.savefig(path, dpi=100)


def main():
    parser = argparse.ArgumentParser(description="In-graph Hamming search against FAISS: ratios.")
    parser.add_argument("--small", action="store_true", help="a smoke run: 20,000 codes instead of 1,000,000")
    parser.add_argument("--json", action="store_true", help="print one object {name: ratio}")
    parser.add_argument("--codes", type=Path, help="codes.npz of a run of 64 bits: seeds of the trained codes")
    parser.add_argument("--only", choices=("table", "shares", "growth"), action="append", help="default: table")
    parser.add_argument("--figures", type=Path, help="folder for retrieval-shares.png and retrieval-growth.png")
    parser.add_argument("--rounds", type=int, default=30, help="at most (default: 30)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    faiss.omp_set_num_threads(THREADS)
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    rng = np.random.default_rng(options.seed)
    seeds = rng.integers(0, 256, (CLASSES, 8), dtype=np.uint8)
    if options.codes:
        with np.load(options.codes, allow_pickle=False) as file:
            seeds = file["codes"]
        if seeds.shape[1] != 8:
            raise SystemExit(f"Expected codes of 64 bits in {options.codes}. Received: {8 * seeds.shape[1]} bits")
    results = []
    for part, name, kind, items, share in cases(options.only or ["table"], options.small):
        codes, queries = make_codes(kind, items, share, seeds, rng)
        results += [{"part": part, **row} for row in measure(name, codes, queries, options.rounds)]
    if options.figures:
        for part, draw in (("shares", draw_shares), ("growth", draw_growth)):
            rows = [row for row in results if row["part"] == part]
            if rows:
                draw(rows, options.figures / f"retrieval-{part}.png")
    ratios = {row["name"]: round(float(row["ratio"]), 3) for row in results}
    if options.json:
        print(json.dumps(ratios))
    else:
        for name, ratio in ratios.items():
            print(f"{name:24} {ratio:8.2f} x")


if __name__ == "__main__":
    main()
