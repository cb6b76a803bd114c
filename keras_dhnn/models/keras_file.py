"""Read the numbers in a `model.keras` of a run of version 0.1, which Keras 2 wrote; nothing in it is run or believed.

Such a file is a zip of settings (`config.json`), from which Keras would build whatever they name, and of weights
(`model.weights.h5`). Here the network is built by the run's own settings; of the file's only constants are read.
"""

import contextlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from keras_dhnn.errors import DataError, RunError
from keras_dhnn.files import open_regular
from keras_dhnn.models.named_weights import CONSTANTS, branches_of

_REMEDY = "Train the run anew, or copy it again from where it came."
_MOST_BYTES = {"config.json": 64 << 20, "model.weights.h5": 4 << 30}


def read_keras_file(path: Path) -> tuple[dict, h5py.File]:
    """Read the settings and the weights of a `.keras` file.

    Args:
        path: of the file.

    Returns:
        `(settings, weights)`: what `config.json` holds, and the HDF5 file, in memory.

    Raises:
        RunError: naming the file, if it is something else, such as an HDF5 file of that name, or is damaged.
    """
    with _named(path), open_regular(path) as file, zipfile.ZipFile(file) as archive:
        config = json.loads(_member(archive, "config.json"))
        return config, h5py.File(io.BytesIO(_member(archive, "model.weights.h5")), "r")


def constants_of(config: dict, branch: str, part: str) -> tuple:
    """Return mean and variance by which a part of a branch standardises, as its settings in a `.keras` file say.

    Args:
        config: the settings, as `read_keras_file` gives them.
        branch: name of the image source.
        part: "backbone" or "head".

    Returns:
        `(mean, variance)`, `(d,)` float64 each; empty if it does not.

    Raises:
        RunError: if they are not numbers.
    """
    with _named("model.keras"):
        branches = config["config"].get("branches", [config])
        own = next(one for one in branches if one["config"].get("source", "image") == branch)
        return next(_constants(own["config"][part]["config"]), ())


def set_weights(model: Any, weights: h5py.File, path: Path) -> None:
    """Give a network the weights of a `.keras` file, in the order in which Keras 2 wrote them.

    Args:
        model: a `DHNN` or `SIDHCNN`, as the run's settings make it.
        weights: as `read_keras_file` gives them.
        path: of the file, for messages.

    Raises:
        RunError: if one is missing, of another shape or type, or not simply there; the network is unchanged.
    """
    values = []
    with _named(path):
        for place, layer in _places(model, weights):
            for number, weight in enumerate(layer.weights):
                values.append((weight, _array(weights, f"{place}/vars/{number}", weight)))
    for weight, value in values:
        weight.assign(value)


def _member(archive, name):
    member = archive.getinfo(name)
    if member.file_size > _MOST_BYTES[name]:
        raise ValueError(f"{name} claims {member.file_size:,} bytes, more than {_MOST_BYTES[name]:,}")
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed, which Keras does not do")
    return archive.read(member)


def _constants(config):
    """Yield the constants of every `Normalization` in the settings of a part; scratch networks have them as theirs."""
    settings = [config, *(layer["config"] for layer in config.get("layers", []) if isinstance(layer, dict))]
    for one in settings:
        inner = one.get("config", one) if isinstance(one, dict) else {}
        if inner.get("layers") and inner is not config:
            yield from _constants(inner)
        if all(inner.get(name) is not None for name in CONSTANTS):
            yield tuple(np.asarray(inner[name], np.float64) for name in CONSTANTS)


def _places(model, weights) -> Iterator[tuple[str, Any]]:
    """Yield for each layer with weights the group in the file that holds them."""
    branches = list(branches_of(model).values())
    tops = [""] if len(branches) == 1 else _containers(weights, "", branches)
    for top, branch in zip(tops, branches, strict=True):
        parts = [branch.backbone, branch.head]
        for place, part in zip(_containers(weights, top, parts), parts, strict=True):
            yield from _layers(f"{place}layers/", part)


def _containers(weights, top, members):
    """Return the groups of the members of a model: under `parts`, or under `layers` behind the inputs."""
    folder = "parts" if f"{top}parts" in weights else "layers"
    return [f"{top}{folder}/{name}/" for name in _snake_names(members)]


def _layers(place, network):
    for name, layer in zip(_snake_names(network.layers), network.layers, strict=True):
        if hasattr(layer, "layers"):
            yield from _layers(f"{place}{name}/layers/", layer)
        elif layer.weights:
            yield f"{place}{name}", layer


def _snake_names(members):
    """Return what Keras 2 calls the members of a list in its files: their classes, numbered from the second on."""
    names, seen = [], {}
    for member in members:
        stem = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(member).__name__)
        stem = re.sub(r"([a-z])([A-Z])", r"\1_\2", stem).lower()
        number = seen[stem] = seen.get(stem, -1) + 1
        names.append(f"{stem}_{number}" if number else stem)
    return names


def _array(weights, place, weight):
    """Return the value of a weight, if it lies in this file as plain numbers of its shape, behind no link and no
    filter.
    """
    steps = place.split("/")
    for end in range(1, len(steps) + 1):
        if not isinstance(weights.get("/".join(steps[:end]), getlink=True), h5py.HardLink):
            raise ValueError(f"{place} is not there, or is a link")
    found = weights[place]
    plain = isinstance(found, h5py.Dataset) and not (found.external or found.is_virtual or found.chunks)
    if not plain or found.shape != tuple(weight.shape) or found.dtype != np.float32:
        raise ValueError(f"{place} is not {tuple(weight.shape)} plain float32 numbers, as the run's settings make it")
    return found[()]


@contextlib.contextmanager
def _named(path):
    """Raise every error of the block as a RunError that names the file."""
    try:
        yield
    except (FileNotFoundError, DataError) as error:
        raise RunError(f"{error} {_REMEDY}") from error
    except Exception as error:  # Damaged files surface as a dozen types.
        raise RunError(
            f"{path} is damaged, or not a model that keras-dhnn 0.1 wrote with these settings: "
            f"{error or type(error).__name__}. {_REMEDY}"
        ) from error
