"""Convert networks to TensorFlow Lite flatbuffers, which LiteRT and OpenVINO both read."""

import hashlib
import json
import logging
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.files import mark_used, whole_file
from keras_dhnn.files.checksums import crc32
from keras_dhnn.files.room import make_room
from keras_dhnn.machine import give_memory_back
from keras_dhnn.runtimes.silence import silence

# Bytes of conversions that are kept in a folder: some 50 networks.
MOST = 1 << 30
_CHECK = 4  # bytes of the checksum
_LOG = logging.getLogger(__name__)


def network_key(network: Any, *facts: Any) -> str:
    """Return a short text that two networks share only if they compute the same.

    It depends on weights, on what every layer is set to, on how they are connected, and on the precision they compute
    in; not on the names that Keras numbers them by.

    Args:
        network: functional Keras model.
        *facts: what else the key depends on; each is written as text.
    """
    digest = hashlib.sha256(repr(facts).encode())
    numbers = {part.name: f"#{number}" for number, part in enumerate(_parts_of(network))}
    for layer in (network, *layers_of(network)):
        config = json.dumps(_renamed(_config(layer), numbers), sort_keys=True, default=_plain)
        digest.update(f"{type(layer).__qualname__} {layer.compute_dtype} {config}".encode())
    for weights in network.get_weights():
        digest.update(f"{weights.dtype} {weights.shape}".encode())
        digest.update(np.ascontiguousarray(weights).view(np.uint8).data)
    return digest.hexdigest()[:16]


def multiplications(network: Any) -> float:
    """Return how many multiplications a functional network does for one image, about: those of its kernels."""
    return float(sum(_of_layer(layer) for layer in layers_of(network)))


def flatbuffers(networks: Sequence[Any], shape: tuple[int, ...], kept: Path) -> list[Path]:
    """Return the files of networks as flatbuffers for batches of one size; convert those for which there is none.

    Args:
        networks: functional Keras models with one input.
        shape: (B, H, W, C) of the batches, float32.
        kept: folder of conversions, named by the networks' keys. What was not used for longest makes room.
    """
    paths = [kept / f"{network_key(network, shape)}.tflite" for network in networks]
    missing = {path: network for path, network in zip(paths, networks, strict=True) if not _is_there(path)}
    for path, network in missing.items():
        content = _converted(network, shape)
        with whole_file(path, shared=True) as file:
            file.write(content)
            file.write(zlib.crc32(content).to_bytes(_CHECK, "big"))
    for path in paths:
        mark_used(path)
    if missing:
        give_memory_back()
        # Those of this network stay, whatever they take.
        make_room(kept, 0, max(MOST, sum(path.stat().st_size for path in paths)), paths)
    return paths


def _is_there(path):
    if path.exists() and not _is_whole(path):
        _LOG.warning("%s is damaged: the network is converted again.", path)
        path.unlink(missing_ok=True)
    return path.exists()


def _is_whole(path):
    """Return whether a conversion ends with its checksum, which runtimes do not look at: they believe what they read,
    and a changed byte would end the process.
    """
    end = path.stat().st_size - _CHECK
    with open(path, "rb") as file:
        return end > 0 and crc32(file, end).to_bytes(_CHECK, "big") == file.read(_CHECK)


def _converted(network, shape):
    import tensorflow as tf

    @tf.function(autograph=False)
    def run(images: Any) -> Any:
        return tf.nest.flatten(network(images, training=False))

    function = run.get_concrete_function(tf.TensorSpec(shape, tf.float32))
    with silence():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        # By a SavedModel, its usual way, it takes ten times as long.
        converter.experimental_lower_to_saved_model = False
        return converter.convert()


def layers_of(network: Any) -> Iterator[Any]:
    """Yield the layers of a network and of those inside it, in order, but not these networks themselves."""
    return (part for part in _parts_of(network) if not getattr(part, "layers", None))


def _parts_of(network):
    """Yield the layers and networks inside a network, and what is inside them."""
    for part in network.layers:
        yield part
        if getattr(part, "layers", None):
            yield from _parts_of(part)


def _config(layer):
    try:
        return layer.get_config()
    except NotImplementedError:  # a user's own layer that cannot be saved
        return {name: value for name, value in vars(layer).items() if isinstance(value, (bool, int, float, str, tuple))}


def _renamed(value, numbers):
    """Return a configuration with the numbers of layers in the place of their names."""
    if isinstance(value, dict):
        # A network's own name says nothing of what it computes.
        return {key: _renamed(part, numbers) for key, part in value.items() if key != "name"}
    if isinstance(value, (list, tuple)):
        return [_renamed(part, numbers) for part in value]
    return numbers.get(value, value) if isinstance(value, str) else value


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else type(value).__qualname__


def _of_layer(layer):
    kernels = [w for w in layer.weights if len(w.shape) > 1]
    if not kernels:
        return 0
    places = int(np.prod(layer.output.shape[1:-1])) or 1
    return places * sum(int(np.prod(kernel.shape)) for kernel in kernels)
