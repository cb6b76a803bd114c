"""A run with two sources, exported: every pair of who searches whom has signatures of its own."""

import itertools
import json
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

from keras_dhnn.saved_models.index import Index
from keras_dhnn.saved_models.version.exporter import load_version, read_card, read_signatures
from keras_dhnn.saved_models.version.warmup import FILE, read_warmup
from keras_dhnn.training.loading import load_model
from keras_dhnn.workflows.export import export_run
from tests.fakes import make_dataset
from tests.saved_models.serving.elsewhere import answer, assert_same, encoded
from tests.saved_models.serving.in_process import serving
from tests.saved_models.serving.pictures import pictures
from tests.saved_models.serving.tiny_run import expected, hash_outputs, write_run

IMAGES = {"pan": ((16, 16, 1), "uint8"), "mul": ((8, 8, 4), "uint16")}
PAIRS = list(itertools.product(IMAGES, IMAGES))
K = 4


@pytest.fixture(scope="module")
def dual(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "dual", count=24, classes=3, images=IMAGES)[0]


@pytest.fixture(scope="module")
def dual_run(dual, tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "dual", dual)


@pytest.fixture(scope="module")
def version(dual_run, dual):
    return export_run(dual_run, dual, thumbnails=True)


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(1)
    return {source: random.integers(0, 256, (3, *shape)).astype(dtype) for source, (shape, dtype) in IMAGES.items()}


@pytest.fixture(scope="module")
def requests(dual_run, dual, images):
    """A list of (signature, inputs, expected outputs) that takes every signature."""
    made, name, k = [], dual.classes[1], {"k": np.array(K, np.int32)}
    of_class = k | {"class_name": np.array([name.encode()], object)}
    branches = load_model(dual_run, dual).branches
    outputs = {source: hash_outputs(branches[source], pixels) for source, pixels in images.items()}
    as_floats = {source: {"images": pixels.astype(np.float32)} for source, pixels in images.items()}
    as_bytes = {"images": images["pan"]}
    as_files = {"image_bytes": np.array([encoded(image, "PNG") for image in images["pan"]], object)}
    for task in PAIRS:
        source, searched = task
        for stem, more, class_name in (("", k, None), ("_in_class", of_class, name)):
            truth = expected(dual_run, dual, images[source], K, class_name, task)
            pair = f"{source}_to_{searched}{stem}"
            made.append((pair, as_floats[source] | more, truth))
            if source == "pan":
                made += [(f"{pair}_uint8", as_bytes | more, truth), (f"{pair}_bytes", as_files | more, truth)]
            made.append((f"search_{searched}{stem}_codes", {"codes": truth["codes"]} | more, truth))
            ordered = expected(dual_run, dual, images[source], K, class_name, task, ordered=True)
            made.append((f"search_{searched}{stem}_outputs", {"outputs": outputs[source]} | more, ordered))
        made.append((f"encode_{source}_outputs", as_floats[source], {"outputs": outputs[source]}))
        made.append((f"encode_{source}", as_floats[source], {"codes": truth["codes"]}))
    codes = {"codes": made[0][2]["codes"]}
    return [
        *made,
        ("serving_default", *made[0][1:]),
        ("encode_pan_uint8", as_bytes, codes),
        ("encode_pan_bytes", as_files, codes),
    ]


def test_signatures(version, requests):
    names = {
        *("pan_to_pan", "pan_to_mul", "mul_to_pan", "mul_to_mul", "serving_default"),
        *("pan_to_pan_uint8", "pan_to_mul_uint8", "pan_to_pan_bytes", "pan_to_mul_bytes"),
        *("encode_pan", "encode_pan_uint8", "encode_pan_bytes", "encode_mul", "search_pan_codes", "search_mul_codes"),
        *("encode_pan_outputs", "encode_mul_outputs", "search_pan_outputs", "search_mul_outputs"),
        *("search_pan_in_class_outputs", "search_mul_in_class_outputs"),
        *(f"{source}_to_{searched}_in_class" for source, searched in PAIRS),
        *("pan_to_pan_in_class_uint8", "pan_to_mul_in_class_uint8"),
        *("pan_to_pan_in_class_bytes", "pan_to_mul_in_class_bytes"),
        *("search_pan_in_class_codes", "search_mul_in_class_codes"),
    }
    assert set(read_signatures(version)) == names
    assert {name for name, _, _ in requests} == names


