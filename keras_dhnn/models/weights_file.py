"""Keep a trained network's numbers in one file that holds nothing else: no settings, no code, no pickle."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.errors import RunError
from keras_dhnn.files import read_arrays, write_arrays
from keras_dhnn.models.named_weights import CONSTANTS, named_arrays, named_weights

_REMEDY = "Train the run anew, or copy it again from where it came."
# What names in a message at most.
_LISTED = 3


def save_weights(model: Any, path: Path) -> None:
    """Write a network's `named_arrays` as an uncompressed NumPy file (.npz), whole or not at all.

    Args:
        model: a `DHNN` or `SIDHCNN`.
        path: of the file.

    Raises:
        OSError: if it cannot be written.
    """
    write_arrays(path, named_arrays(model))


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read what `save_weights` wrote: arrays of numbers by name; nothing in the file is run or looked up.

    Raises:
        DataError: naming the file, if there is none or it is damaged.
    """
    return read_arrays(path, remedy=_REMEDY)


def set_weights(model: Any, arrays: dict[str, np.ndarray], path: Path) -> None:
    """Give a network the numbers of a file, if they are those of such a network to the last name and shape.

    Args:
        model: a `DHNN` or `SIDHCNN`, as the run's settings make it.
        arrays: `{name: array}`, as `read_weights` gives them.
        path: of their file, for messages.

    Raises:
        RunError: if there are more or fewer, or one has another shape or type; the network is unchanged.
    """
    weights = named_weights(model)
    numbers = {name: array for name, array in arrays.items() if name.rpartition("/")[2] not in CONSTANTS}
    if weights.keys() != numbers.keys():
        missing, unknown = sorted(weights.keys() - numbers.keys()), sorted(numbers.keys() - weights.keys())
        raise other_network(path, f"it lacks {_listed(missing)}, and has {_listed(unknown)} beside")
    for name, weight in weights.items():
        expected, found = (tuple(weight.shape), "float32"), (numbers[name].shape, str(numbers[name].dtype))
        if expected != found:
            raise other_network(path, f"{name} has shape {found[0]} and type {found[1]}, not {expected[0]}, float32")
    for name, weight in weights.items():
        weight.assign(numbers[name])


def other_network(path: Path, difference: str) -> RunError:
    """Return the error about a file of weights that does not fit the rest of its run.

    Args:
        path: of the file.
        difference: what tells it.
    """
    return RunError(
        f"{path} is not of the network that this run's experiment.json and data set make: {difference}. Expected the "
        f"weights, the settings and the data set of one training. {_REMEDY}"
    )


def _listed(names):
    shown = ", ".join(names[:_LISTED]) or "none"
    return f"{shown} and {len(names) - _LISTED} more" if len(names) > _LISTED else shown
