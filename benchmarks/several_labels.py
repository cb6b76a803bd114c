"""Measures what several labels an image are worth: graded similarity beside one label of each image.

    python benchmarks/several_labels.py [--count 800] [--seed 0] [--json]

Images are made up (`pipelines.synthetic.several_labels`). Two runs have the same queries, a fifth of the images, and
the same 64 bits; one is given all labels of an image, the other one of them at random. Both are scored by all labels.
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

import numpy as np

from keras_dhnn.pipelines.synthetic.several_labels import write_several_labels
from keras_dhnn.workflows.evaluate import evaluate
from keras_dhnn.workflows.fit import fit
from keras_dhnn.workflows.prepare import prepare


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), arguments.count, arguments.seed)
    print(json.dumps(result) if arguments.json else "\n".join(f"{name}: {value:.4f}" for name, value in result.items()))


def measure(folder, count, seed):
    """Return `{name: score}`."""
    root = write_several_labels(folder, count=count, seed=seed)
    several, one = root / "multilabel.csv", folder / "one.csv"
    _write_one_of_each(several, one, seed)
    queries = np.random.default_rng(seed).choice(count, count // 5, replace=False)
    (folder / "queries.txt").write_text("\n".join(f"{number:05d}" for number in queries), encoding="utf-8")
    prepare("several", root / "images", layout="images", data=folder / "data")
    result = {}
    for name, labels in (("several", several), ("one", one)):
        how = {"data": folder / "data", "runs": folder / "runs", "seed": seed, "split": folder / "queries.txt"}
        run = fit("several", labels=labels, run_name=name, **how)
        scores = evaluate(run, labels=several, data=folder / "data")
        for metric in ("ndcg_at_100", "weighted_map"):
            result[f"{metric} {name}"] = scores[metric]
        result[f"map {name}"] = scores["map"]["expected"]
    return result | {"ndcg_at_100 gain": result["ndcg_at_100 several"] - result["ndcg_at_100 one"]}


def _write_one_of_each(several, one, seed):
    random = np.random.default_rng(seed)
    with open(several, encoding="utf-8", newline="") as file, open(one, "w", encoding="utf-8", newline="") as written:
        header, *rows = csv.reader(file)
        table = csv.writer(written)
        table.writerow(["image", "label"])
        for name, *flags in rows:
            table.writerow([name, header[1 + random.choice(np.flatnonzero(np.array(flags) == "1"))]])


if __name__ == "__main__":
    main()
