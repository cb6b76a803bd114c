"""Build backbones by name: what turns images into feature vectors, before the hash head."""

import importlib
import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.config import BESIDE, PRETRAINED, is_pretrained
from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.models.backbones.cnn_f import CNNF, IMAGENET_MEAN
from keras_dhnn.models.backbones.efficientnet_lite import EfficientNetLite0, EfficientNetLite1, EfficientNetLite2
from keras_dhnn.models.backbones.mul_cnn import MULCNN
from keras_dhnn.models.backbones.pan_cnn import PANCNN
from keras_dhnn.models.backbones.pretrained import load_imagenet_weights
from keras_dhnn.models.backbones.sat4_cnn import SAT4CNN
from keras_dhnn.models.backbones.side_by_side import side_by_side
from keras_dhnn.models.backbones.vgg_f import load_vgg_f

# Networks whose ImageNet weights pip brings.
LITE = dict(zip(PRETRAINED, (EfficientNetLite0, EfficientNetLite1, EfficientNetLite2), strict=True))
# Networks of the papers that are trained from scratch.
SCRATCH = {"sat4_cnn": SAT4CNN, "pan_cnn": PANCNN, "mul_cnn": MULCNN}
# The environment variable that allows to import "package.module:function".
TRUST = "KERAS_DHNN_TRUST_CODE"
_trusted: set[str] = set()
OWN = (*LITE, "cnn_f", *SCRATCH)


def build_backbone(
    name: str,
    image_shape: Sequence[int],
    weights: Path | str = "auto",
    rgb_bands: Sequence[int] = (1, 2, 3),
    statistics: Callable[[], tuple[np.ndarray, np.ndarray]] | None = None,
    *,
    filled: bool = True,
) -> tf.keras.Model:
    """Return a model from `(B, H, W, C)` float32 pixels to `(B, d)` features; the pixels' normalisation is part of it.

    Args:
        name: "efficientnet_lite0" to "efficientnet_lite2", "cnn_f", "sat4_cnn", "pan_cnn", "mul_cnn"; a class of
            `tf.keras.applications` such as "MobileNetV2";
            "package.module:function", a function of yours from image shape to model: code, imported only if `trust` was
            called with it or the environment variable `TRUST` is 1, since an experiment may be a stranger's; or several
            of these with "+" between, see `side_by_side`.
        image_shape: height, width and bands.
        weights: "imagenet", "none" (random), the path of a weights file (`imagenet-vgg-f.mat` for "cnn_f", else a
            Keras one), or "auto": ImageNet's where pip has brought them (`LITE`), else random.
        rgb_bands: numbers, from 1, of the bands that are red, green and blue, of images with more bands than those;
            the networks of `LITE` give them ImageNet's kernels.
        statistics: function of no arguments that gives mean and variance of each band of the training images, by
            which the networks of `SCRATCH` normalise them; only they call it. None: as if spread over 0 to 255.
        filled: whether it gets the weights; not where those of a run follow. `weights` still says which network it is.

    Returns:
        A functional `tf.keras.Model`.

    Raises:
        SettingError: for an unknown name, or weights that the backbone does not have.
    """
    if BESIDE in name:
        of_parts = weights if weights in ("auto", "imagenet", "none") else "none"
        backbone = side_by_side(
            [build_backbone(part, image_shape, of_parts, rgb_bands, statistics, filled=filled) for part in _parts(name)]
        )
        if weights == "imagenet":
            return backbone
    elif name in LITE:
        backbone = LITE[name](image_shape)
        if filled and weights in ("auto", "imagenet"):
            load_imagenet_weights(backbone, rgb_bands)
        if weights in ("auto", "imagenet"):
            return backbone
    elif name == "cnn_f":
        return _cnn_f(image_shape, weights, filled)
    elif name in SCRATCH:
        mean, variance = statistics() if statistics else (127.5, 127.5**2)
        backbone = SCRATCH[name](image_shape, mean=mean, variance=variance)
    elif ":" in name:
        backbone = _custom(name, image_shape)
    else:
        return _application(name, image_shape, weights if filled else "none")
    if weights == "imagenet":
        raise SettingError(f"There are no ImageNet weights for the backbone {name!r}.")
    if filled and weights not in ("auto", "none"):
        backbone.load_weights(weights)
    return backbone


