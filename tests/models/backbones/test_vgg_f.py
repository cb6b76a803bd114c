import numpy as np
import pytest
import scipy.io
from numpy.lib.stride_tricks import sliding_window_view

from keras_dhnn.models.backbones.cnn_f import CNNF
from keras_dhnn.models.backbones.vgg_f import load_vgg_f

# 83x103 leaves 2x3 pixels before fc6, so that rows, columns and channels cannot be confused.
SHAPE = (83, 103, 3)
FILTERS = (6, 7, 7, 8, 5)
UNITS = (9, 11)
KERNELS = {
    "conv1": (11, 11, 3, 6),
    "conv2": (5, 5, 6, 7),
    "conv3": (3, 3, 7, 7),
    "conv4": (3, 3, 7, 8),
    "conv5": (3, 3, 8, 5),
    "fc6": (2, 3, 5, 9),
    "fc7": (1, 1, 9, 11),
    "fc8": (1, 1, 11, 4),
}
PARAM = [5, 2, 1e-4, 0.75]


@pytest.fixture
def model():
    return CNNF(SHAPE, FILTERS, UNITS)


@pytest.fixture
def network():
    """Layers as they follow each other in the file: `{name: (kernel, bias) or None}`, and the average image."""
    rng = np.random.default_rng(0)
    layers = {}
    for name, shape in KERNELS.items():
        scale = np.sqrt(2 / np.prod(shape[:3]))
        kernel = rng.normal(0, scale, shape).astype("float32")
        layers[name] = (kernel, rng.normal(0, 1, shape[-1]).astype("float32"))
    return layers, rng.uniform(90, 130, SHAPE).astype("float32")


def cell(values):
    array = np.empty((1, len(values)), dtype=object)
    array[0, :] = values
    return array


def structures(layers, weights_as):
    result = []
    for name, (kernel, bias) in layers.items():
        result.append({"name": name, "type": "conv", **weights_as(kernel, bias)})
        result.append({"name": f"relu{name[-1]}", "type": "relu"})
        if name in ("conv1", "conv2"):
            result.append({"name": f"norm{name[-1]}", "type": "lrn", "param": np.array([PARAM])})
        if name in ("conv1", "conv2", "conv5"):
            result.append({"name": f"pool{name[-1]}", "type": "pool", "pad": np.array([[0.0, 1, 0, 1]])})
    return result


def new_layout(layers, average):
    """MatConvNet since 2015: a cell of weights, a column of biases."""
    structs = structures(layers, lambda kernel, bias: {"weights": cell([kernel, bias[:, None]])})
    return {"layers": cell(structs), "meta": {"normalization": {"averageImage": average, "border": [0.0, 0.0]}}}


def old_layout(layers, average):
    structs = structures(layers, lambda kernel, bias: {"filters": kernel, "biases": bias[None]})
    return {"layers": cell(structs), "normalization": {"averageImage": average}}


def wrapped_layout(layers, average):
    return {"net": new_layout(layers, average)}


def write(path, variables):
    scipy.io.savemat(path, variables, do_compression=True)
    return path


def convolve(x, kernel, bias, stride=1, pad=0):
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(x, kernel.shape[:2], axis=(0, 1))[::stride, ::stride]
    return np.maximum(np.einsum("ijckl,klco->ijo", windows, kernel) + bias, 0)


def normalise(x):
    channels = range(x.shape[-1])
    energy = np.stack([(x[..., max(0, c - 2) : c + 3] ** 2).sum(-1) for c in channels], -1)
    return x / (2 + 1e-4 * energy) ** 0.75


def pool(x):
    x = np.pad(x, ((0, 1), (0, 1), (0, 0)), constant_values=-np.inf)
    return sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2].max((-2, -1))


def forward(image, layers, average):
    """MatConvNet's reading of the file, in NumPy, without a flattening anywhere."""
    weights = {name: (kernel.astype("float64"), bias) for name, (kernel, bias) in layers.items()}
    x = image.astype("float64") - average.reshape(-1, 3).mean(0)
    x = pool(normalise(convolve(x, *weights["conv1"], stride=4)))
    x = pool(normalise(convolve(x, *weights["conv2"], pad=2)))
    for name in ("conv3", "conv4", "conv5"):
        x = convolve(x, *weights[name], pad=1)
    return convolve(convolve(pool(x), *weights["fc6"]), *weights["fc7"]).ravel()


