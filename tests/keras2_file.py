"""Files as Keras 2.15 wrote runs' networks, so that the other Keras can be tested with them."""

import io
import json
import zipfile

import h5py
import numpy as np

from keras_dhnn.models.named_weights import constants

# Names of classes in such a file, numbered from the second on in each list of layers.
_SNAKES = {
    "EfficientNetLite0": "efficient_net_lite0",
    "Functional": "functional",
    "CNNF": "cnnf",
    "DHNN": "dhnn",
    "InputLayer": "input_layer",
    "Conv2D": "conv2d",
    "DepthwiseConv2D": "depthwise_conv2d",
    "BatchNormalization": "batch_normalization",
    "Dense": "dense",
    "MeanSubtraction": "mean_subtraction",
}


def write_keras2_file(path, model, change=lambda file: None):
    """Write a `DHNN` or `SIDHCNN`; `change` may do something to the HDF5 file of the weights."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        branches = getattr(model, "branches", None)
        if branches is None:
            _write_branch(file, "", model)
        else:
            for name, branch in zip(_names(branches.values()), branches.values(), strict=True):
                _write_branch(file, f"parts/{name}/", branch)
        change(file)
    config = _config(model) if branches is None else {"branches": [_config(one) for one in branches.values()]}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        archive.writestr("config.json", json.dumps(config if branches is None else {"config": config}))
        archive.writestr("model.weights.h5", buffer.getvalue())


def _write_branch(file, place, branch):
    parts = [branch.backbone, branch.head]
    for name, part in zip(_names(parts), parts, strict=True):
        _write_layers(file, f"{place}parts/{name}/layers/", part)


def _write_layers(file, place, network):
    for name, layer in zip(_names(network.layers), network.layers, strict=True):
        if hasattr(layer, "layers"):
            _write_layers(file, f"{place}{name}/layers/", layer)
            continue
        for number, weight in enumerate(layer.weights):
            file[f"{place}{name}/vars/{number}"] = np.asarray(weight.numpy())


def _names(members):
    seen, names = {}, []
    for member in members:
        name = _SNAKES.get(type(member).__name__, type(member).__name__)
        seen[name] = seen.get(name, -1) + 1
        names.append(f"{name}_{seen[name]}" if seen[name] else name)
    return names


def _config(branch):
    """The settings of a branch, of whose layers only the constants are told."""

    def of_part(part):
        layers = [
            {
                "class_name": type(layer).__name__,
                "config": {"name": layer.name, **{name: value.tolist() for name, value in constants(layer).items()}},
            }
            for layer in part.layers
        ]
        return {"class_name": type(part).__name__, "config": {"name": part.name, "layers": layers}}

    parts = {name: of_part(part) for name, part in branch.parts.items()}
    return {"class_name": "DHNN", "config": {**parts, "source": branch.source}}
