"""Measures what is retrieved without labels and with few, on a prepared data set whose classes are known.

    python benchmarks/few_labels.py NAME [--data data] [--part none|few|rounds|published] [--seed 0] [--json]

Queries are one in ten of each class, by the seed; they are searched with and never learned from. Scores are expected
mAP over the whole database.

- none: no label at all, at 64 and 32 bits, beside the float features by cosine, and ITQ of them (Gong et al., 2013).
- few: 1, 3, 5, 10 and 20 labels a class, beside the same head trained on those images alone for as many steps.
- rounds: 21 labels a round for 5 rounds, those that `suggest` names, beside random ones.
- published: unsupervised deep hashing by others' losses with the same head on the same features: SSDH (Yang et al.,
  IJCAI 2018) and GreedyHash's unsupervised form (Su et al., NeurIPS 2018).
"""

import argparse
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.baselines.itq import ITQ
from keras_dhnn.evaluation.float_features import cosine_map
from keras_dhnn.evaluation.scores import expected_map
from keras_dhnn.experiment.presets import load_preset
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.training.network import Network
from keras_dhnn.training.train import train
from keras_dhnn.unlabelled.inference import UNKNOWN
from keras_dhnn.unlabelled.structure import find_structure
from keras_dhnn.unlabelled.suggestions import suggest
from keras_dhnn.workflows.prepare import load_prepared

PER_CLASS, ROUNDS, A_ROUND, STEPS = (1, 3, 5, 10, 20), 5, 21, 480


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--part", choices=("none", "few", "rounds", "published"), default="none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    bench = Bench(load_prepared(arguments.name, arguments.data), arguments.seed)
    result = {}
    for name, value in getattr(bench, arguments.part)():
        result[name] = round(value, 4)
        if not arguments.json:
            print(f"{name}: {result[name]}", flush=True)
    if arguments.json:
        print(json.dumps(result))


