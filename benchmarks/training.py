"""What `fit` costs beside the gradient steps: images a second of Keras's fit, with our pipeline, progress and guard
against collapse, against a bare loop over the same network, loss and optimiser on tensors that are in memory.

    python benchmarks/training.py [--preset ucmd|ucmd-dual|sat4] [--cut features|images] [--json]
    python benchmarks/training.py --preset ucmd-dual --cut images --backbone pan=pan_cnn,mul=mul_cnn
    python benchmarks/training.py --preset sat4 [--precision bfloat16]

The two are measured in turn, several times; the ratio printed is the median. Both compute by deterministic operations,
as `fit` does, unless told not to. What comes once an epoch, validation, states and logs, is left out. Of two sources
the time of the paper's training, 75,000 dual samples 30 times, is projected from the rate.
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

from keras_dhnn.experiment.presets import load_preset
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.pipelines.datasets import sat4, ucmd, ucmd_dual
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.store.prepare import prepare
from keras_dhnn.pipelines.synthetic.sat4_twin import write_sat4
from keras_dhnn.pipelines.synthetic.ucmd_twin import write_ucmd
from keras_dhnn.training.callbacks.collapse import CollapseGuard
from keras_dhnn.training.callbacks.progress import ProgressBar
from keras_dhnn.training.network import Network
from keras_dhnn.training.train import compile_phase

# What is trained of each preset by default: all that lies above this cut.
_CUTS = {"ucmd": "features", "ucmd-dual": "features", "sat4": "images"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="ucmd", choices=list(_CUTS))
    parser.add_argument("--cut", help="train what lies above it: features, stage5, ..., images (sat4's default)")
    parser.add_argument("--backbone", help="another network than the preset's; pan_cnn and mul_cnn see stored sizes")
    parser.add_argument("--precision", default="float32", help="float32 or bfloat16")
    parser.add_argument("--per-class", type=int, default=20, help="images of each class of ucmd's twin")
    parser.add_argument("--size", type=int, default=20_000, help="patches of sat4's twin")
    parser.add_argument("--steps", type=int, help="steps a measurement (default: 400 for features, sat4 78, else 8)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--nondeterministic", action="store_true", help="on both sides")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not arguments.nondeterministic:
        tf.config.experimental.enable_op_determinism()
        tf.keras.utils.set_random_seed(0)
    preset, cut = arguments.preset, arguments.cut or _CUTS[arguments.preset]
    steps = arguments.steps or {"features": 400}.get(cut, 78 if preset == "sat4" else 8)
    experiment = _experiment(preset, arguments.backbone, cut, arguments.precision)
    with tempfile.TemporaryDirectory() as folder:
        info = _twin(Path(folder), preset, arguments)
        network = Network(experiment, info, Items(experiment.data.turns).all(info.count))
        rates = [measure(network, cut, steps) for _ in range(arguments.repeats + 1)][1:]
    ratio = statistics.median(fit / bare for fit, bare in rates)
    if arguments.json:
        print(json.dumps({f"fit to bare loop, {preset}, {cut}": ratio}))
        return
    for fit, bare in rates:
        print(f"fit {fit:8.1f} images/s   bare loop {bare:8.1f} images/s   ratio {fit / bare:.3f}")
    print(f"median ratio {ratio:.3f} (must be at least 0.9)")
    if len(network.branches) > 1:
        rate = statistics.median(fit for fit, _ in rates)
        print(f"75,000 dual samples, 30 times: {30 * 75_000 / rate / 3600:.2f} hours at {rate:.0f} dual samples/s")
    sys.exit(ratio < 0.9)


def _experiment(preset, backbone, cut, precision):
    experiment = load_preset(preset).override(f"training.precision={precision}")
    if backbone:
        experiment = experiment.override(f"model.backbone={backbone}", "model.hidden=0", "data.image_size=0")
    elif cut.startswith("stage"):  # of one network alone
        experiment = experiment.override("model.backbone=efficientnet_lite0")
    phase, other = ("head", "fine_tune") if cut == "features" else ("fine_tune", "head")
    return experiment.override(f"{phase}.cut={cut}", f"{phase}.epochs=1", f"{other}.epochs=0")


def _twin(folder, preset, arguments):
    if preset == "sat4":
        write_sat4(folder, size=arguments.size)
    else:
        write_ucmd(folder, per_class=arguments.per_class)
    archive = {"sat4": sat4, "ucmd": ucmd, "ucmd-dual": ucmd_dual}[preset].open_archive(folder)
    return prepare(archive, folder / f"{preset}-synthetic", synthetic=True).info


def measure(network, cut, steps):
    """Images a second of fit and of the bare loop."""
    batch_size = network.experiment.training.batch_size
    items = np.arange(len(network.labels))
    steps_per_epoch = len(items) // batch_size
    epochs = max(1, steps // steps_per_epoch)
    model, make_batches = network.above(cut)
    phase = "head" if cut == "features" else "fine_tune"
    compile_phase(model, network, items, phase, epochs * steps_per_epoch, steps_per_epoch)
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
    step = _dual_step(model) if isinstance(model, SIDHCNN) else _step(model)
    step(batches[0][0], batches[0][1]["label"])
    started = time.perf_counter()
    for number in range(steps):
        images, targets = batches[number % len(batches)]
        step(images, targets["label"])
    return batch_size * steps / (time.perf_counter() - started)


def _step(model):
    """The plainest step: one source."""

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            parts = model.objective(model(images, training=True)[model.source], {"label": labels})
            loss = tf.add_n([parts["pairwise"], model.eta * parts["quantization"], *model.losses])
        model.optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )

    return step


def _dual_step(model):
    """The plainest step: two sources, both networks at once."""

    @tf.function
    def step(images, labels):
        with tf.GradientTape() as tape:
            terms = model.objective(model(images, training=True), labels)
            loss = tf.add_n([model.weights_of_terms[name] * term for name, term in terms.items()] + model.losses)
        variables = {source: branch.trainable_variables for source, branch in model.branches.items()}
        for source, gradients in tape.gradient(loss, variables).items():
            model.optimizers[source].apply_gradients(zip(gradients, variables[source], strict=True))

    return step


class _Clock(tf.keras.callbacks.Callback):
    """When each epoch ended."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(time.perf_counter())


if __name__ == "__main__":
    main()
