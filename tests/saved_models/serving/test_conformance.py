"""The export in a process that knows nothing of us, against the model in Python."""

import shutil
import subprocess
import sys
import venv

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_dhnn.pipelines.formats.image_file import read_image
from keras_dhnn.saved_models.version.exporter import read_signatures
from keras_dhnn.saved_models.version.warmup import FILE, read_warmup
from keras_dhnn.training.loading import load_model
from tests.saved_models.serving.elsewhere import answer, assert_same, encoded
from tests.saved_models.serving.tiny_run import expected, hash_outputs

K = 7


@pytest.fixture(scope="module")
def pictures():
    """Images of the stored size, and larger ones that are resized first."""
    random = np.random.default_rng(1)
    return random.integers(0, 256, (5, 16, 16, 3), np.uint8), random.integers(0, 256, (3, 40, 40, 3), np.uint8)


@pytest.fixture(scope="module")
def requests(exported, run, info, pictures, tmp_path_factory):
    """A list of (signature, inputs, expected outputs) that takes every signature."""
    stored, large = pictures
    k = np.array(K, np.int32)
    each = np.array([K, 1, 3, K, 200], np.int32)
    files = np.array([encoded(image, "PNG") for image in stored] + [encoded(image, "JPEG") for image in large], object)
    read, folder = [], tmp_path_factory.mktemp("files")
    for number, content in enumerate(files):
        path = folder / str(number)
        path.write_bytes(content)
        read.append(read_image(path, info.images["image"]))
    read = np.stack(read)
    truth, of_files = expected(run, info, stored, K), expected(run, info, read, K)
    name, outputs = info.classes[1], hash_outputs(load_model(run, info), stored)
    one, some = np.array([name.encode()], object), np.array([name.encode(), b"", b"", name.encode(), b""], object)
    in_class, mixed = expected(run, info, stored, K, name), dict(truth)
    for key in ("ids", "distances", "labels", "classes"):
        mixed[key] = np.where((some != b"")[:, None], in_class[key], truth[key])
    return [
        ("serving_default", {"images": stored.astype(np.float32), "k": k}, truth),
        ("search_uint8", {"images": stored, "k": k}, truth),
        ("search_uint8", {"images": stored, "k": each}, cut(expected(run, info, stored, 200), each)),
        (
            "search_uint8",
            {"images": large, "k": k},
            {name: value[5:] for name, value in resized(run, info, large).items()},
        ),
        ("search_bytes", {"image_bytes": files, "k": k}, of_files),
        ("search_codes", {"codes": truth["codes"], "k": np.array([K], np.int32)}, truth),
        ("search_in_class", {"images": stored.astype(np.float32), "k": k, "class_name": one}, in_class),
        ("search_in_class_uint8", {"images": stored, "k": k, "class_name": some}, mixed),
        (
            "search_in_class_bytes",
            {"image_bytes": files, "k": k, "class_name": one},
            expected(run, info, read, K, name),
        ),
        ("search_in_class_codes", {"codes": truth["codes"], "k": k, "class_name": some}, mixed),
        ("search_in_class_codes", {"codes": truth["codes"], "k": k, "class_name": np.array([b""], object)}, truth),
        (
            "search_outputs",
            {"outputs": outputs, "k": k},
            expected(run, info, stored, K, ordered=True),
        ),
        (
            "search_in_class_outputs",
            {"outputs": outputs, "k": k, "class_name": one},
            expected(run, info, stored, K, name, ordered=True),
        ),
        ("encode_outputs", {"images": stored.astype(np.float32)}, {"outputs": outputs}),
        ("encode", {"images": stored.astype(np.float32)}, {"codes": truth["codes"]}),
        ("encode_uint8", {"images": stored}, {"codes": truth["codes"]}),
        ("encode_bytes", {"image_bytes": files}, {"codes": of_files["codes"]}),
    ]


def cut(answer, k):
    """Rows as they are behind each query's own k."""
    columns = np.arange(answer["ids"].shape[1]) < k[:, None]
    empty = {"ids": "", "classes": "", "distances": -1, "labels": -1}
    return {name: value if name == "codes" else np.where(columns, value, empty[name]) for name, value in answer.items()}


def resized(run, info, images):
    shrunk = np.stack(
        [np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BICUBIC)) for image in images]
    )
    return expected(run, info, np.concatenate([np.zeros((5, 16, 16, 3), np.uint8), shrunk]), K)


