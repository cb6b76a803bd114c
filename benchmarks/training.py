"""What `fit` costs beside the gradient steps: images a second of Keras's fit, with our pipeline and callbacks,
against a bare loop over the same network, loss and optimiser on tensors that are in memory.

    python benchmarks/training.py [--preset ucmd] [--cut features|images] [--json]

The two are measured in turn, several times; the ratio printed is the median. Validation is left out on both sides.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.callbacks.collapse import CollapseGuard
from keras_dhnn.callbacks.progress import ProgressBar
from keras_dhnn.network import Network
from keras_dhnn.pipelines.prepare import prepare
from keras_dhnn.pipelines.synthetic import write_ucmd
from keras_dhnn.pipelines.ucmd import open_archive
from keras_dhnn.presets import load_preset
from keras_dhnn.train import compile_phase


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="ucmd", choices=["ucmd"])
    parser.add_argument("--cut", default="features", help="train what lies above it: features, stage5, ..., images")
    parser.add_argument("--per-class", type=int, default=20, help="images of each class of the twin")
    parser.add_argument("--steps", type=int, help="gradient steps a measurement (default: 400 for features, else 8)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    steps = arguments.steps or (400 if arguments.cut == "features" else 8)
    with tempfile.TemporaryDirectory() as folder:
        write_ucmd(Path(folder), per_class=arguments.per_class)
        info = prepare(open_archive(Path(folder)), Path(folder) / "ucmd-synthetic", synthetic=True).info
        experiment = load_preset(arguments.preset)
        network = Network(experiment, info, np.arange(4 * info.count))
        rates = [measure(network, arguments.cut, steps) for _ in range(arguments.repeats + 1)][1:]
    ratio = statistics.median(fit / bare for fit, bare in rates)
    if arguments.json:
        print(json.dumps({f"fit to bare loop, {arguments.preset}, {arguments.cut}": ratio}))
        return
    for fit, bare in rates:
        print(f"fit {fit:8.1f} images/s   bare loop {bare:8.1f} images/s   ratio {fit / bare:.3f}")
    print(f"median ratio {ratio:.3f} (must be at least 0.9)")
    sys.exit(ratio < 0.9)


def measure(network, cut, steps):
    """Images a second of fit and of the bare loop."""
    batch_size = network.experiment.training.batch_size
    items = np.arange(4 * network.info.count)
    steps_per_epoch = len(items) // batch_size
    epochs = max(1, steps // steps_per_epoch)
    model, make_batches = network.above(cut)
    compile_phase(model, network, items, "head" if cut == "features" else "fine_tune", epochs * steps_per_epoch)
    fit = _fit_rate(model, make_batches, items, batch_size, steps_per_epoch, epochs)
    bare = _bare_rate(model, make_batches, items, batch_size, epochs * steps_per_epoch)
    return fit, bare


def _fit_rate(model, make_batches, items, batch_size, steps, epochs):
    callbacks = [CollapseGuard(), ProgressBar(lambda done, note: None, steps)]
    clock = _Clock()
    data = make_batches(items, batch_size=batch_size, seed=0, epochs=range(epochs + 1), drop_remainder=True)
    # The first epoch builds the graph and fills the pipeline.
    model.fit(data, epochs=epochs + 1, steps_per_epoch=steps, callbacks=[*callbacks, clock], verbose=0)
    return batch_size * steps * epochs / (clock.ends[-1] - clock.ends[0])


def _bare_rate(model, make_batches, items, batch_size, steps):
    batches = list(make_batches(items, batch_size=batch_size, drop_remainder=True))
    optimizer = model.optimizer

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            parts = model.objective(model(images, training=True)[model.source], labels)
            loss = tf.add_n([parts["pairwise"], model.eta * parts["quantization"], *model.losses])
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )

    step(batches[0][0], batches[0][1]["label"])
    started = time.perf_counter()
    for number in range(steps):
        images, targets = batches[number % len(batches)]
        step(images, targets["label"])
    return batch_size * steps / (time.perf_counter() - started)


class _Clock(tf.keras.callbacks.Callback):
    """When each epoch ended."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(time.perf_counter())


if __name__ == "__main__":
    main()
