"""The client of a URL where something else answers."""

import http.server
import json
import threading

import pytest

from keras_dhnn.saved_models.serving.client import RestClient

ITEM = {"ids": ["a"], "distances": [3], "labels": [0], "classes": ["sea"]}


@pytest.fixture
def answering():
    """A function of a JSON value that gives a client of a URL where all requests get that."""
    handler = type("Handler", (http.server.BaseHTTPRequestHandler,), {"log_message": lambda *_: None})

    def do(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(handler.content)

    handler.do_GET = handler.do_POST = do
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()

        def client(value):
            handler.content = json.dumps(value).encode()
            return RestClient(f"http://127.0.0.1:{server.server_port}/v1/models/x")

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