@pytest.fixture(scope="module")
def answers(exported, requests, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(exported, scratch / "7")
    return answer(sys.executable, scratch / "7", requests, scratch)


@pytest.mark.parametrize("loader", ["load", "session"])
def test_every_signature_answers_as_the_model_in_python(answers, requests, loader):
    assert_same(answers[loader], requests)


def test_of_nothing_every_signature_returns_nothing(exported, tmp_path):
    """No rows, of the types and widths that rows have; searches have a column, for the one k of no query."""
    bits, requests = 16, []
    for name in read_signatures(exported):
        if name.endswith(("codes", "_outputs")) and not name.startswith("encode"):
            width, dtype = (bits // 8, np.uint8) if name.endswith("codes") else (bits, np.float32)
            inputs = {name.split("_")[-1]: np.zeros((0, width), dtype)}
        elif name.endswith("bytes"):
            inputs = {"image_bytes": np.array([], object)}
        else:
            inputs = {"images": np.zeros((0, 20, 16, 3), np.uint8 if name.endswith("uint8") else np.float32)}
        expected = {"codes": np.zeros((0, bits // 8), np.uint8)}
        if name == "encode_outputs":
            expected = {"outputs": np.zeros((0, bits), np.float32)}
        elif not name.startswith("encode"):
            numbers, texts = np.zeros((0, 1), np.int32), np.zeros((0, 1), object)
            inputs["k"] = np.array(3, np.int32)
            expected |= {"ids": texts, "classes": texts, "distances": numbers, "labels": numbers}
        if "in_class" in name:
            inputs["class_name"] = np.array([b""], object)
        requests.append((name, inputs, expected))
    got = answer(sys.executable, exported, [(name, inputs) for name, inputs, _ in requests], tmp_path)
    for loader in ("load", "session"):
        for (name, _, expected), found in zip(requests, got[loader], strict=True):
            described = {key: (value.shape, value.dtype) for key, value in found.items()}
            assert described == {key: (value.shape, value.dtype) for key, value in expected.items()}, name


def any_class(name):
    """What a signature is given beside its input and k."""
    return {"class_name": tf.constant("")} if "in_class" in name else {}


@pytest.mark.parametrize("name", ["search_codes", "search_outputs", "search_in_class_codes", "search_in_class_outputs"])
def test_codes_and_outputs_of_another_width_are_named(exported, name):
    signature = tf.saved_model.load(str(exported)).signatures[name]
    what, width, dtype = ("codes", 2, np.uint8) if name.endswith("codes") else ("outputs", 16, np.float32)
    for wrong in (1, width + 1, 2 * width):
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"Expected {what} of shape \(B, {width}\)"):
            signature(**{what: tf.zeros((2, wrong), dtype), "k": tf.constant(3)}, **any_class(name))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["search_outputs", "search_in_class_outputs"])
def test_outputs_that_are_not_finite_are_refused(exported, name, value):
    outputs = np.ones((2, 16), np.float32)
    outputs[1, 3] = value
    signature = tf.saved_model.load(str(exported)).signatures[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Expected outputs that are finite"):
        signature(outputs=tf.constant(outputs), k=tf.constant(3), **any_class(name))


def test_the_requests_take_every_signature(exported, requests):
    assert {name for name, _, _ in requests} == set(read_signatures(exported))


def test_only_operations_of_stock_tensorflow(answers):
    assert answers["unknown"] == []
    assert not [name for name in answers["operations"] if "PyFunc" in name or "Addons" in name]
    assert {"Conv2D", "DecodePng", "DecodeJpeg", "VarHandleOp"} <= set(answers["operations"])


def test_warmup_requests_parse_and_replay_in_every_signature(exported, tmp_path):
    requests = read_warmup(exported / "assets.extra" / FILE)
    assert sorted(name for name, _ in requests) == sorted(read_signatures(exported))
    replayed = answer(sys.executable, exported, requests, tmp_path)
    for loader in ("load", "session"):
        for (name, _), got in zip(requests, replayed[loader], strict=True):
            bits = got["outputs"].shape[1] if "outputs" in got else 8 * got["codes"].shape[1]
            assert bits == 16
            assert name.startswith("encode") or got["ids"].shape[1] == 10


def test_a_client_of_grpc_may_leave_k_and_the_class_out(exported):
    signatures = read_signatures(exported)
    assert signatures["search_bytes"].defaults["k"].int_val[:] == [10]
    assert signatures["search_in_class_bytes"].defaults["class_name"].string_val[:] == [b""]


@pytest.mark.slow
def test_the_newest_tensorflow_answers_identically(exported, requests, tmp_path):
    venv.create(tmp_path / "newest", with_pip=True)
    python = tmp_path / "newest" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", "tensorflow"], check=True)
    got = answer(str(python), exported, requests, tmp_path)
    assert tuple(map(int, got["version"].split(".")[:2])) > (2, 15)
    for loader in ("load", "session"):
        assert_same(got[loader], requests)
    assert got["unknown"] == []