@pytest.fixture(scope="module")
def answers(version, requests, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(version, scratch / "1")
    return answer(sys.executable, scratch / "1", [*requests, *read_warmup(version / "assets.extra" / FILE)], scratch)


@pytest.mark.parametrize("loader", ["load", "session"])
def test_every_signature_answers_as_the_model_in_python(answers, requests, loader):
    assert_same(answers[loader][: len(requests)], requests)


@pytest.mark.parametrize("loader", ["load", "session"])
def test_warmup_requests_replay_in_every_signature(answers, version, requests, loader):
    warmup = [name for name, _ in read_warmup(version / "assets.extra" / FILE)]
    assert warmup == sorted(read_signatures(version))
    for name, got in zip(warmup, answers[loader][len(requests) :], strict=True):
        bits = got["outputs"].shape[1] if "outputs" in got else 8 * got["codes"].shape[1]
        assert bits == 16
        assert name.startswith("encode") or got["ids"].shape[1] == 10


def test_only_operations_of_stock_tensorflow(answers):
    assert answers["unknown"] == []
    assert not [name for name in answers["operations"] if "PyFunc" in name or "Addons" in name]


def test_it_loads_as_it_was_made(version, dual_run):
    export = load_version(version)
    assert list(export.encoders) == ["pan", "mul"]
    stored = {tuple(code) for code in dual_run.load_codes("mul")["codes"].tolist()}
    assert {tuple(code) for code in export.indexes["mul"].codes.tolist()} <= stored
    assert {picture_size(picture) for picture in pictures(version).values()} == {(16, 16)}  # of pan, the finer one


def picture_size(picture):
    return tf.io.decode_png(picture).shape[:2]


def write_image(path, image):
    tifffile.imwrite(path, image, photometric="minisblack", planarconfig="contig")
    return path


def test_index_changes_one_source(version, images, command, tmp_path):
    base = tmp_path / "dual"
    shutil.copytree(version, base / "1")
    path = write_image(tmp_path / "new.tif", images["mul"][0])
    status, _, err = command("index", "add", base, path)
    assert (status, "Expected one of the sources pan, mul, by --source" in err) == (2, True)
    status, _, err = command("index", "add", base, path, "--source", "pan")
    assert (status, "has 4 bands, not 1" in err) == (2, True)
    status, _, err = command("index", "add", base, path, "--source", "mul", "--class", "class2")
    assert status == 0, err
    keys = json.loads((base / "1" / "assets" / "items_pan.json").read_text())
    assert json.loads((base / "2" / "assets" / "items_pan.json").read_text()) == keys
    assert json.loads((base / "2" / "assets" / "items_mul.json").read_text()) == [*keys, str(path)]
    search = tf.saved_model.load(str(base / "2")).signatures["mul_to_mul_in_class"]
    got = search(images=images["mul"][:1].astype(np.float32), k=tf.constant(999), class_name=tf.constant("class2"))
    place = got["ids"].numpy()[0].tolist().index(str(path).encode())
    assert (got["distances"][0, place], got["labels"][0, place]) == (0, 2)
    assert picture_size(pictures(base / "2")[str(path)]) == (8, 8)
    turned = [key for key in keys if key.split("@")[0] == keys[0]]
    command("index", "remove", base, str(path), *turned, "--source", "mul")
    assert json.loads((base / "3" / "assets" / "items_mul.json").read_text()) == [k for k in keys if k not in turned]
    assert pictures(base / "3") == pictures(version)  # the other source still has the item
    command("index", "remove", base, *turned, "--source", "pan")
    assert pictures(version).keys() - pictures(base / "4").keys() == {keys[0]}


def test_an_index_of_each_source_is_given_by_its_name(version, dual_run, dual, command, tmp_path):
    given = {}
    for source in IMAGES:
        given[source] = tmp_path / f"{source}=x.npz"
        index = Index.load(version / "assets.extra" / f"index_{source}.npz")
        index.remove(index.ids[: 1 + (source == "mul")].tolist()).save(given[source])
    arguments = ["export", dual_run.path, "--data", dual.directory.parent, "--name", "given", "--no-warmup"]
    for choice, message in (
        ([given["pan"]], "cannot hold the codes of every source. Expected --index pan=CODES --index mul=CODES"),
        ([f"pan={given['pan']}"], "Expected what is searched of every source"),
        ([f"pan={given['pan']}", f"red={given['mul']}"], "Expected one --index, or one for each source"),
        ([f"pan={given['mul']}", f"mul={given['pan']}"], "holds codes of 'mul' images. Expected 'pan'"),
    ):
        status, _, err = command(*arguments, *(part for one in choice for part in ("--index", one)))
        assert (status, message in err) == (2, True), err
    assert not (dual_run.path / "export" / "given").exists()
    status, _, err = command(*arguments, "--index", f"pan={given['pan']}", "--index", f"mul={given['mul']}")
    assert status == 0, err
    kept = {source: found["items"] for source, found in read_card(version)["index"].items()}
    found = read_card(dual_run.path / "export" / "given" / "1")["index"]
    assert found == {
        "pan": {"kind": str(given["pan"]), "items": kept["pan"] - 1},
        "mul": {"kind": str(given["mul"]), "items": kept["mul"] - 2},
    }


@pytest.fixture(scope="module")
def url(version):
    with serving(version.parent) as port:
        yield f"http://127.0.0.1:{port}/v1/models/{version.parent.name}"


@pytest.mark.parametrize("searched", IMAGES)
def test_query_asks_a_server_for_a_pair(url, dual_run, dual, images, searched, command, tmp_path):
    Image.fromarray(images["pan"][0, ..., 0]).save(tmp_path / "grey.png")
    write_image(tmp_path / "bands.tif", images["mul"][0])
    for name, searching in (("grey.png", "pan"), ("bands.tif", "mul")):
        arguments = ["query", "--server", url, tmp_path / name, "--from", searching, "--to", searched, "--json"]
        for class_name in (None, dual.classes[1]):
            of_class = ["--class", class_name] if class_name else []
            status, out, err = command(*arguments, "-k", 9, *of_class)
            assert status == 0, err
            truth = expected(dual_run, dual, images[searching][:1], 9, class_name, (searching, searched))
            found = json.loads(out)["results"]
            assert [item["id"] for item in found] == truth["ids"][0].tolist()
            assert [item["distance"] for item in found] == truth["distances"][0].tolist()


@pytest.mark.parametrize("task", [[], ["--from", "pan"], ["--to", "mul"], ["--from", "pan", "--to", "red"]])
def test_query_names_a_servers_pairs_for_any_other(url, images, command, tmp_path, task):
    Image.fromarray(images["pan"][0, ..., 0]).save(tmp_path / "grey.png")
    status, out, err = command("query", "--server", url, tmp_path / "grey.png", *task)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    for source, target in PAIRS:
        assert f"--from {source} --to {target}" in err
