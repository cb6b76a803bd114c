"""How many images a second the input pipeline gives alone, against what training takes from it.

    python benchmarks/input_pipeline.py [--preset ucmd|sat4] [--cut features|images] [--data data/ucmd] [--json]

Training is the preset's network, loss and optimiser above the cut, stepping over one batch in memory. The pipeline is
the one that `fit` uses there: images, turned, resized and augmented as the preset says, or, above "features", the
cached outputs of the frozen backbone. For images also with records streamed from disk, and of ucmd with every
augmentation switched on. All are measured in turn, several times; the ratios printed are medians. Without `--data` the
images are a synthetic twin's.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.config import Augmentation
from keras_dhnn.experiment.presets import load_preset
from keras_dhnn.pipelines.augment import augmentation
from keras_dhnn.pipelines.batches import batches
from keras_dhnn.pipelines.datasets import sat4, ucmd
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.pipelines.store.prepare import prepare
from keras_dhnn.pipelines.store.record_store import open_records
from keras_dhnn.pipelines.synthetic.sat4_twin import write_sat4
from keras_dhnn.pipelines.synthetic.ucmd_twin import write_ucmd
from keras_dhnn.training.network import Network
from keras_dhnn.training.train import compile_phase

TARGET = 3.0
AUGMENTED = Augmentation(flips=True, angles=10.0, colour=0.2, crop=0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="ucmd", choices=["ucmd", "sat4"])
    parser.add_argument("--cut", default="images", help="train what lies above it: features, stage5, ..., images")
    parser.add_argument("--data", type=Path, help="a prepared data set's folder (default: a synthetic twin)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with _data_set(arguments.preset, arguments.data) as info:
        experiment = load_preset(arguments.preset, info)
        network = Network(experiment, info, Items(experiment.data.turns).all(info.count))
        rates = measure(network, arguments.cut, arguments.seconds, arguments.repeats)
    taken = rates.pop("training")
    ratios = {name: statistics.median(np.divide(given, taken)) for name, given in rates.items()}
    if arguments.json:
        print(json.dumps({f"{name} to training, {arguments.preset}, {arguments.cut}": r for name, r in ratios.items()}))
        return
    print(f"training takes {statistics.median(taken):,.1f} images/s above {arguments.cut!r}")
    for name, ratio in ratios.items():
        print(f"{name:24} gives {statistics.median(rates[name]):10,.1f} images/s   ratio {ratio:.1f}")
    print(f"(the pipeline must give at least {TARGET:.0f} times what training takes)")
    sys.exit(int(ratios["pipeline"] < TARGET))


def measure(network, cut, seconds, repeats):
    """{what: [images a second of each repeat]}; the first round, which builds the graphs, is left out."""
    training = network.experiment.training
    model, make_batches = network.above(cut)
    items = np.arange(len(network.labels))
    compile_phase(model, network, items, "head" if cut == "features" else "fine_tune", 1000)
    pipelines = {"pipeline": make_batches}
    if make_batches == network._image_batches:
        how = {"turns": network.experiment.data.turns, "image_size": network.experiment.data.image_size}
        streamed = open_records(network.info, memory_budget=0)
        pipelines["streamed from disk"] = lambda items, **k: batches(network.info, items, records=streamed, **k, **how)
        if network.info.images["image"].channels == 3:
            augment = augmentation(AUGMENTED)
            pipelines["with every augmentation"] = lambda items, **k: batches(
                network.info, items, augment=augment, **k, **how
            )
    rates = {name: [] for name in ("training", *pipelines)}
    for _ in range(repeats + 1):
        rates["training"].append(_training_rate(model, make_batches, training.batch_size, seconds))
        for name, make in pipelines.items():
            rates[name].append(_pipeline_rate(make, network, training.batch_size, seconds))
    return {name: values[1:] for name, values in rates.items()}


def _training_rate(model, make_batches, batch_size, seconds):
    batch = next(iter(make_batches(np.arange(batch_size), batch_size=batch_size, seed=0)))
    step = tf.function(model.train_step)
    step(batch)
    return _rate(lambda: step(batch), batch_size, seconds)


def _pipeline_rate(make_batches, network, batch_size, seconds):
    items = np.arange(len(network.labels))
    # More epochs than there is time for.
    iterator = iter(make_batches(items, batch_size=batch_size, seed=0, epochs=range(10_000), drop_remainder=True))
    next(iterator)
    return _rate(lambda: next(iterator), batch_size, seconds)


def _rate(step, batch_size, seconds):
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds or not count:
        step()
        count += 1
    return batch_size * count / (time.perf_counter() - started)


@contextlib.contextmanager
def _data_set(preset, directory):
    if directory:
        yield DatasetInfo.load(directory)
        return
    with tempfile.TemporaryDirectory() as folder:
        if preset == "sat4":
            write_sat4(Path(folder), size=20_000)
        else:
            write_ucmd(Path(folder), per_class=20)
        archive = {"sat4": sat4, "ucmd": ucmd}[preset].open_archive(Path(folder))
        yield prepare(archive, Path(folder) / f"{preset}-synthetic", synthetic=True).info


if __name__ == "__main__":
    main()
