"""Who may ask, for what, and how much."""

import http.client
import json

import pytest

from keras_dhnn.browse import bodies, uploads
from tests.browse.asked import Browser, picture, png

CHANGES = [
    ("POST", "/api/searches"),
    ("DELETE", "/api/searches/x"),
    ("PATCH", "/api/searches/x"),
    ("POST", "/api/searches/x/marks"),
    ("POST", "/api/searches/x/undo"),
    ("POST", "/api/upload"),
    ("POST", "/api/box"),
    ("POST", "/api/export"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize("token", [None, "", "guessed", "é"])
def test_changes_need_the_token(browser, method, path, token):
    headers = {} if token is None else {"X-Keras-Dhnn-Token": token.encode("latin-1")}
    status, _, content = Browser(browser.port).ask(method, path, b"{}", headers)
    assert status == 403
    assert b'"token"' in content


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_other_names_are_refused(browser, host):
    assert browser.ask("GET", "/api/about", headers={"Host": host})[0] == 403
    assert browser.ask("GET", "/", headers={"Host": host})[0] == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost.evil.example"])
def test_pages_of_others_are_refused(browser, origin):
    assert browser.ask("GET", "/api/about", headers={"Origin": origin})[0] == 403


def test_the_page_itself_may_ask(browser):
    headers = {"Host": f"localhost:{browser.port}", "Origin": f"http://localhost:{browser.port}"}
    assert browser.ask("GET", "/api/about", headers=headers)[0] == 200


@pytest.mark.parametrize("path", ["/", "/api/about", "/api/nothing", "/static/nothing.js"])
def test_every_answer_says_what_may_be_loaded(browser, path):
    _, headers, _ = browser.ask("GET", path)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/../etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/..\\app.py",
    ],
)
def test_no_path_leaves_the_static_files(browser, path):
    connection = http.client.HTTPConnection("127.0.0.1", browser.port, timeout=10)
    connection.request("GET", path)
    assert connection.getresponse().status == 404
    connection.close()


@pytest.mark.parametrize("key", ["/etc/passwd", "../../../etc/passwd", "", "x" * 3000])
def test_no_picture_but_of_items(browser, key):
    status, headers, _ = browser.ask("GET", "/api/thumb", id=key)
    assert status in (400, 404)
    assert headers["content-type"] == "application/json"
    assert browser.ask("GET", "/api/overview", scene="/etc/passwd")[0] == 404


def test_uploads_are_bounded(browser, monkeypatch):
    assert "MiB" in browser.refused("too_large", 413, "POST", "/api/upload", b"x" * (bodies.MOST_UPLOAD + 1))
    monkeypatch.setattr(uploads, "MOST_DECODED", 100)
    browser.refused("too_large", 413, "POST", "/api/upload", png(picture(0)))


def test_long_parameters_and_bodies_are_refused(browser):
    browser.refused("setting", 400, "GET", "/api/tiles", where="x" * 5000)
    browser.refused("setting", 400, "GET", "/api/tiles", label=["x"] * 501)
    too_long = {"ids": ["x" * 100] * (bodies.MOST_JSON // 100), "format": "csv"}
    browser.refused("too_large", 413, "POST", "/api/export", too_long)


@pytest.mark.parametrize("body", [b"[1]", b"{", b"\xff", b'{"name": 3}', b'{"name": true}', b"[" * 100_000])
def test_other_json_is_refused(browser, body):
    status, _, _ = browser.ask("POST", "/api/searches", body, {"Content-Type": "application/json"})
    assert status == 400


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/searches", r'{"name": "s1", "source": "image", "query": "like=\ud800"}'),
        ("POST", "/api/searches", r'{"name": "s1", "source": "image", "\udfff": 1}'),
        ("POST", "/api/export", r'{"format": "csv", "view": "taught=\ud800"}'),
        ("POST", "/api/searches/s1/marks", r'{"marks": {"\ud800": "right"}}'),
        ("PATCH", "/api/searches/s1", r'{"name": "\ud800"}'),
    ],
)
def test_text_that_is_not_utf_8_is_refused_before_anything_is_written(browser, method, path, body):
    status, _, content = browser.ask(method, path, body.encode(), {"Content-Type": "application/json"})
    assert status == 400
    assert b"UTF-8" in content
    assert browser.get("/api/searches") == {"searches": []}


def test_pairs_of_surrogates_are_one_sign(browser):
    body = rb'{"name": "\ud840\udc00", "source": "image", "query": ""}'
    status, _, content = browser.ask("POST", "/api/searches", body, {"Content-Type": "application/json"})
    assert (status, json.loads(content)["name"]) == (201, "\U00020000")
    browser.json("DELETE", "/api/searches/%F0%A0%80%80")


def test_forms_of_other_pages_are_no_json(browser):
    status, _, _ = browser.ask("POST", "/api/searches", b"{}", {"Content-Type": "text/plain"})
    assert status == 415


def test_what_is_not_there_is_said_in_json(browser):
    assert browser.refused("not_found", 404, "GET", "/api/nothing")
    assert browser.ask("PUT", "/api/tiles")[0] == 405
