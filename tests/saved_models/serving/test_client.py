"""The client of a URL where something else answers."""

import contextlib
import http.server
import json
import threading

import pytest

from keras_dhnn.errors import SettingError
from keras_dhnn.saved_models.serving import client as client_module
from keras_dhnn.saved_models.serving.client import RestClient

ITEM = {"ids": ["a"], "distances": [3], "labels": [0], "classes": ["sea"]}


@pytest.fixture
def answering():
    """A function of a JSON value that gives a client of a URL where all requests get that."""
    handler = type("Handler", (http.server.BaseHTTPRequestHandler,), {"log_message": lambda *_: None})

    handler.location, handler.asked = None, []

    def do(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        handler.asked.append(self.path)
        self.send_response(302 if handler.location else 200)
        if handler.location:
            self.send_header("Location", handler.location.format(port=server.server_port))
            handler.location = None
        self.end_headers()
        with contextlib.suppress(OSError):  # nobody reads to the end
            self.wfile.write(handler.content)

    handler.do_GET = handler.do_POST = do
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()

        def client(value, location=None):
            handler.content = value if isinstance(value, bytes) else json.dumps(value).encode()
            handler.location = location
            return RestClient(f"http://127.0.0.1:{server.server_port}/v1/models/x")

        client.asked = handler.asked
        yield client
        server.shutdown()


@pytest.mark.parametrize("value", [{}, [], 7, None, "text", {"metadata": 1}, {"metadata": {"signature_def": []}}])
def test_metadata_of_something_else(answering, value):
    with pytest.raises(ValueError, match="/v1/models/x did not answer as TensorFlow Serving's REST API does"):
        answering(value).metadata()


@pytest.mark.parametrize(
    "value",
    [
        *({}, [], 7, None, {"predictions": None}, {"predictions": []}, {"predictions": [7]}, {"predictions": [{}]}),
        *({"predictions": [ITEM, ITEM]}, {"predictions": [ITEM | {"ids": []}]}, {"predictions": [ITEM | {"ids": 1}]}),
        {"predictions": [ITEM | {"distances": ["x"]}]},
    ],
)
def test_predictions_of_something_else(answering, value):
    with pytest.raises(ValueError, match="/v1/models/x did not answer as TensorFlow Serving's REST API does"):
        answering(value).search_files([b"file"], 1)


def test_predictions_of_a_model(answering):
    found = answering({"predictions": [ITEM]}).search_files([b"file"], 1)
    assert found == [[{"id": "a", "distance": 3, "label": 0, "class": "sea"}]]


def test_an_answer_of_any_size_is_not_read(answering, monkeypatch):
    monkeypatch.setattr(client_module, "MOST_BYTES", 1000)
    with pytest.raises(SettingError, match="/v1/models/x answered more than 1,000 bytes"):
        answering(b'"' + b"x" * 100_000).metadata()
    monkeypatch.setattr(client_module, "_MOST_VALUES", 100)
    with pytest.raises(SettingError, match="/v1/models/x answered more than 100 values"):
        answering([1] * 200).metadata()


def test_lists_in_lists_without_end_are_no_answer(answering):
    with pytest.raises(SettingError, match="/v1/models/x did not answer in JSON"):
        answering(b"[" * 200_000).metadata()


def test_an_answer_that_sends_to_another_server_is_not_followed(answering):
    value = {"metadata": {"signature_def": {"signature_def": {}}}}
    client = answering(value, "http://localhost:{port}/v1/models/other/metadata")
    with pytest.raises(SettingError, match=r"answered 302: it sends elsewhere, to http://localhost:.*other/metadata"):
        client.metadata()
    assert answering.asked == ["/v1/models/x/metadata"]
    assert answering(value, "/v1/models/other/metadata").metadata() == {}
    assert answering.asked[2:] == ["/v1/models/other/metadata"]
