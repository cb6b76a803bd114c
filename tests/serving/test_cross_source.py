"""A model with two sources: every pair of who searches whom has signatures of its own."""

import io
import json

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

from keras_dhnn.codes import hamming_distances, pack
from keras_dhnn.export import _encoder
from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.hash_head import hash_head
from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.saved_models.exporter import Export, load_version, make_warmup, read_signatures, write_version
from keras_dhnn.saved_models.index import Index
from keras_dhnn.saved_models.warmup import FILE, read_warmup
from tests.fakes import tiny_backbone
from tests.serving.in_process import serving

SPECS = {"pan": ImageSpec(16, 16, 1, "uint8"), "mul": ImageSpec(8, 8, 4, "uint16")}


def branch(source, spec):
    tf.keras.utils.set_random_seed(len(source))
    backbone = tiny_backbone(spec.shape)
    features = backbone(tf.random.uniform((32, *spec.shape), maxval=255)).numpy()
    return DHNN(backbone, hash_head(16, 16, mean=features.mean(0), variance=features.var(0) + 1e-3), source)


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(0)
    return {source: random.integers(0, 256, (9, *spec.shape)).astype(spec.dtype) for source, spec in SPECS.items()}


@pytest.fixture(scope="module")
def branches():
    return {source: branch(source, spec) for source, spec in SPECS.items()}


@pytest.fixture(scope="module")
def codes(branches, images):
    return {
        source: pack(model({source: images[source].astype(np.float32)})[source].numpy())
        for source, model in branches.items()
    }


@pytest.fixture(scope="module")
def version(branches, codes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "1"
    folder.mkdir()
    ids = np.array([f"item{n}" for n in range(9)])
    indexes = {source: Index(codes[source], ids, np.arange(9) % 2, "m", source) for source in SPECS}
    encoders = {source: _encoder(model, source, SPECS[source]) for source, model in branches.items()}
    card = {"images": {source: vars(spec) for source, spec in SPECS.items()}, "index": {source: {} for source in SPECS}}
    write_version(folder, Export(encoders, indexes, ("a", "b"), card, {}), make_warmup(SPECS, "dual"))
    return folder


def test_signatures(version):
    assert set(read_signatures(version)) == {
        *("pan_to_pan", "pan_to_mul", "mul_to_pan", "mul_to_mul", "serving_default"),
        *("pan_to_pan_uint8", "pan_to_mul_uint8", "pan_to_pan_bytes", "pan_to_mul_bytes"),
        *("encode_pan", "encode_pan_uint8", "encode_pan_bytes", "encode_mul", "search_pan_codes", "search_mul_codes"),
        *(f"{source}_to_{target}_in_class" for source in SPECS for target in SPECS),
        *("pan_to_pan_in_class_uint8", "pan_to_mul_in_class_uint8"),
        *("pan_to_pan_in_class_bytes", "pan_to_mul_in_class_bytes"),
        *("search_pan_in_class_codes", "search_mul_in_class_codes"),
    }


@pytest.mark.parametrize("searching", SPECS)
@pytest.mark.parametrize("searched", SPECS)
def test_each_pair_is_numpys(version, images, codes, searching, searched):
    signatures = tf.saved_model.load(str(version)).signatures
    search = signatures[f"{searching}_to_{searched}"]
    got = search(images=images[searching].astype(np.float32), k=tf.constant(4))
    order = np.argsort(hamming_distances(codes[searching], codes[searched]), axis=1, kind="stable")[:, :4]
    assert np.array_equal(got["codes"], codes[searching])
    assert np.array_equal(got["ids"].numpy().astype(str), np.char.add("item", order.astype(str)))
    by_codes = signatures[f"search_{searched}_codes"](codes=codes[searching], k=tf.constant(4))
    assert np.array_equal(by_codes["ids"], got["ids"])
    if searching == "pan":
        file = io.BytesIO()
        Image.fromarray(images["pan"][0, ..., 0]).save(file, "PNG")
        of_file = signatures[f"pan_to_{searched}_bytes"](image_bytes=tf.constant([file.getvalue()]), k=tf.constant(4))
        assert np.array_equal(of_file["ids"], got["ids"][:1])


def test_warmup_takes_every_signature(version):
    signatures = tf.saved_model.load(str(version)).signatures
    requests = read_warmup(version / "assets.extra" / FILE)
    assert {name for name, _ in requests} == set(signatures)
    for name, inputs in requests:
        assert "codes" in signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})


def test_it_loads_as_it_was_made(version, codes):
    export = load_version(version)
    assert list(export.encoders) == ["pan", "mul"]
    assert np.array_equal(export.indexes["mul"].codes, codes["mul"])


@pytest.fixture(scope="module")
def url(version):
    with serving(version.parent) as port:
        yield f"http://127.0.0.1:{port}/v1/models/{version.parent.name}"


@pytest.mark.parametrize("searched", SPECS)
def test_query_asks_a_server_for_a_pair(url, images, codes, searched, command, tmp_path):
    Image.fromarray(images["pan"][3, ..., 0]).save(tmp_path / "grey.png")
    tifffile.imwrite(tmp_path / "bands.tif", images["mul"][3], photometric="minisblack", planarconfig="contig")
    for name, searching in (("grey.png", "pan"), ("bands.tif", "mul")):
        arguments = ["query", "--server", url, tmp_path / name, "--from", searching, "--to", searched]
        status, out, err = command(*arguments, "-k", 9, "--json")
        assert status == 0, err
        distances = hamming_distances(codes[searching][3:4], codes[searched])[0]
        order = np.argsort(distances, kind="stable")
        found = json.loads(out)["results"]
        assert [item["id"] for item in found] == [f"item{n}" for n in order]
        assert [item["distance"] for item in found] == distances[order].tolist()
        status, out, _ = command(*arguments, "-k", 9, "--json", "--class", "b")
        assert status == 0
        assert [item["id"] for item in json.loads(out)["results"]] == [f"item{n}" for n in order if n % 2]


@pytest.mark.parametrize("task", [[], ["--from", "pan"], ["--to", "mul"], ["--from", "pan", "--to", "red"]])
def test_query_names_a_servers_pairs_for_any_other(url, images, command, tmp_path, task):
    Image.fromarray(images["pan"][0, ..., 0]).save(tmp_path / "grey.png")
    status, out, err = command("query", "--server", url, tmp_path / "grey.png", *task)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    for source in SPECS:
        for target in SPECS:
            assert f"--from {source} --to {target}" in err
