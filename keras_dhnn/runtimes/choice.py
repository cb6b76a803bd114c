"""Choose the runtime that a network is run by: the fastest that is installed, where converting pays."""

import importlib.util
import os

from keras_dhnn.errors import MissingPackage, SettingError, invalid

# Environment variable that names the runtime to use for every network.
RUNTIME = "KERAS_DHNN_RUNTIME"
# From the fastest, as benchmarks/encode.py measures them (docs/measurements/encoding.md), with what brings each.
PACKAGES = {"openvino": "pip install 'keras-dhnn[fast]'", "litert": "pip install ai-edge-litert"}
# Multiplications from which on converting a network (a second or two) takes less time than it saves: 200 images of
# 256 x 256 pixels through EfficientNet-Lite0. Fewer are TensorFlow's.
WORTH_CONVERTING = 10**11


def installed_runtimes() -> list[str]:
    """Return the names of the runtimes that are installed, the fastest first; "tensorflow" is always the last."""
    found = [name for name, is_there in (("openvino", _has("openvino")), ("litert", _has_litert())) if is_there]
    return [*found, "tensorflow"]


def choose_runtime(multiplications: float) -> str:
    """Return the name of the runtime for a pass: what `KERAS_DHNN_RUNTIME` says, else what is fastest.

    A processor's runtimes are not for a machine with a GPU, and not worth a conversion for a few images.

    Args:
        multiplications: of the whole pass.

    Raises:
        SettingError: if the environment names another runtime than there are.
        MissingPackage: if it names one that is not installed.
    """
    installed, wanted = installed_runtimes(), os.environ.get(RUNTIME)
    if wanted:
        if wanted not in (*PACKAGES, "tensorflow"):
            raise SettingError(
                invalid(f"environment variable {RUNTIME}", f"{', '.join(PACKAGES)} or tensorflow", wanted)
            )
        if wanted not in installed:
            raise MissingPackage(f"The runtime {wanted!r} is not installed: {PACKAGES[wanted]}")
        return wanted
    if multiplications < WORTH_CONVERTING or _has_gpu():
        return "tensorflow"
    return installed[0]


def _has(module):
    return importlib.util.find_spec(module) is not None


def _has_litert():
    from keras_dhnn.backend import litert_interpreter

    return litert_interpreter() is not None


def _has_gpu():
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
