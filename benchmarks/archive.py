"""How fast an archive on disk is searched, and how small it is, against FAISS and plain DuckDB on the same two cores.

Codes have 64 random bits: nothing repeats, nothing compresses; with `--distinct 0.05` they are like trained ones: drawn
from so many distinct codes (a share of the rows), each near one of a thousand centres. Items have ids of 20 characters,
a time, a footprint in one of many scenes of 43 x 43 tiles, and a label. Answers are checked against FAISS before
anything is timed. Times are medians of rounds in which all ways take turns; `*_cpu` are ratios of processor times,
which other load disturbs less.

    python benchmarks/archive.py [--rows 1000000 ...] [--queries 1000] [--distinct SHARE] [--folder DIR] [--json]
                                 [--results FILE] [--figure FILE]

For each number of rows it gives
- one_query_ms, one_query_bbox_ms: k = 50 from warm Parquet files, the second with a bounding box that a ninth of the
  items meet; one_query_memory_ms: after `Archive.load`, up to 20 million; faiss_one_ms: `IndexBinaryFlat`;
  plain_one_ms: DuckDB's `bit_count(xor(...))` over a column in memory;
- many_first_s, many_queries_s: all queries in one go, of an archive just opened and again (the same of --rounds 1,
  which is for the largest sizes); faiss_s; plain_s: one statement a query (of the first 20 queries, times as many);
- one_over_faiss, one_over_plain, many_over_faiss (must be at most 2), many_over_plain, and many_over_faiss_cpu,
  first_over_faiss_cpu; with --multi-hash multi_hash_s: FAISS's `IndexBinaryMultiHash`, an hour at ten million;
- loaded_bytes_an_item: what `Archive.load` takes in memory;
- bytes_an_item (must be at most 40); peak_gib: the largest this process was, FAISS's and plain DuckDB's codes with it.

With --results each size is added to a file as a line of JSON as soon as it is measured; --figure draws what is in
there, so that sizes can be measured one by one.

    python benchmarks/archive.py --images FOLDER [--backbone efficientnet_lite0] [--json]

gives encode_over_bare: images a second from files on disk into an archive, over those of the same network and runtime
on pixels in memory (must be at least 0.9); encode_over_bare_cpu: the same of processor time.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import duckdb
import faiss
import numpy as np
import pyarrow as pa

from keras_dhnn.archive import Archive, Identity, make_rows
from keras_dhnn.archive.geoparquet import footprints, snap

K, THREADS, SIDE, PIXEL, TILE = 50, 2, 43, 9e-5, 256
BLOCK = 1_000_000
PLAIN_QUERIES = 20
# Rows that `Archive.load` takes into memory here, and of which one query is measured often.
MOST_LOADED = 20_000_000


def make_codes(count, distinct, rng):
    """`(count, 8)` uint8: random, or of some distinct ones near a thousand centres."""
    if distinct is None:
        return rng.integers(0, 256, (count, 8), dtype=np.uint8)
    # The centres and what lies near them are the same in every block.
    own = np.random.default_rng(0)
    centres = own.integers(0, 256, (1000, 8), dtype=np.uint8)
    kinds = centres[own.integers(0, 1000, distinct)] ^ np.packbits(own.random((distinct, 64)) < 0.04, axis=1)
    return kinds[rng.integers(0, distinct, count)]


def make_block(first, count, distinct, rng):
    """Rows of a grid of scenes, in order of id."""
    number = np.arange(first, first + count)
    scene, row, col = number // SIDE**2, number % SIDE**2 // SIDE, number % SIDE
    west, north = -120 + 0.3 * (scene % 400), 60 - 0.3 * (scene // 400 % 400)
    corners = []
    for down, right in ((0, 0), (1, 0), (1, 1), (0, 1)):
        x, y = TILE * (col + right), TILE * (row + down)
        latitude = north - PIXEL * y + 0.03 * PIXEL * x
        corners.append(np.stack([west + PIXEL * (x + 0.03 * y) / np.cos(np.radians(latitude)), latitude], axis=-1))
    days = np.datetime64("2017-01-01", "ms") + (scene * 7919 % 3000).astype("timedelta64[D]")
    names = [f"S2_{one:07d}" for one in scene]
    return make_rows(
        [f"{name}/{r:04d}{c:05d}" for name, r, c in zip(names, row, TILE * col, strict=True)],
        make_codes(count, distinct, rng),
        label=np.array(["forest", "sea", "town", "field"])[rng.integers(0, 4, count)],
        scene=names,
        time=days,
        row=TILE * row,
        col=TILE * col,
        size=np.full(count, TILE),
        crs=["EPSG:32610"] * count,
        **footprints(snap(np.stack(corners, axis=1), PIXEL / 64)),
    )


def make_archive(folder, rows, distinct):
    """The archive in a folder, made if need be."""
    archive = Archive.create(folder, Identity("benchmark" * 7, 64))
    for first in range(archive.info.rows, rows, BLOCK):
        rng = np.random.default_rng([rows, first])
        archive.append(make_block(first, min(BLOCK, rows - first), distinct, rng))
    return archive


def timed(work):
    """(wall seconds, processor seconds) of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def take_turns(ways, rounds):
    """`{name: (median wall, median processor)}`; of one round alone, which is for the largest, the only one."""
    if rounds > 1:
        for work in ways.values():
            work()
    times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            times[name].append(timed(work))
    return {name: tuple(np.median(found, axis=0)) for name, found in times.items()}


