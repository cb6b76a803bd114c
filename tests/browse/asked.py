"""Ask a page over sockets, as a browser does; pages of small archives whose encoder is a random projection."""

import contextlib
import http.client
import io
import json
import threading
import time
from urllib.parse import urlencode, urlsplit

import numpy as np
from PIL import Image

from keras_dhnn.archive import Archive, Identity, Queries
from keras_dhnn.archive.encoding import encode_tiles
from keras_dhnn.archive.tiles import Form, file_tiles
from keras_dhnn.browse import Page, make_app
from keras_dhnn.saved_models.serving.connections import listen, make_server

SIDE, BITS = 16, 64


class Projection:
    """Encode images of 16 x 16 x 3 bytes by a random projection of their pixels."""

    batch = 8

    def __init__(self, channels=3, dtype="uint8", bits=BITS):
        self.form = Form(SIDE, SIDE, channels, dtype)
        self.identity = Identity("b" * 64, bits, "projected", 0, {"kind": "backbone", "name": "projection"})
        self._matrix = np.random.default_rng(7).normal(size=(SIDE * SIDE * channels, bits))

    def encode(self, images):
        pixels = images.reshape(len(images), -1).astype(np.float64)
        return Queries.from_outputs((pixels - pixels.mean(axis=1, keepdims=True)) @ self._matrix)

    def stream(self, batches):
        return map(self.encode, batches)


def picture(number, kinds=3, seed=0):
    """Pixels in which the kind, `number % kinds`, is seen, and much else."""
    rng = np.random.default_rng([seed, number])
    kind = np.random.default_rng([seed, 1000 + number % kinds]).integers(0, 200, (4, 4, 3))
    return (np.kron(kind, np.ones((4, 4, 1), int)) + rng.integers(0, 56, (SIDE, SIDE, 3))).astype(np.uint8)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(file, "PNG")
    return file.getvalue()


def picture_archive(folder, count=60, kinds=3):
    """An archive of image files in folders by kind, `a`, `b`, `c`, whose names are their labels."""
    paths = []
    for number in range(count):
        path = folder / "images" / "abc"[number % kinds] / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(picture(number, kinds)))
        paths.append(str(path))
    encoder = Projection()
    archive = Archive.create(folder / "archive", encoder.identity)
    tiles = file_tiles(paths, encoder.form, lambda ids: {}, labels=lambda path: path.split("/")[-2])
    encode_tiles(archive, tiles, encoder)
    return archive


def page_of(archive, state, encoder=None, **how):
    return Page(archive, lambda source: encoder or Projection(), state=state, **how)


class Browser:
    """Ask one server."""

    def __init__(self, port, token=None):
        self.port, self.token = port, token

    def ask(self, method, path, body=None, headers=(), **query):
        """Return (status, headers, bytes)."""
        sent = {"X-Keras-Dhnn-Token": self.token} if self.token else {}
        if isinstance(body, (dict, list)):
            body, sent["Content-Type"] = json.dumps(body), "application/json"
        target = f"{path}?{urlencode(query, doseq=True)}" if query else path
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, target, body, sent | dict(headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def json(self, method, path, body=None, status=200, **query):
        found, headers, content = self.ask(method, path, body, **query)
        assert found == status, (found, content[:500])
        assert headers["content-type"] == "application/json"
        return json.loads(content)

    def get(self, path, **query):
        return self.json("GET", path, **query)

    def refused(self, kind, status, method, path, body=None, **query):
        """Check that a request is refused so, and return the message."""
        error = self.json(method, path, body, status, **query)["error"]
        assert error["kind"] == kind
        return error["message"]


def asker(url):
    """Give a `Browser` of the page that is served at an address."""
    browser = Browser(urlsplit(url).port)
    browser.token = browser.get("/api/about")["token"]
    return browser


@contextlib.contextmanager
def opened(page):
    """Give a `Browser` of a page that is served in this process."""
    with listen("127.0.0.1", 0) as listening:
        server = make_server(make_app(page))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield Browser(listening.getsockname()[1], page.token)
        finally:
            server.should_exit = True
            thread.join()
