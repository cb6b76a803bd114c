"""The development server as a client meets it, over sockets."""

import base64
import http.client
import io
import json
import shutil
import socket
import time

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.saved_models.serving.client import RestClient
from keras_dhnn.workflows.index import remove_items
from tests.saved_models.serving.in_process import serving
from tests.saved_models.serving.tiny_run import expected

PREDICT = "/v1/models/coloured:predict"


@pytest.fixture(scope="module")
def port(exported):
    with serving(exported.parent) as port:
        yield port


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).integers(0, 256, (3, 16, 16, 3), np.uint8)


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body if isinstance(body, (bytes, type(None))) else json.dumps(body))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.headers["content-type"] == "application/json"
    return answer.status, json.loads(content)


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def jpeg(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG")
    return file.getvalue()


def b64(content):
    return {"b64": base64.b64encode(content).decode()}


def test_row_form_answers_as_the_model_in_python(port, run, info, images):
    instances = [{"image_bytes": b64(png(image)), "k": 4} for image in images]
    status, answer = ask(port, "POST", PREDICT, {"signature_name": "search_bytes", "instances": instances})
    assert (status, list(answer)) == (200, ["predictions"])
    truth = expected(run, info, images, 4)
    for row, got in enumerate(answer["predictions"]):
        assert got == {name: value[row].tolist() for name, value in truth.items()}


def test_columnar_form_answers_as_the_model_in_python(port, run, info, images):
    truth = {name: value.tolist() for name, value in expected(run, info, images, 4).items()}
    for k in (4, [4], [4, 4, 4]):
        body = {"inputs": {"images": images.tolist(), "k": k}}
        assert ask(port, "POST", PREDICT, body) == (200, {"outputs": truth})


def test_items_of_one_class_in_both_forms(port, run, info, images):
    name = info.classes[2]
    truth = {key: value.tolist() for key, value in expected(run, info, images, 4, name).items()}
    body = {"signature_name": "search_in_class_uint8"}
    for of_class in (name, [name], [name] * 3):
        inputs = {"images": images.tolist(), "k": 4, "class_name": of_class}
        assert ask(port, "POST", PREDICT, body | {"inputs": inputs}) == (200, {"outputs": truth})
    instances = [{"images": image.tolist(), "k": 4, "class_name": name} for image in images]
    status, answer = ask(port, "POST", PREDICT, body | {"instances": instances})
    assert (status, {key: [row[key] for row in answer["predictions"]] for key in truth}) == (200, truth)


def test_one_output_stands_alone(port, run, info, images):
    codes = expected(run, info, images, 1)["codes"].tolist()
    body = {"signature_name": "encode", "instances": images.tolist()}
    assert ask(port, "POST", PREDICT, body) == (200, {"predictions": codes})
    body = {"signature_name": "encode_bytes", "inputs": [b64(png(image)) for image in images]}
    assert ask(port, "POST", PREDICT.replace(":", "/versions/1:"), body) == (200, {"outputs": codes})


def test_status_and_metadata(port):
    available = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("/v1/models/coloured", "/v1/models/coloured/versions/1"):
        assert ask(port, "GET", path) == (200, {"model_version_status": [available]})
    status, answer = ask(port, "GET", "/v1/models/coloured/metadata")
    assert (status, answer["model_spec"]["version"]) == (200, "1")
    definition = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert definition["method_name"] == "tensorflow/serving/predict"
    images = definition["inputs"]["images"]
    assert (images["dtype"], images["tensor_shape"]["unknown_rank"]) == ("DT_FLOAT", False)
    assert [dim["size"] for dim in images["tensor_shape"]["dim"]] == ["-1", "-1", "-1", "3"]


def nested(value, depth):
    for _ in range(depth):
        value = [value]
    return value


PIXEL = {"images": [[[[1, 2, 3]]]], "k": 1}
IN_NO_CLASS = {"signature_name": "search_in_class", "inputs": {**PIXEL, "class_name": "moon"}}
# Says that it has 4096 x 4096 pixels; they are not there.
LARGE_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (4096).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0" + bytes(30)
# In order: status, what the message says, path, body.
BAD = [
    (404, "Servable not found", "/v1/models/other:predict", b"{}"),
    (404, "Servable not found", "/v1/models/coloured/versions/9:predict", b"{}"),
    (400, "version label", "/v1/models/coloured/labels/best:predict", b"{}"),
    (400, "19 digits at most", f"/v1/models/coloured/versions/{'9' * 5000}:predict", b"{}"),
    (400, "Malformed request: POST /v1/models/coloured", "/v1/models/coloured", b"{}"),
    (404, "Not found", "/else", b"{}"),
    (400, "are for predict", "/v1/models/coloured:classify", b"{}"),
    (400, "JSON Parse error: The document is empty", PREDICT, b""),
    (400, "JSON Parse error", PREDICT, b"{"),
    (400, "JSON Parse error", PREDICT, b"\xff\xfe\xfa"),
    (400, "JSON Parse error", PREDICT, b"[" * 100_000),
    (400, "Is not object", PREDICT, b"[]"),
    (400, "Missing 'inputs' or 'instances' key", PREDICT, b"{}"),
    (400, "only one of", PREDICT, {"inputs": 1, "instances": 2}),
    (400, "'signature_name' key must be a string", PREDICT, {"signature_name": 7, "inputs": 1}),
    (400, '"nosuch" not found in signature def', PREDICT, {"signature_name": "nosuch", "inputs": 1}),
    (400, '"?" not found in signature def', PREDICT, {"signature_name": "\ud800", "inputs": 1}),
    (400, "does not have named input: ?", PREDICT, {"instances": [{"images": [], "k": 1, "\udfff": 1}]}),
    (400, "No values in 'instances'", PREDICT, {"instances": []}),
    (400, "plain list", PREDICT, {"instances": [[[[1, 2, 3]]]]}),
    (400, "must only have keys: images,k", PREDICT, {"instances": [{"images": [[[1, 2, 3]]]}]}),
    (400, "does not have named input: x", PREDICT, {"instances": [{"images": [[[1, 2, 3]]], "k": 1, "x": 1}]}),
    (400, "Missing named input: k", PREDICT, {"inputs": {"images": [[[[1, 2, 3]]]]}}),
    (400, "unexpected sizes", PREDICT, {"inputs": {"images": [[[[1, 2, 3], [1, 2]]]], "k": 1}}),
    (400, "not of expected type", PREDICT, {"inputs": {"images": [[[["a", "b", "c"]]]], "k": 1}}),
    (400, "not of expected type", PREDICT, {"inputs": {"images": [[[[1, 2, 3]]]], "k": 1.5}}),
    (400, "loss of precision", PREDICT, {"inputs": {"images": [[[[1, 2, 1e40]]]], "k": 1}}),
    (400, "[-1, -1, -1, 3]", PREDICT, {"inputs": {"images": [[[[1, 2, 3, 4]]]], "k": 1}}),
    (400, "k from 1", PREDICT, {"inputs": {"images": [[[[1, 2, 3]]]], "k": 0}}),
    (400, "k from 1", PREDICT, {"inputs": {"images": [[[[1, 2, 3]]]], "k": -3}}),
    (400, "one for each query", PREDICT, {"inputs": {"images": [[[[1, 2, 3]]]], "k": [1, 2]}}),
    (400, "Expected the name of a class", PREDICT, IN_NO_CLASS),
    (400, "class0", PREDICT, IN_NO_CLASS),
    (400, "in UTF-8. Received: b'\\xff'", PREDICT, {**IN_NO_CLASS, "inputs": {**PIXEL, "class_name": b64(b"\xff")}}),
    (400, "1,000,000 results", PREDICT, {"inputs": {"images": [[[[1, 2, 3]]]], "k": 2_000_000_000}}),
    (400, "8 items at most", PREDICT, {"inputs": {"images": [[[[1, 2, 3]]]] * 9, "k": 1}}),
    (400, "base64", PREDICT, {"signature_name": "encode_bytes", "inputs": [{"b64": "!"}]}),
    (400, "half of a surrogate pair: '\\ud800'", PREDICT, {"signature_name": "encode_bytes", "inputs": ["\ud800"]}),
    (400, "neither a string", PREDICT, {"signature_name": "encode_bytes", "inputs": [3]}),
    (400, "Expected lists nested 1 deep", PREDICT, {"signature_name": "encode_bytes", "inputs": nested("a", 40)}),
    (400, "Expected lists nested", PREDICT, {**IN_NO_CLASS, "inputs": {**PIXEL, "class_name": nested("a", 33)}}),
    (400, "images", PREDICT, {"inputs": {"images": nested(1, 40), "k": 1}}),
    (400, "finite", PREDICT, b'{"inputs": {"images": [[[[1, 2, NaN]]]], "k": 1}}'),
    (400, "finite", PREDICT, b'{"inputs": {"images": [[[[1, -Infinity, 2]]]], "k": 1}}'),
    (400, "finite", PREDICT, {"inputs": {"images": np.full((1, 16, 16, 3), np.nan).tolist(), "k": 1}}),
    (400, "33,554,432 pixels in all", PREDICT, {"signature_name": "encode_bytes", "inputs": [b64(LARGE_PNG)] * 3}),
    (400, "may have 64 scans", PREDICT, {"signature_name": "encode_bytes", "inputs": [b64(b"\xff\xd8\xff\xda" * 65)]}),
    (400, "PNG or JPEG", PREDICT, {"signature_name": "encode_bytes", "inputs": [""]}),
    (400, "PNG or JPEG", PREDICT, {"signature_name": "encode_bytes", "inputs": ["GIF89a"]}),
    (400, "loss of precision", PREDICT, {"signature_name": "search_codes", "inputs": {"codes": [[1, 300]], "k": 1}}),
    (400, "[-1, 2]", PREDICT, {"signature_name": "search_codes", "inputs": {"codes": [[1, 2, 3]], "k": 1}}),
]


@pytest.mark.parametrize(("status", "message", "path", "body"), BAD, ids=lambda value: str(value)[:40])
def test_bad_requests_are_refused_and_the_next_one_is_served(port, images, status, message, path, body):
    got, answer = ask(port, "POST", path, body)
    assert (got, list(answer)) == (status, ["error"])
    assert message in answer["error"]
    assert_serves(port, images)


def assert_serves(port, images):
    assert ask(port, "POST", PREDICT, {"inputs": {"images": images.tolist(), "k": 1}})[0] == 200


def damaged_files():
    noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    bomb = bytearray(png(noise))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    return {
        "cut JPEG": (jpeg(noise)[:-400], ""),
        "JPEG of nothing": (b"\xff\xd8\xff", ""),
        "cut PNG": (png(noise)[:-400], ""),
        "PNG of nothing": (png(noise)[:12], "cut off"),
        "grey PNG": (png(noise[..., 0]), "Expected 3 bands, not"),
        "grey JPEG": (jpeg(noise[..., 0]), "Expected 3 bands, not"),
        "16 bits": (png(noise[..., 0].astype(np.uint16)), "Expected"),
        "bomb": (bytes(bomb), "33,554,432 pixels"),
    }


@pytest.mark.parametrize("kind", damaged_files())
def test_bad_files_are_refused_and_the_next_one_is_served(port, images, kind):
    content, message = damaged_files()[kind]
    got, answer = ask(port, "POST", PREDICT, {"signature_name": "encode_bytes", "inputs": [b64(content)]})
    assert (got, message in answer["error"]) == (400, True), answer
    assert_serves(port, images)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_100_megabytes_is_413(port, images, chunked):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = (b"x" * (1 << 20) for _ in range(100)) if chunked else b"x" * (100 << 20)
    connection.request("POST", PREDICT, body, encode_chunked=chunked, headers=chunked_headers(chunked))
    answer = connection.getresponse()
    assert answer.status == 413
    assert "1,048,576 bytes" in json.loads(answer.read())["error"]
    assert_serves(port, images)


def chunked_headers(chunked):
    return {"Transfer-Encoding": "chunked"} if chunked else {}


def test_a_client_that_hangs_up_harms_nobody(port, images):
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{".encode())
    assert_serves(port, images)


@pytest.mark.parametrize("path", ["/v1/models/coloured", "/v1/models/coloured/versions/1/metadata", "/v1/models/other"])
def test_head_answers_as_get_without_the_body(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    answers = {}
    for method in ("GET", "HEAD", "GET"):  # on one connection: what follows a head is not taken for its body
        connection.request(method, path)
        answer = connection.getresponse()
        answers[method] = answer.status, answer.headers["content-type"], answer.headers["content-length"]
        assert len(answer.read()) == (0 if method == "HEAD" else int(answers[method][2]))
    connection.close()
    assert answers["HEAD"] == answers["GET"]
    assert answers["GET"][0] == (404 if path.endswith("other") else 200)


def test_no_images_are_no_answers(port):
    for signature, name in (("search_bytes", "image_bytes"), ("encode_bytes", "image_bytes")):
        more = {"k": 4} if signature.startswith("search") else {}
        body = {"signature_name": signature, "inputs": {name: [], **more}}
        status, answer = ask(port, "POST", PREDICT, body)
        assert status == 200, answer
        listed = answer["outputs"]
        assert listed == ({"classes": [], "codes": [], "distances": [], "ids": [], "labels": []} if more else [])


def test_outputs_that_are_no_numbers_are_refused(port):
    for value in (float("nan"), float("inf")):
        inputs = {"outputs": [[value] * 16], "k": 1}
        status, answer = ask(port, "POST", PREDICT, {"signature_name": "search_outputs", "inputs": inputs})
        assert (status, "Expected outputs that are finite" in answer["error"]) == (400, True)


def test_other_methods_are_malformed(port):
    assert ask(port, "DELETE", "/v1/models/coloured")[0] == 400
    assert ask(port, "GET", "/v1/models")[1] == {"error": "Missing model name in request."}
    assert ask(port, "GET", "/v1/models/other")[0] == 404
    assert ask(port, "GET", "/v1/models/coloured/versions/3")[0] == 404


def test_the_client_gives_items_and_refusals(port, run, info, images):
    client = RestClient(f"http://127.0.0.1:{port}/v1/models/coloured")
    assert client.channels() == 3
    truth = expected(run, info, images, 3)
    for found in (client.search_files([png(image) for image in images], 3), client.search_images(images, 3)):
        assert [[item["id"] for item in row] for row in found] == truth["ids"].tolist()
        assert [[item["distance"] for item in row] for row in found] == truth["distances"].tolist()
    assert len(client.search_images(images[:1], 1000)[0]) == len(info.labels) * 3  # the whole database, no padding
    with pytest.raises(ValueError, match="answered 400"):
        client.search_files([b"nothing"], 3)
    with pytest.raises(ValueError, match="answered 404"):
        RestClient(f"http://127.0.0.1:{port}/v1/models/other").metadata()
    with pytest.raises(ValueError, match="Is the server running"):
        RestClient("http://127.0.0.1:9/v1/models/other").metadata()
    with pytest.raises(ValueError, match="Expected the URL of a model"):
        RestClient("http://127.0.0.1:8501")


def test_query_asks_a_server(port, run, info, command, tmp_path):
    url = f"http://127.0.0.1:{port}/v1/models/coloured"
    pixels = np.random.default_rng(4).integers(0, 256, (16, 16, 3), np.uint8)
    truth = expected(run, info, pixels[None], 3)
    for kind in ("tif", "png", "webp"):
        Image.fromarray(pixels).save(tmp_path / f"x.{kind}", **{"lossless": True} if kind == "webp" else {})
        status, out, _ = command("query", "--server", url, tmp_path / f"x.{kind}", "-k", 3, "--json")
        found = json.loads(out)["results"]
        assert (status, [item["id"] for item in found]) == (0, truth["ids"][0].tolist())
        assert [item["distance"] for item in found] == truth["distances"][0].tolist()
    status, out, _ = command("query", "--server", url, tmp_path / "x.tif", "-k", 3)
    assert out.splitlines()[1].split() == ["1", *(str(truth[n][0, 0]) for n in ("distances", "classes", "ids"))]
    name = info.classes[1]
    status, out, _ = command("query", "--server", url, tmp_path / "x.tif", "-k", 3, "--json", "--class", name)
    found = json.loads(out)["results"]
    assert (status, [one["id"] for one in found]) == (0, expected(run, info, pixels[None], 3, name)["ids"][0].tolist())
    status, _, err = command("query", "--server", url, tmp_path / "x.tif", "--class", "moon")
    assert (status, "moon" in err, name in err) == (2, True, True)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    status, _, err = command("query", "--server", url, tmp_path / "grey.png")
    assert (status, "has 1 band, not 3" in err, "takes. Convert it, for example: gdal_translate -b 1" in err) == (
        2,
        True,
        True,
    )
    status, _, err = command("query", "--server", f"{url}s", tmp_path / "x.png")
    assert (status, "answered 404" in err) == (2, True)
    status, _, err = command("query", "--server", url, tmp_path / "x.png", "--from", "pan", "--to", "mul")
    assert (status, "leave out --from and --to" in err) == (2, True)
    status, _, err = command("query", tmp_path / "x.png")
    assert (status, "Expected a run and an image" in err) == (2, True)


def test_a_new_version_is_picked_up_and_a_broken_one_is_not(exported, tmp_path):
    base = tmp_path / "coloured"
    shutil.copytree(exported, base / "1")
    with serving(base) as port:
        item = ask(port, "POST", PREDICT, {"inputs": {"images": [[[[9, 9, 9]]]], "k": 1}})[1]["outputs"]["ids"][0][0]
        remove_items(base, [item])
        wait_for(port, "2", "AVAILABLE")
        got = ask(port, "POST", PREDICT, {"inputs": {"images": [[[[9, 9, 9]]]], "k": 500}})[1]["outputs"]["ids"][0]
        assert item not in got
        assert ask(port, "POST", PREDICT.replace(":", "/versions/1:"), b"{}")[0] == 404
        (base / "partial").mkdir()
        (base / "partial" / "saved_model.pb").write_bytes(b"nonsense")
        (base / "partial").rename(base / "3")
        wait_for(port, "3", "END")
        assert ask(port, "POST", PREDICT, {"inputs": {"images": [[[[9, 9, 9]]]], "k": 1}})[0] == 200


def wait_for(port, version, state):
    for _ in range(300):
        statuses = ask(port, "GET", "/v1/models/coloured")[1]["model_version_status"]
        if any((one["version"], one["state"]) == (version, state) for one in statuses):
            return
        time.sleep(0.1)
    raise AssertionError(statuses)