def check(archive, index, codes):
    """Stop if an answer is wrong."""
    found = archive.search(codes[:5], K).table["distance"].to_numpy().reshape(5, K)
    if not (found == index.search(codes[:5], K)[0]).all():
        raise SystemExit("Distances are not FAISS's")


def measure(archive, queries, distinct, rounds, with_multi=False):
    """The figures of one size."""
    rng = np.random.default_rng(1)
    asked = make_codes(queries, distinct, rng) ^ np.packbits(rng.random((queries, 64)) < 0.02, axis=1)
    words = archive.rows(["code0"])["code0"].to_numpy()
    index = faiss.IndexBinaryFlat(64)
    index.add(words.view(np.uint8).reshape(-1, 8))
    check(archive, index, asked)
    plain = _plain(words)
    multi = _multi_hash(words.view(np.uint8).reshape(-1, 8), asked, rounds) if with_multi else {}
    del words
    found = {"rows": archive.info.rows, **_one(archive, index, plain, asked, rounds)}
    found |= _many(archive, index, plain, asked, rounds) | multi
    if archive.info.rows <= MOST_LOADED:
        archive.load()
        loaded = take_turns({"memory": lambda: archive.search(asked[:1], K, columns=())}, max(rounds, 7))
        found["one_query_memory_ms"] = 1000 * loaded["memory"][0]
        found["loaded_bytes_an_item"] = loaded_bytes(archive.root) / archive.info.rows
    found["bytes_an_item"] = archive.info.bytes / archive.info.rows
    found["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return found


def loaded_bytes(folder):
    """How much larger `Archive.load` makes a process that does nothing else."""
    program = (
        "import resource, sys; from keras_dhnn.archive import Archive; archive = Archive.open(sys.argv[1]);"
        "size = lambda: int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize();"
        "before = size(); archive.load(); print(size() - before)"
    )
    return int(subprocess.run([sys.executable, "-c", program, folder], check=True, capture_output=True).stdout)


def _one(archive, index, plain, asked, rounds):
    box = _box(archive)
    ways = {
        "one_query": lambda: archive.search(asked[:1], K, columns=()),
        "one_query_bbox": lambda: archive.search(asked[:1], K, bbox=box),
        "faiss_one": lambda: index.search(asked[:1], K),
        "plain_one": lambda: plain(asked[:1]),
    }
    found = {f"{name}_ms": 1000 * wall for name, (wall, _) in take_turns(ways, _rounds_of_one(archive, rounds)).items()}
    ratios = {f"one_over_{name}": found["one_query_ms"] / found[f"{name}_one_ms"] for name in ("faiss", "plain")}
    return found | ratios


def _rounds_of_one(archive, rounds):
    return max(rounds, 7 if archive.info.rows <= MOST_LOADED else 3)


def _many(archive, index, plain, asked, rounds):
    few, again = asked[:PLAIN_QUERIES], range(rounds if rounds > 1 else 0)
    opened = [timed(lambda: Archive.open(archive.root).search(asked, K, columns=())) for _ in again]
    ways = {
        "many_queries": lambda: archive.search(asked, K, columns=()),
        "faiss": lambda: index.search(asked, K),
        "plain": lambda: plain(few),
    }
    found = take_turns(ways, rounds)
    ours, theirs = found["many_queries"], found["faiss"]
    plain_s = found["plain"][0] * len(asked) / len(few)
    # Of one round the archive was just opened anyway.
    first = np.median(opened, axis=0) if opened else ours
    return {
        "many_first_s": first[0],
        "many_queries_s": ours[0],
        "faiss_s": theirs[0],
        "plain_s": plain_s,
        "many_over_faiss": ours[0] / theirs[0],
        "many_over_plain": ours[0] / plain_s,
        "many_over_faiss_cpu": ours[1] / theirs[1],
        "first_over_faiss_cpu": first[1] / theirs[1],
    }


def _box(archive):
    west, south, east, north = archive.sql(
        lambda items: f"SELECT min(bbox.xmin), min(bbox.ymin), max(bbox.xmax), max(bbox.ymax) FROM {items}"
    )[0]
    return west, south, west + (east - west) / 3, south + (north - south) / 3


def _plain(words):
    """Return a function that searches for codes `(q, 8)` one by one."""
    connection = duckdb.connect(config={"threads": THREADS})
    connection.register("given", pa.table({"code": words}))
    connection.execute("CREATE TABLE codes AS SELECT code, row_number() OVER () AS id FROM given")

    def run(asked):
        for word in asked.view(np.int64).ravel():
            connection.execute(
                f"SELECT id, bit_count(xor(code, {word}::BIGINT)) AS d FROM codes ORDER BY d, id LIMIT {K}"
            ).fetchall()

    return run


def _multi_hash(codes, asked, rounds):
    """FAISS's sub-linear index with exact answers up to a radius of 3 flips in each of 4 substrings of 16 bits."""
    index = faiss.IndexBinaryMultiHash(64, 4, 16)
    index.add(codes)
    index.nflip = 3
    few = asked[:20]
    found = take_turns({"multi_hash": lambda: index.search(few, K)}, rounds)["multi_hash"]
    return {"multi_hash_s": found[0] * len(asked) / len(few)}


def measure_encoding(images, backbone, folder, rounds):
    """How much of the network's own speed is left when images are read, decoded, encoded and appended."""
    from keras_dhnn.archive.encoding import encode_tiles
    from keras_dhnn.archive.tiles import file_tiles, list_images
    from keras_dhnn.workflows.archive_encoder import open_encoder
    from keras_dhnn.workflows.encode_archive import NETWORKS, encode_archive

    shutil.rmtree(folder, ignore_errors=True)
    first = encode_archive(backbone, [images], folder / "first").archive
    paths, encoder = list_images([images]), open_encoder(first)
    encoder.expect(100 * len(paths), first.root / NETWORKS)
    pixels = np.stack([tile.image for tile in file_tiles(paths, encoder.form, lambda ids: {})])
    batches = [pixels[at : at + encoder.batch] for at in range(0, len(pixels), encoder.batch)]
    places = iter(range(10**6))

    def fill():
        archive = Archive.create(folder / str(next(places)), encoder.identity)
        encode_tiles(archive, file_tiles(paths, encoder.form, archive.known), encoder)

    found = take_turns({"archive": fill, "bare": lambda: list(encoder.stream(batches))}, rounds)
    shutil.rmtree(folder)
    return {
        "images_a_second": len(paths) / found["archive"][0],
        "encode_over_bare": found["bare"][0] / found["archive"][0],
        "encode_over_bare_cpu": found["bare"][1] / found["archive"][1],
    }


def draw(found, path):
    """Time against rows, and ratios of it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    times, ratios = figure.subplots(1, 2)
    rows = [one["rows"] for one in found]
    lines = (
        ("1,000: archive (Parquet)", "many_queries_s", 1, "C0o-"),
        ("1,000: FAISS IndexBinaryFlat", "faiss_s", 1, "C1o-"),
        ("1,000: DuckDB, a statement each", "plain_s", 1, "C2o-"),
        ("one: archive (Parquet)", "one_query_ms", 1000, "C0s--"),
        ("one: FAISS IndexBinaryFlat", "faiss_one_ms", 1000, "C1s--"),
        ("one: DuckDB", "plain_one_ms", 1000, "C2s--"),
    )
    for label, name, parts, style in lines:
        times.plot(rows, [one[name] / parts for one in found], style, label=label)
    for mark, line, number, asked in (("o", "-", "many", "1,000 queries"), ("s", "--", "one", "one query")):
        for colour, other, name in (("C1", "faiss", "FAISS"), ("C2", "plain", "DuckDB")):
            values = [one[f"{number}_over_{other}"] for one in found]
            ratios.plot(rows, values, marker=mark, linestyle=line, color=colour, label=f"{asked}, over {name}")
            for row, value in zip(rows, values, strict=True):
                text = f"{value:.0f}" if value >= 10 else f"{value:.2g}"
                ratios.annotate(text, (row, value), (0, 5), textcoords="offset points", ha="center", size=8)
    times.set(xscale="log", yscale="log", xlabel="items", ylabel="seconds, two cores")
    ratios.set(xscale="log", yscale="log", xlabel="items", ylabel="archive's time over the other's")
    ratios.axhline(1, color="grey", linewidth=0.8)
    for axes in (times, ratios):
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    figure.savefig(path, dpi=120)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--distinct", type=float, help="share of distinct codes")
    parser.add_argument("--multi-hash", action="store_true", help="measure FAISS's IndexBinaryMultiHash too")
    parser.add_argument("--make-only", action="store_true", help="make the archives, to be measured later (--keep)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("archive-benchmark"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--results", type=Path, help="file of JSON lines to which each size is added")
    parser.add_argument("--figure", type=Path, help="PNG or SVG of what is in --results")
    parser.add_argument("--keep", action="store_true", help="leave the archives in --folder")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(THREADS)
    if arguments.images is not None:
        print(json.dumps(measure_encoding(arguments.images, arguments.backbone, arguments.folder, arguments.rounds)))
        return
    found = []
    for rows in arguments.rows:
        distinct = None if arguments.distinct is None else max(int(arguments.distinct * rows), 1)
        archive = make_archive(arguments.folder / str(rows), rows, distinct)
        if arguments.make_only:
            continue
        found.append(measure(archive, arguments.queries, distinct, arguments.rounds, arguments.multi_hash))
        if arguments.results:
            with arguments.results.open("a") as file:
                print(json.dumps(found[-1]), file=file)
        if not arguments.json:
            print("  ".join(f"{name} {value:,.4g}" for name, value in found[-1].items()), flush=True)
        if not (arguments.keep or arguments.make_only):
            shutil.rmtree(arguments.folder / str(rows))
    if arguments.json:
        print(json.dumps({f"{name}_{one['rows']}": value for one in found for name, value in one.items()}))
    if arguments.figure:
        lines = (
            arguments.results.read_text(encoding="utf-8").splitlines() if arguments.results else map(json.dumps, found)
        )
        draw(sorted(map(json.loads, lines), key=lambda one: one["rows"]), arguments.figure)


if __name__ == "__main__":
    main()
