"""Build the network that an experiment and a data set ask for, before any of its numbers are known or trained."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.config import Experiment, of_source
from keras_dhnn.models.backbones.build import build_backbone, starts_trained
from keras_dhnn.models.band_scaling import scale_bands
from keras_dhnn.models.band_statistics import with_band_statistics
from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.hash_head import hash_head
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.pipelines.sources import image_sizes, sources_of
from keras_dhnn.runtimes.flatbuffer import layers_of

Statistics = tuple[np.ndarray, np.ndarray]


def make_backbone(
    experiment: Experiment, info: Any, source: str, statistics: Callable[[], Statistics] | None, filled: bool = True
) -> Any:
    """Return the network of one image source from pixels in their units to features.

    Args:
        experiment: the experiment.
        info: `DatasetInfo` of the data set.
        source: name of the image source.
        statistics: see `build_backbone`.
        filled: whether it gets its first weights, such as ImageNet's; not where a file of its own follows.
    """
    settings = experiment.model
    name = of_source("model.backbone", settings.backbone, source)
    weights = of_source("model.weights", settings.weights, source)
    shape = (*image_sizes(experiment.data, info)[source], info.images[source].channels)
    scaling = (info.scaling or {}).get(source)
    # Scaled pixels are in 0 to 255, whatever the stored ones are.
    of_bands = None if scaling else statistics
    backbone = build_backbone(name, shape, weights, info.rgb_bands_of(source), of_bands, filled=filled)
    if starts_trained(name, weights):
        _freeze_normalization(backbone)
    if settings.band_statistics:
        backbone = with_band_statistics(backbone)
    return scale_bands(backbone, **scaling) if scaling else backbone


def make_head(experiment: Experiment, features: int, statistics: Statistics | tuple = ()) -> Any:
    """Return the network from features to hash outputs.

    Args:
        experiment: the experiment.
        features: length of the feature vectors.
        statistics: mean and variance of the features, by which they are standardised; none: they are not.
    """
    settings = experiment.model
    return hash_head(features, settings.bits, settings.hidden, settings.dropout, settings.weight_decay, *statistics)


def make_model(parts: dict[str, tuple[Any, Any]]) -> DHNN | SIDHCNN:
    """Return the network of all image sources.

    Args:
        parts: `{source: (backbone, head)}`, of one source or two.
    """
    if len(parts) == 1:
        return next(DHNN(*of_one, source, name="dhnn") for source, of_one in parts.items())
    return SIDHCNN([DHNN(*of_one, source, name=f"dhnn_{source}") for source, of_one in parts.items()], name="sidhcnn")


def rebuild(experiment: Experiment, info: Any, statistics: Callable[[str, str], Statistics | tuple]) -> DHNN | SIDHCNN:
    """Return the network of a training that has ended, without its weights.

    Args:
        experiment: the experiment.
        info: `DatasetInfo` of the data set.
        statistics: function of a source and "backbone" or "head" that gives mean and variance by which that part
            standardises its input, or nothing if it does not.
    """
    parts = {}
    for source in sources_of(info):
        backbone = make_backbone(
            experiment, info, source, functools.partial(statistics, source, "backbone"), filled=False
        )
        parts[source] = backbone, make_head(experiment, backbone.output_shape[-1], statistics(source, "head"))
    return make_model(parts)


def _freeze_normalization(backbone):
    """Freeze what few images change for the worse, a network's running statistics: they stay ImageNet's."""
    for layer in layers_of(backbone):
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.trainable = False
