"""What `fit` costs beside the gradient steps: images a second of Keras's fit, with our pipeline and callbacks,
against a bare loop over the same network, loss and optimiser on tensors that are in memory.

    python benchmarks/training.py [--preset ucmd] [--cut features|images] [--json]
    python benchmarks/training.py --preset sat4 [--precision bfloat16] [--json]

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
from keras_dhnn.pipelines import sat4, ucmd
from keras_dhnn.pipelines.prepare import prepare
from keras_dhnn.pipelines.sat4_twin import write_sat4
from keras_dhnn.pipelines.synthetic import write_ucmd
from keras_dhnn.presets import load_preset
from keras_dhnn.train import compile_phase


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="ucmd", choices=["ucmd", "sat4"])
    parser.add_argument("--cut", help="train what lies above it: features (ucmd's default), stage5, images (sat4's)")
    parser.add_argument("--precision", default="float32", help="float32 or bfloat16")
    parser.add_argument("--per-class", type=int, default=20, help="images of each class of ucmd's twin")
    parser.add_argument("--size", type=int, default=20_000, help="patches of sat4's twin")
    parser.add_argument("--steps", type=int, help="steps a measurement (default: 400 for features, sat4 78, else 8)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    preset, cut = arguments.preset, arguments.cut or {"ucmd": "features", "sat4": "images"}[arguments.preset]
    steps = arguments.steps or {"features": 400}.get(cut, {"ucmd": 8, "sat4": 78}[preset])
    experiment = load_preset(preset).override(f"training.precision={arguments.precision}")
    with tempfile.TemporaryDirectory() as folder:
        info = _twin(Path(folder), preset, arguments)
        network = Network(experiment, info, np.arange(experiment.data.turns * info.count))
        rates = [measure(network, cut, steps) for _ in range(arguments.repeats + 1)][1:]
    ratio = statistics.median(fit / bare for fit, bare in rates)
    if arguments.json:
        print(json.dumps({f"fit to bare loop, {preset}, {cut}": ratio}))
        return
    for fit, bare in rates:
        print(f"fit {fit:8.1f} images/s   bare loop {bare:8.1f} images/s   ratio {fit / bare:.3f}")
    print(f"median ratio {ratio:.3f} (must be at least 0.9)")
    sys.exit(ratio < 0.9)


def _twin(folder, preset, arguments):
    if preset == "ucmd":
        write_ucmd(folder, per_class=arguments.per_class)
        archive = ucmd.open_archive(folder)
    else:
        write_sat4(folder, size=arguments.size)
        archive = sat4.open_archive(folder)
    return prepare(archive, folder / f"{preset}-synthetic", synthetic=True).info


def measure(network, cut, steps):
    """Images a second of fit and of the bare loop."""
    batch_size = network.experiment.training.batch_size
    items = np.arange(len(network.labels))
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