def trust(backbone: Any) -> Any:
    """Allow to import a backbone that this process was given by name, or as a function, rather than by a file.

    Args:
        backbone: "package.module:function", such a function itself, or anything else.

    Returns:
        The name; anything else as it is.
    """
    name = f"{backbone.__module__}:{backbone.__qualname__}" if callable(backbone) else backbone
    if isinstance(name, str) and ":" in name:
        _trusted.add(name)
    return name


def starts_trained(name: str, weights: Path | str) -> bool:
    """Return whether `build_backbone` with these arguments starts from trained weights."""
    return weights != "none" and (weights != "auto" or is_pretrained(name))


@tf.keras.utils.register_keras_serializable("keras_dhnn")
class ApplicationPreprocessing(tf.keras.layers.Layer):
    """Apply the `preprocess_input` of a module of `tf.keras.applications` to pixels in 0..255.

    Args:
        module: name of the module, e.g. "mobilenet_v2".
    """

    def __init__(self, module: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.module = module
        self._preprocess = importlib.import_module(f"tensorflow.keras.applications.{module}").preprocess_input

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return self._preprocess(images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "module": self.module}


def _parts(name):
    """Return the names of networks that stand side by side."""
    parts = name.split(BESIDE)
    if len(set(parts)) < len(parts) or "" in parts:
        raise SettingError(invalid("argument `name`", f"names with {BESIDE} between, each once", name))
    return parts


def _cnn_f(image_shape, weights, filled):
    """Return CNN-F, whose inputs are near 1 with random weights, as it learns faster; MatConvNet's take grey levels."""
    mean = IMAGENET_MEAN if image_shape[2] == 3 else 127.5
    if weights in ("auto", "none"):
        return CNNF(image_shape, mean=mean, scale=1 / 64)
    if not str(weights).endswith(".mat"):
        raise SettingError(
            "ImageNet weights for the backbone 'cnn_f' are MatConvNet's file imagenet-vgg-f.mat. Expected its path, by "
            f"--set model.weights=PATH. Received: {weights!r}"
        )
    backbone = CNNF(image_shape, mean=mean)
    if filled:
        load_vgg_f(weights, backbone)
    return backbone


def _application(name, image_shape, weights):
    modules = {
        class_name: module
        for module, content in inspect.getmembers(tf.keras.applications, inspect.ismodule)
        for class_name, _ in inspect.getmembers(content, inspect.isfunction)
        if class_name[0].isupper()
    }
    if name not in modules:
        raise SettingError(
            f"Unknown backbone {name!r}. Expected one of {', '.join(OWN)}; a Keras application: "
            f"{', '.join(sorted(modules))}; package.module:function; or several, with {BESIDE} between."
        )
    images = tf.keras.Input(image_shape, name="images")
    scale = ApplicationPreprocessing(modules[name]) if image_shape[2] == 3 else tf.keras.layers.Rescaling(1 / 127.5, -1)
    network = _of_keras(name, scale(images), None if weights in ("auto", "none") else weights)
    return tf.keras.Model(images, network.output, name=name.lower())


def _of_keras(name, images, weights):
    try:
        return getattr(tf.keras.applications, name)(
            include_top=False, input_tensor=images, weights=weights, pooling="avg"
        )
    except Exception as error:  # Keras has no type of its own for a download that failed.
        if weights != "imagenet" or "URL fetch failure" not in str(error):
            raise
        raise SettingError(
            f"The ImageNet weights of {name} could not be fetched ({error}). With a network, Keras keeps them in "
            "~/.keras/models: fetch them there, copy them, or give a file by --set model.weights=PATH, or none by "
            "--set model.weights=none."
        ) from None


def _custom(name, image_shape):
    if name not in _trusted and os.environ.get(TRUST) != "1":
        raise SettingError(
            f"The backbone {name!r} is Python code, which this would import and run. Expected that you say so, if you "
            f"trust it and whoever wrote this experiment: keras-dhnn --trust-code ..., or {TRUST}=1 in the environment."
        )
    module, _, function = name.partition(":")
    try:
        build = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise SettingError(f"The backbone {name!r} cannot be imported: {error}") from error
    backbone = build(tuple(image_shape))
    if not isinstance(backbone, tf.keras.Model) or len(backbone.output_shape) != 2:
        raise SettingError(
            f"The backbone {name!r} must return a Keras model from images {image_shape} to (B, d) features."
        )
    return backbone
