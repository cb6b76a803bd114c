"""Load trained networks from the files of their runs, which are data: no file says what code is run."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from keras_dhnn.config import Experiment
from keras_dhnn.errors import KerasDhnnError, RunError
from keras_dhnn.models import keras_file
from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.named_weights import CONSTANTS
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.models.weights_file import other_network, read_weights, set_weights
from keras_dhnn.runs import Run
from keras_dhnn.training.architecture import rebuild

_SHOWN = 200


def load_model(run: Run, info: Any) -> DHNN | SIDHCNN:
    """Return the network of a finished run: built by its experiment, filled from its file of weights.

    Runs of version 0.1 have a `model.keras` instead, of which the numbers alone are taken.

    Args:
        run: the run.
        info: `DatasetInfo` of its data set.

    Returns:
        The network, for inference.

    Raises:
        RunError: if there are no weights, or not those of this network.
        DataError: if their file is damaged.
        SettingError: if the backbone is code that is not trusted, see `build_backbone`.
    """
    for path in (run.weights_path, run.model_path):
        if path.is_file():
            return load_network(path, run.experiment, info)
    raise RunError(
        f"The run {run.path} has no {run.weights_path.name}. Train it to the end: keras-dhnn fit --resume {run.path}"
    )


def load_network(path: Path, experiment: Experiment, info: Any) -> DHNN | SIDHCNN:
    """Return the network of an experiment, filled from a file of weights; arguments and errors as of `load_model`.

    Args:
        path: what `save_weights` wrote, or a `.keras` file of version 0.1.
        experiment: the experiment that it was trained by.
        info: `DatasetInfo` of its data set.
    """
    if path.suffix == ".keras":
        config, weights = keras_file.read_keras_file(path)
        model = _rebuilt(path, experiment, info, lambda source, part: keras_file.constants_of(config, source, part))
        keras_file.set_weights(model, weights, path)
        return model
    arrays = read_weights(path)
    model = _rebuilt(path, experiment, info, lambda source, part: _constants(arrays, source, part))
    set_weights(model, arrays, path)
    return model


def _rebuilt(path, experiment, info, constants):
    """Return the network, whose layers refuse constants of another length in words of their own."""
    try:
        return rebuild(experiment, info, constants)
    except KerasDhnnError:
        raise
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise other_network(path, " ".join(str(error).split())[:_SHOWN]) from error


def _constants(arrays, source, part):
    """Return the mean and variance by which a part standardises its input, or nothing."""
    places = [name.rpartition("/")[0] for name in arrays if name.startswith(f"{source}/{part}/")]
    own = [place for place in places if all(f"{place}/{name}" in arrays for name in CONSTANTS)]
    return tuple(arrays[f"{own[0]}/{name}"] for name in CONSTANTS) if own else ()
