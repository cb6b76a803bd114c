"""Answers requests by an export, in a process that has TensorFlow and nothing of ours: `answer.py EXPORT IN OUT`.

IN is a pickled list of (signature, {input: array}), OUT a pickled dictionary: `load` and `session`, lists of
{output: array} as `tf.saved_model.load` and the session-based loader answer; `unknown`, operations that this TensorFlow
does not know; `version`, of TensorFlow.
"""

import pickle
import sys
from pathlib import Path

for ours in ("keras_dhnn", "tensorflow_addons"):
    sys.modules[ours] = None  # an attempt to import it fails

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from tensorflow.core.protobuf import saved_model_pb2  # noqa: E402
from tensorflow.python.framework import op_def_registry  # noqa: E402


def operations(folder):
    graph = (
        saved_model_pb2.SavedModel.FromString((Path(folder) / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    )
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    functions = {function.signature.name for function in graph.library.function}
    return {node.op for node in nodes} - functions


def by_load(folder, requests):
    signatures = tf.saved_model.load(folder).signatures
    for signature, inputs in requests:
        answer = signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        yield {name: value.numpy() for name, value in answer.items()}


def by_session(folder, requests):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        definitions = tf.compat.v1.saved_model.loader.load(session, ["serve"], folder).signature_def
        for signature, inputs in requests:
            definition = definitions[signature]
            feed = {definition.inputs[name].name: value for name, value in inputs.items()}
            yield session.run({name: info.name for name, info in definition.outputs.items()}, feed)


def main(folder, requests, answers):
    requests = pickle.loads(Path(requests).read_bytes())
    used = operations(folder)
    result = {
        "load": list(by_load(folder, requests)),
        "session": list(by_session(folder, requests)),
        "operations": sorted(used),
        "unknown": sorted(op for op in used if op_def_registry.get(op) is None),
        "version": tf.__version__,
        "numpy": np.__version__,
    }
    Path(answers).write_bytes(pickle.dumps(result, protocol=4))


if __name__ == "__main__":
    main(*sys.argv[1:])