class Bench:
    """One data set and seed; each part yields (name, mAP)."""

    def __init__(self, info, seed):
        self.info, self.seed = info, seed
        base = load_preset(info.name, info)
        self.experiment = base.replace(
            {"seed": seed, "data.protocol": "grouped", "data.queries": 0.1, "data.validation": 0.0, "data.turns": 1}
        )
        self.split = draw_split(self.experiment.data, seed, info)
        self.features = Network(self.experiment, info, self.split.database).frozen_features()
        self.random = np.random.default_rng(1000 + seed)

    def none(self):
        """Without labels."""
        queries, database = self.split.queries, self.split.database
        yield "float", cosine_map(self.features, self.info.labels, queries, database)
        for bits in (64, 32):
            yield f"ours {bits}", self._learned(np.zeros(self.info.count, bool), bits=bits)
            yield f"itq {bits}", self._map(_itq(self.features, database, bits, self.seed))

    def few(self):
        """With some labels of each class."""
        for count in PER_CLASS:
            chosen = self._drawn(count)
            yield f"alone {count}", self._alone(chosen)
            yield f"ours {count}", self._learned(np.isin(np.arange(self.info.count), chosen))

    def rounds(self):
        """With labels that are suggested, and random ones."""
        database = self.split.database
        structure = find_structure(self.features[database], seed=self.seed)
        asked, drawn = np.full(len(database), UNKNOWN), np.full(len(database), UNKNOWN)
        for number in range(1, ROUNDS + 1):
            for name, labels in (("suggested", asked), ("random", drawn)):
                if name == "suggested":
                    new = suggest(structure, labels, A_ROUND, seed=self.seed)
                else:
                    new = self.random.choice(np.flatnonzero(labels == UNKNOWN), A_ROUND, replace=False)
                labels[new] = self.info.labels[database[new]]
                known = np.zeros(self.info.count, bool)
                known[database[labels != UNKNOWN]] = True
                yield f"{name} {number}", self._learned(known)

    def published(self):
        """By others' losses, 64 and 32 bits."""
        for bits in (64, 32):
            for name, loss in (("ssdh", _Ssdh), ("greedyhash", _GreedyHash)):
                yield f"{name} {bits}", self._map(_trained(self.features, self.split.database, bits, self.seed, loss))

    def _drawn(self, count):
        labels = self.info.labels
        places = [self.split.database[labels[self.split.database] == c] for c in range(len(self.info.classes))]
        return np.sort(np.concatenate([self.random.choice(p, min(count, len(p)), replace=False) for p in places]))

    def _learned(self, known, bits=64):
        """mAP of what all images teach where some labels are known."""
        sets = np.eye(len(self.info.classes), dtype=bool)[self.info.labels] & known[:, None]
        return self._fit(self.info.with_labels(Labels(self.info.classes, sets)), self.split, bits)

    def _alone(self, chosen, bits=64):
        """mAP of a head trained on labelled images alone."""
        return self._fit(self.info, Split("grouped", self.seed, 1, self.split.queries, chosen, []), bits)

    def _fit(self, info, split, bits):
        steps = max(1, len(split.database) // self.experiment.training.batch_size)
        epochs = math.ceil(STEPS / steps)
        changes = {"model.bits": bits, "head.epochs": epochs, "training.validate_every": epochs}
        experiment = self.experiment.replace(changes)
        with tempfile.TemporaryDirectory() as folder:
            outputs = train(experiment, info, split, Path(folder)).outputs
        return expected_map(outputs, self.info.labels, self.split)

    def _map(self, outputs):
        return expected_map({"image": outputs}, self.info.labels, self.split)


def _itq(features, database, bits, seed):
    """Outputs of ITQ of the database's features."""
    hasher = ITQ(bits, seed=seed).fit(features[database])
    return (features - hasher.mean_) @ hasher.projection_


class _Ssdh:
    """Semantic structure by a half Gaussian fitted to either end of the pairs' cosine distances.

    Similar below `m_left - a s_left`, dissimilar above `m_right + b s_right`, left out between: a = b = 2 as in the
    paper; the loss is the squared difference between the relaxed codes' similarity and that of the structure.
    """

    def __init__(self, units):
        distances = 1 - (units @ units.T)[np.triu_indices(len(units), 1)]
        histogram, edges = np.histogram(distances, 100)
        peak = edges[histogram.argmax()]
        left, right = distances[distances <= peak], distances[distances > peak]
        spreads = np.sqrt(np.mean((left - peak) ** 2)), np.sqrt(np.mean((right - peak) ** 2))
        self.near, self.far = peak - 2 * spreads[0], peak + 2 * spreads[1]

    def __call__(self, outputs, units):
        codes = tf.tanh(outputs)
        distances = 1 - tf.matmul(units, units, transpose_b=True)
        similar, unlike = tf.cast(distances <= self.near, tf.float32), tf.cast(distances > self.far, tf.float32)
        found = tf.matmul(codes, codes, transpose_b=True) / outputs.shape[1]
        counted = similar + unlike
        return tf.reduce_sum(counted * (found - (similar - unlike)) ** 2) / tf.maximum(tf.reduce_sum(counted), 1)


class _GreedyHash:
    """The cosine of two codes, whose signs pass gradients straight through, is to be that of the features."""

    def __init__(self, units):
        del units

    def __call__(self, outputs, units):
        codes = outputs + tf.stop_gradient(tf.where(outputs >= 0, 1.0, -1.0) - outputs)
        found = tf.matmul(codes, codes, transpose_b=True) / outputs.shape[1]
        wanted = tf.matmul(units, units, transpose_b=True)
        penalty = tf.reduce_mean(tf.abs(tf.abs(outputs) - 1) ** 3)
        return tf.reduce_mean((found - wanted) ** 2) + 0.1 * penalty


def _trained(features, database, bits, seed, make_loss):
    """Outputs of all items by the head of our preset on standardised features, trained with a loss of others."""
    tf.keras.utils.set_random_seed(seed)
    mean, deviation = features[database].mean(axis=0), features[database].std(axis=0) + 1e-3
    inputs = ((features - mean) / deviation).astype(np.float32)
    # Similarities are those of centred features, which are better than those as they come.
    units = features - mean
    units = (units / np.linalg.norm(units, axis=1, keepdims=True)).astype(np.float32)
    loss = make_loss(units[database])
    head = tf.keras.Sequential([tf.keras.layers.Dense(512, "relu"), tf.keras.layers.Dense(bits)])
    head.build((None, inputs.shape[1]))
    schedule = tf.keras.optimizers.schedules.CosineDecay(1e-3, 2 * STEPS)
    optimizer = tf.keras.optimizers.Adam(schedule)
    optimizer.build(head.trainable_variables)

    @tf.function
    def step(rows, similar_rows):
        with tf.GradientTape() as tape:
            value = loss(head(rows), similar_rows)
        gradients = tape.gradient(value, head.trainable_variables)
        optimizer.apply_gradients(zip(gradients, head.trainable_variables, strict=True))

    random = np.random.default_rng(seed)
    for _ in range(2 * STEPS):
        batch = random.choice(database, min(128, len(database)), replace=False)
        step(inputs[batch], units[batch])
    return head.predict(inputs, batch_size=1024, verbose=0)


if __name__ == "__main__":
    main()
