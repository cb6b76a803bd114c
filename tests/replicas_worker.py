"""Trains and evaluates networks on one device and on two, in a process of its own: what `test_global_batch.py` starts.

python -m tests.replicas_worker: prints {network: {replicas: [losses of evaluate, losses of fit, weights]}} as JSON.
"""

import json

import numpy as np
import tensorflow as tf

from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.dual_bank import DualBank
from keras_dhnn.models.hash_head import hash_head
from keras_dhnn.models.sidhcnn import SIDHCNN

SIZES = {"pan": 5, "mul": 3}
# The last of three batches leaves the second replica less.
ITEMS, BATCH = 19, 8


def main():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    found = {name: {} for name in ("dhnn", "sidhcnn", "bank")}
    for strategy in (tf.distribute.get_strategy(), mirrored):
        replicas = strategy.num_replicas_in_sync
        for name, make in (("dhnn", dhnn), ("sidhcnn", sidhcnn)):
            with strategy.scope():
                model = make()
            found[name][replicas] = results(model)
    with mirrored.scope():
        try:
            sidhcnn(DualBank(SIZES, np.arange(ITEMS), np.arange(ITEMS) % 3, 8, 1))
        except ValueError as error:
            found["bank"][replicas] = str(error)
    print(json.dumps(found))


def branch(source):
    inputs = tf.keras.Input((SIZES[source],))
    identity = tf.keras.Model(inputs, tf.keras.layers.Activation("linear")(inputs))
    return DHNN(identity, hash_head(SIZES[source], 8, weight_decay=0.1), source, name=f"dhnn_{source}")


def dhnn():
    tf.keras.utils.set_random_seed(0)
    model = branch("pan")
    model.compile(tf.keras.optimizers.SGD(0.5))
    return model


def sidhcnn(bank=None):
    tf.keras.utils.set_random_seed(0)
    model = SIDHCNN([branch("pan"), branch("mul")])
    model.compile({source: tf.keras.optimizers.SGD(0.5) for source in SIZES}, gamma=0.5, bank=bank)
    return model


def results(model):
    random = np.random.default_rng(0)
    inputs = {source: random.normal(size=(ITEMS, size)).astype(np.float32) for source, size in SIZES.items()}
    targets = {"label": np.arange(ITEMS) % 3, "index": np.arange(ITEMS)}
    data = tf.data.Dataset.from_tensor_slices(({name: inputs[name] for name in model.input}, targets)).batch(BATCH)
    before = model.evaluate(data, verbose=0, return_dict=True)
    logs = {name: values[0] for name, values in model.fit(data, verbose=0).history.items()}
    weights = [float(np.abs(weight.numpy()).sum()) for weight in model.trainable_weights]
    return [before, logs, dict(enumerate(weights))]


if __name__ == "__main__":
    main()
