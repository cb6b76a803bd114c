"""How much of a float search 256 bits keep: recall@10 of codes of made-up embeddings, beside FAISS of the same bytes.

100,000 vectors of 768 values in 500 clusters (spread in 48 directions of each cluster's own, and a little in all),
brought to length 1; 1,000 more search. What is to be found are the ten of the largest cosine, FAISS's `IndexFlatIP`.

- ours: the bits of `encode --embeddings` (ITQ's rotation or a random one, by recall among the database itself), order
  by the query's outputs against the codes' signs (asymmetric);
- ours_hamming: the same bits, order by distance, ties by id;
- ours_itq: ITQ's rotation in any case, asymmetric;
- faiss_itq: FAISS's `ITQTransform` to 256 bits, order by its outputs against its signs;
- faiss_itq_hamming: `IndexBinaryFlat` over its bits;
- faiss_pq: `IndexPQ` of 32 bytes.

    python benchmarks/embeddings.py [--vectors 100000] [--seed 0] [--json]
"""

import argparse
import json
import os

# Threads that wait sleep: where something else runs too, they would otherwise stand in its way and their own.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import faiss
import numpy as np

from keras_dhnn.archive.learned import learn_bits, outputs_of
from keras_dhnn.codes import pack, unpack
from keras_dhnn.workflows.encode_vectors import learn_rotation

SIZE, CLUSTERS, DIRECTIONS, BITS, QUERIES, NEAREST = 768, 500, 48, 256, 1000, 10


def make_vectors(count, rng):
    """`(count, SIZE)` float32 of length 1."""
    centres = rng.normal(size=(CLUSTERS, SIZE)).astype(np.float32)
    directions = rng.normal(size=(CLUSTERS, DIRECTIONS, SIZE)).astype(np.float32)
    cluster = rng.integers(0, CLUSTERS, count)
    vectors = centres[cluster] + 0.2 * rng.normal(size=(count, SIZE)).astype(np.float32)
    for number in range(CLUSTERS):
        own = cluster == number
        weights = rng.normal(size=(own.sum(), DIRECTIONS)).astype(np.float32)
        vectors[own] += 0.12 * weights @ directions[number]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def recall(found, wanted):
    """Share of the wanted that were found."""
    return float(np.mean([len(np.intersect1d(*pair)) / NEAREST for pair in zip(found, wanted, strict=True)]))


def by_signs(outputs, codes):
    """The nearest by the inner product of real outputs with signs."""
    index = faiss.IndexFlatIP(BITS)
    index.add(unpack(codes).astype(np.float32))
    return index.search(np.ascontiguousarray(outputs, np.float32), NEAREST)[1]


def by_bits(queries, codes):
    """The nearest by the number of bits that differ."""
    index = faiss.IndexBinaryFlat(BITS)
    index.add(codes)
    return index.search(queries, NEAREST)[1]


def measure(count, seed):
    """`{way: recall@10}`."""
    vectors = make_vectors(count + QUERIES, np.random.default_rng(seed))
    queries, database = vectors[:QUERIES], vectors[QUERIES:]
    exact = faiss.IndexFlatIP(SIZE)
    exact.add(database)
    wanted = exact.search(queries, NEAREST)[1]
    learned, itq = learn_rotation(database, BITS), learn_bits(database, BITS)
    ours = pack(outputs_of(database, learned))
    transform = faiss.ITQTransform(SIZE, BITS, True)
    transform.train(database)
    theirs, asked = transform.apply(database), transform.apply(queries)
    codes = pack(theirs)
    product = faiss.IndexPQ(SIZE, BITS // 8, 8, faiss.METRIC_INNER_PRODUCT)
    product.train(database)
    product.add(database)
    return {
        "ours": recall(by_signs(outputs_of(queries, learned), ours), wanted),
        "ours_itq": recall(by_signs(outputs_of(queries, itq), pack(outputs_of(database, itq))), wanted),
        "ours_hamming": recall(by_bits(pack(outputs_of(queries, learned)), ours), wanted),
        "faiss_itq": recall(by_signs(asked, codes), wanted),
        "faiss_itq_hamming": recall(by_bits(pack(asked), codes), wanted),
        "faiss_pq": recall(product.search(queries, NEAREST)[1], wanted),
    }


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="of the vectors")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.vectors, arguments.seed)
    print(json.dumps(found) if arguments.json else "\n".join(f"{name:20} {value:.4f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
