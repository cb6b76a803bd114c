"""Load ImageNet weights into CNN-F, from MatConvNet's file `imagenet-vgg-f.mat`."""

from pathlib import Path

import numpy as np
import scipy.io

from keras_dhnn.errors import SettingError
from keras_dhnn.models.backbones.cnn_f import CNNF

WEIGHTED_LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")
NORMALIZATION_LAYERS = ("norm1", "norm2")
_VARIABLES = ("layers", "meta", "normalization", "net")


def load_vgg_f(path: Path | str, model: CNNF, max_bytes: int = 2**30) -> None:
    """Give a `CNNF` the ImageNet weights of fc7 and all below, and the mean colour of the images behind them.

    Reads the file as MatConvNet writes it now (`weights`, `meta.normalization`), as it did before 2015 (`filters` and
    `biases`, `normalization`), and wrapped in a structure `net`. The average image is reduced to its mean colour,
    since our images come in any rotation. Where the model scales its pixels, conv1's kernel is divided by that scale,
    so that the features are the file's. fc8 is left out. On error the model is unchanged. scipy's reader was not made
    for hostile files (a forged one can crash it): load one whose origin you trust.

    Args:
        path: the `.mat` file.
        model: a `CNNF` with the file's layer sizes; its weights are set in place.
        max_bytes: a larger file is refused before it is read (the real one holds 243 MB of numbers).

    Raises:
        OSError: if the file cannot be opened.
        SettingError: if the file is too large, is not such a file, or does not fit the model.
    """
    path = Path(path)
    net = _read(path, max_bytes)
    layers = _layers_by_name(path, net)
    for name in NORMALIZATION_LAYERS:
        _check_normalization(path, layers[name], model.get_layer(name))
    weights = {name: _kernel_and_bias(path, layers[name], model, name) for name in WEIGHTED_LAYERS}
    centring = model.get_layer("normalization")
    mean = _mean_colour(path, net, bands=centring.mean.shape[0])

    centring.set_weights([mean])
    kernel, bias = weights["conv1"]
    weights["conv1"] = [kernel / centring.scale, bias]
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)


def _read(path, max_bytes):
    with path.open("rb") as file:
        size = path.stat().st_size
        if size > max_bytes:
            raise SettingError(f"{path} has {size} bytes. Expected at most {max_bytes}.")
        try:
            variables = scipy.io.loadmat(file, simplify_cells=True, variable_names=_VARIABLES)
        except Exception as error:  # of nearly any type, where the file is damaged or of another format
            raise SettingError(
                f"{path} is not readable as MatConvNet's imagenet-vgg-f.mat, a MATLAB 5 file: {error}"
            ) from error
    return _structure(variables.get("net", variables))


def _structure(value):
    return value if isinstance(value, dict) else {}


def _layers_by_name(path, net):
    cells = net.get("layers")
    layers = [_structure(cell) for cell in (cells if isinstance(cells, list) else [])]
    layers = {layer["name"]: layer for layer in layers if isinstance(layer.get("name"), str)}
    for name in (*WEIGHTED_LAYERS, *NORMALIZATION_LAYERS):
        if name not in layers:
            raise SettingError(
                f"{path} is not a CNN-F network of MatConvNet. Expected a cell array `layers` with a structure named "
                f"{name}. Found: {', '.join(layers) or 'no such layers'}"
            )
    return layers


def _check_normalization(path, layer, ours):
    """Refuse MatConvNet's own retraining of CNN-F: the same shapes and another (or no) normalisation, not our
    network.
    """
    expected = [ours.size, ours.bias, ours.alpha, ours.beta]
    found = _numbers(layer.get("param"))
    if found.shape != (4,) or not np.allclose(found, expected, rtol=1e-4):
        raise SettingError(f"{path}: expected {layer['name']} with param {expected}. Found: {found}")


def _kernel_and_bias(path, layer, model, name):
    cell = layer.get("weights", [layer.get("filters"), layer.get("biases")])
    pair = list(cell) if isinstance(cell, list) or np.ndim(cell) == 1 else []
    found = [_numbers(array) for array in (pair if len(pair) == 2 else [None, None])]
    ours = model.get_layer(name)
    shape = tuple(ours.kernel.shape)
    if name.startswith("fc"):
        # A convolution over all of its input, in the order in which Flatten lists it: row, column, channel.
        window = model.get_layer("flatten").input.shape[1:] if name == "fc6" else (1, 1, shape[0])
        shape = (*window, shape[-1])
    for part, array, expected in zip(("kernel", "bias"), found, (shape, shape[-1:]), strict=True):
        # The reader drops dimensions of one.
        if array.shape != tuple(size for size in expected if size != 1):
            raise SettingError(f"{path}: expected {name}'s {part} of shape {expected}. Found shape: {array.shape}")
    return [array.reshape(weight.shape) for array, weight in zip(found, ours.weights, strict=True)]


def _mean_colour(path, net, bands):
    meta = _structure(net.get("meta", net))
    image = _numbers(_structure(meta.get("normalization")).get("averageImage"))
    if image.shape[-1:] != (bands,):
        raise SettingError(
            f"{path}: expected an image of {bands} bands as meta.normalization.averageImage. Found shape: {image.shape}"
        )
    return image.reshape(-1, bands).mean(axis=0, dtype="float64")


def _numbers(value):
    """Return `value` as a float32 array without dimensions of one; an empty array where it is not numeric."""
    is_numeric = np.isscalar(value) or isinstance(value, np.ndarray)
    array = np.asarray(value if is_numeric else None)
    return np.squeeze(array.astype("float32")) if array.dtype.kind in "fiu" else np.empty(0, "float32")