@pytest.mark.parametrize("layout", [new_layout, old_layout, wrapped_layout])
@pytest.mark.parametrize("scale", [1.0, 1 / 64])
def test_features_are_those_of_the_file(tmp_path, network, layout, scale):
    path = write(tmp_path / "vgg-f.mat", layout(*network))
    model = CNNF(SHAPE, FILTERS, UNITS, scale=scale)
    load_vgg_f(path, model)
    images = np.random.default_rng(1).uniform(0, 255, (2, *SHAPE)).astype("float32")
    expected = np.stack([forward(image, *network) for image in images])
    assert np.std(expected) > 1
    np.testing.assert_allclose(model(images), expected, rtol=2e-4, atol=2e-3)


def test_average_colour_instead_of_average_image(tmp_path, network, model):
    layers, _ = network
    path = write(tmp_path / "vgg-f.mat", new_layout(layers, np.array([[[124.0, 117.0, 104.0]]])))
    load_vgg_f(path, model)
    np.testing.assert_allclose(model.get_layer("normalization").mean, [124, 117, 104])


def assert_refused_and_unchanged(path, model, *parts):
    before = model.get_weights()
    with pytest.raises(ValueError, match=str(path)) as caught:
        load_vgg_f(path, model)
    for part in parts:
        assert part in str(caught.value)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_missing_layer_is_named(tmp_path, network, model):
    layers, average = network
    del layers["fc7"]
    path = write(tmp_path / "vgg-f.mat", new_layout(layers, average))
    assert_refused_and_unchanged(path, model, "fc7", "conv1, relu1, norm1")


@pytest.mark.parametrize("name", ["conv3", "fc6", "fc7"])
def test_wrong_kernel_shape_is_named(tmp_path, network, model, name):
    layers, average = network
    kernel, bias = layers[name]
    layers[name] = kernel[:, :, :-1], bias
    path = write(tmp_path / "vgg-f.mat", new_layout(layers, average))
    assert_refused_and_unchanged(path, model, f"{name}'s kernel", str(KERNELS[name]))


def test_transposed_window_is_refused(tmp_path, network, model):
    layers, average = network
    kernel, bias = layers["fc6"]
    layers["fc6"] = kernel.transpose(1, 0, 2, 3), bias
    path = write(tmp_path / "vgg-f.mat", new_layout(layers, average))
    assert_refused_and_unchanged(path, model, "(2, 3, 5, 9)", "(3, 2, 5, 9)")


def test_wrong_bias_shape_is_named(tmp_path, network, model):
    layers, average = network
    layers["conv2"] = layers["conv2"][0], np.zeros(3, "float32")
    path = write(tmp_path / "vgg-f.mat", old_layout(layers, average))
    assert_refused_and_unchanged(path, model, "conv2's bias", "(7,)", "(3,)")


def test_weights_that_are_no_pair_are_refused(tmp_path, network, model):
    variables = new_layout(*network)
    variables["layers"][0, 0]["weights"] = "none"
    assert_refused_and_unchanged(write(tmp_path / "vgg-f.mat", variables), model, "conv1's kernel")


def test_retrained_network_with_other_normalization_is_refused(tmp_path, network, model):
    variables = new_layout(*network)
    variables["layers"][0, 2]["param"] = np.array([[5, 1, 2e-5, 0.75]])
    assert_refused_and_unchanged(write(tmp_path / "vgg-f.mat", variables), model, "norm1", "2.0e-05")


def test_missing_average_image_is_refused(tmp_path, network, model):
    variables = new_layout(*network)
    del variables["meta"]
    assert_refused_and_unchanged(write(tmp_path / "vgg-f.mat", variables), model, "averageImage")


def test_other_matlab_file_is_refused(tmp_path, model):
    path = write(tmp_path / "sat-4.mat", {"train_x": np.zeros((2, 2)), "layers": np.zeros(3)})
    assert_refused_and_unchanged(path, model, "no such layers")


@pytest.mark.parametrize(
    "content", [b"", b"not a MATLAB file" * 20, b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n"]
)
def test_file_of_another_format_is_refused(tmp_path, model, content):
    path = tmp_path / "vgg-f.mat"
    path.write_bytes(content)
    assert_refused_and_unchanged(path, model, "MATLAB 5")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.99])
def test_truncated_file_is_refused(tmp_path, network, model, share):
    path = write(tmp_path / "vgg-f.mat", new_layout(*network))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert_refused_and_unchanged(path, model)


def test_large_file_is_refused_before_it_is_read(tmp_path, network, model, monkeypatch):
    path = write(tmp_path / "vgg-f.mat", new_layout(*network))
    monkeypatch.setattr(scipy.io, "loadmat", lambda *_, **__: pytest.fail("the file was read"))
    with pytest.raises(ValueError, match="at most 1000"):
        load_vgg_f(path, model, max_bytes=1000)


def test_missing_file_is_an_os_error(tmp_path, model):
    with pytest.raises(FileNotFoundError, match="absent"):
        load_vgg_f(tmp_path / "absent.mat", model)
