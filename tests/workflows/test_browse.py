"""How a page is served: what happens in which order."""

from types import SimpleNamespace

import pytest

pytest.importorskip("starlette", reason="needs keras-dhnn[browse]")
pytest.importorskip("duckdb", reason="needs keras-dhnn[scale]")

from keras_dhnn.workflows import browse


def test_the_address_is_said_before_the_model_is_loaded(monkeypatch):
    happened = []
    archive = SimpleNamespace(info=SimpleNamespace(rows=1200))
    page = SimpleNamespace(name="tiles", archive=archive, warm_up=lambda: happened.append("warm up"))
    monkeypatch.setattr(browse, "open_page", lambda folder, **how: page)
    monkeypatch.setattr(browse, "make_app", lambda page, hosts: None)
    monkeypatch.setattr(browse, "make_server", lambda app: SimpleNamespace(run=lambda sockets: happened.append("run")))
    browse.serve_page(lambda: "tiles", port=0, host="127.0.0.1", allow_host=(), open_browser=False, say=happened.append)
    assert happened[1:] == ["warm up", "run"]
    assert happened[0].startswith("tiles: 1,200 items at http://localhost:")
