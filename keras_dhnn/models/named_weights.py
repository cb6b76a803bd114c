"""Name a network's numbers: the same names, in the same order, whichever Keras built it."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

_MODEL = "model"
# Constants of a `Normalization` that was made with them, which are in its settings, not among its weights.
CONSTANTS = ("mean", "variance")


def named_weights(model: Any) -> dict[str, Any]:
    """Return the weights of a `DHNN` or `SIDHCNN`, such as "image/backbone/stem_conv/0".

    Layers that Keras named are numbered anew in the order in which they were made, since its own numbers go on from
    model to model.

    Args:
        model: the network.

    Returns:
        `{source/part/layer/number of the weight in its layer: weight}`.
    """
    found = {}
    for path, layer in _layers(model):
        found.update({f"{path}/{number}": weight for number, weight in enumerate(layer.weights)})
    return found


def named_arrays(model: Any) -> dict[str, np.ndarray]:
    """Return all that distinguishes a trained network from another of the same settings.

    Args:
        model: the network.

    Returns:
        The values of `named_weights`, and `.../mean` and `.../variance` of layers that standardise by constants.
    """
    arrays = {name: np.asarray(weight.numpy()) for name, weight in named_weights(model).items()}
    for path, layer in _layers(model):
        arrays.update({f"{path}/{name}": value for name, value in constants(layer).items()})
    return arrays


def branches_of(model: Any) -> dict[str, Any]:
    """Return `{source: DHNN}` of a `SIDHCNN`, or of a `DHNN` itself."""
    return getattr(model, "branches", None) or {model.source: model}


def constants(layer: Any) -> dict[str, np.ndarray]:
    """Return `{"mean": array, "variance": array}` of a `Normalization` that was made with them, else nothing."""
    if not isinstance(layer, tf.keras.layers.Normalization):
        return {}
    config = layer.get_config()
    return {name: np.asarray(config[name], np.float64) for name in CONSTANTS if config[name] is not None}


def _layers(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the path and the layer of every layer that holds no others."""
    for branch in branches_of(model).values():
        for part, network in (("backbone", branch.backbone), ("head", branch.head)):
            yield from _inside(f"{branch.source}/{part}", network)


def _inside(path: str, network: Any) -> Iterator[tuple[str, Any]]:
    for name, layer in zip(_names(network.layers), network.layers, strict=True):
        if hasattr(layer, "layers"):
            yield from _inside(f"{path}/{name}", layer)
        else:
            yield f"{path}/{name}", layer


def _names(layers: list[Any]) -> list[str]:
    """Return the layers' names, those that Keras gave counted from 0 in each kind."""
    kinds, places = [_kind_of_automatic(layer) for layer in layers], {}
    for kind in set(kinds) - {None}:
        own = [place for place, one in enumerate(kinds) if one == kind]
        if kind != _MODEL:
            own.sort(key=lambda place: _number(layers[place].name))
        places.update({place: rank for rank, place in enumerate(own)})
    return [
        layer.name if kind is None else f"{kind}_{places[place]}"
        for place, (layer, kind) in enumerate(zip(layers, kinds, strict=True))
    ]


def _kind_of_automatic(layer: Any) -> str | None:
    """Return "conv2d" of a layer named "conv2d_7" by Keras, None of one that was given its name.

    A model in a model is "model": its name may hold one that Keras gave.
    """
    if hasattr(layer, "layers"):
        return _MODEL
    stem = re.sub(r"_\d+$", "", layer.name)
    return stem if stem.replace("_", "") == type(layer).__name__.lower() else None


def _number(name: str) -> int:
    match = re.search(r"_(\d+)$", name)
    return int(match.group(1)) if match else 0
