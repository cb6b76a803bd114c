"""What puts equal Hamming distances in order: what it is worth for mAP, and inside a class.

Takes a run of UC Merced (its codes, outputs and split) and the features of its frozen backbone for all items, as
`data/.ucmd.activations/KEY.npy` holds them: 8,400 x 1,712 of EfficientNet-Lite0. Beside the run's own codes it learns
32, 64 and 128 bits by ITQ on the database. mAP is over `--queries` of the run's queries; ties at random are the mean of
three orders. Then as many turned images search the upright ones: which rank, in its own class, has the image itself?

    python benchmarks/tie_order.py RUN FEATURES.npy [--queries 600] [--json]
"""

import argparse
import json

import numpy as np

from keras_dhnn.archive.learned import learn_bits, learn_features, outputs_of
from keras_dhnn.archive.schema import quantize_features
from keras_dhnn.codes import hamming_distances, pack, unpack
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.runs import Run

FEATURES, BEST, TURNS = 64, 200, 4


def average_precision(scores, relevant):
    """Mean over rows of the average precision of descending scores without ties."""
    found = np.take_along_axis(relevant, np.argsort(-scores, axis=1, kind="stable"), axis=1)
    precision = np.cumsum(found, axis=1) / np.arange(1, found.shape[1] + 1)
    return float(((precision * found).sum(axis=1) / found.sum(axis=1)).mean())


def below_one(scores):
    """Scores brought to 0 up to less than 1: they order what is equal, and nothing else."""
    return 0.9 * (scores - scores.min()) / max(np.ptp(scores), 1e-12)


def best_first(scores, second, count):
    """Scores by which the best `count` of each row are put in order by another score alone."""
    rank = np.argsort(np.argsort(-scores, axis=1), axis=1)
    return np.where(rank < count, 1 + below_one(second), -rank / rank.shape[1])


def orders(distances, asymmetric, cosine, rng):
    """`{name: scores}` of the orders that are compared."""
    ties = -distances + below_one(asymmetric)
    by_features = -distances + below_one(cosine)
    return {
        **{f"random {number}": -distances + 0.5 * rng.random(distances.shape) for number in range(3)},
        "asymmetric inside ties": ties,
        "features inside ties": by_features,
        f"asymmetric, the best {BEST}": best_first(ties, asymmetric, BEST),
        f"features, the best {BEST}": best_first(by_features, cosine, BEST),
        "asymmetric, all": asymmetric,
    }


def own_rank(scores, labels, asked, searched, own):
    """Mean rank of each row's own column among those of its label, and the share that is first; ties count half."""
    same = labels[asked][:, None] == labels[searched][None]
    mine = np.take_along_axis(scores, own[:, None], axis=1)
    rank = ((scores > mine) & same).sum(axis=1) + (((scores == mine) & same).sum(axis=1) + 1) / 2
    return [round(float(rank.mean()), 1), round(float((rank <= 1).mean()), 2)]


def measure(outputs, unit, labels, split, queries):
    """`{order: mAP}` and `{order: [mean rank, share first]}` of one set of codes."""
    rng, codes = np.random.default_rng(0), pack(outputs)
    signs = unpack(codes).astype(np.float32)
    asked = rng.permutation(split.queries)[:queries]

    def parts(asked, searched):
        found = hamming_distances(codes[asked], codes[searched])
        return found, outputs[asked].astype(np.float32) @ signs[searched].T, unit[asked] @ unit[searched].T

    relevant = labels[asked][:, None] == labels[split.database][None]
    scores = orders(*parts(asked, split.database), rng)
    maps = {name: average_precision(one, relevant) for name, one in scores.items()}
    maps = {"ties at random": np.mean([maps.pop(f"random {number}") for number in range(3)]), **maps}
    upright = np.arange(0, len(labels), TURNS)
    own = rng.permutation(len(upright))[:queries]
    turned = upright[own] + 1 + rng.integers(0, TURNS - 1, len(own))
    distances, asymmetric, cosine = parts(turned, upright)
    ways = {
        "distance alone": -distances,
        "asymmetric inside ties": -distances + below_one(asymmetric),
        "features inside ties": -distances + below_one(cosine),
        "features alone": cosine,
    }
    ranks = {name: own_rank(one, labels, turned, upright, own) for name, one in ways.items()}
    return {name: round(float(value), 4) for name, value in maps.items()}, ranks


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("features")
    parser.add_argument("--queries", type=int, default=600)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    run, vectors = Run.open(arguments.run), np.asarray(np.load(arguments.features, mmap_mode="r"), np.float32)
    stored, split = run.load_codes(), Split.load(run.split_path)
    learned = learn_features(vectors[split.database], FEATURES)
    kept = (vectors - learned["features_mean"]) @ learned["features_directions"]
    unit = quantize_features(kept).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    made = {"run": stored["outputs"].astype(np.float32)}
    for bits in (32, 64, 128):
        made[f"ITQ {bits}"] = outputs_of(vectors, learn_bits(vectors[split.database], bits))
    found = {n: measure(one, unit, stored["labels"], split, arguments.queries) for n, one in made.items()}
    if arguments.json:
        print(json.dumps({f"{name}: {way}": v for name, (maps, _) in found.items() for way, v in maps.items()}))
        return
    for name, (maps, ranks) in found.items():
        print(name, *(f"  {way:28} {value}" for part in (maps, ranks) for way, value in part.items()), sep="\n")


if __name__ == "__main__":
    main()
