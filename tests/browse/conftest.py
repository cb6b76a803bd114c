"""Pages of small archives, asked over sockets or looked at in a real browser."""

import pytest

pytest.importorskip("starlette", reason="needs keras-dhnn[browse]")
pytest.importorskip("duckdb", reason="needs keras-dhnn[scale]")

from tests.browse.asked import opened, page_of, picture_archive
from tests.browse.window import chromium, drawn, look, serve, site

__all__ = ["chromium", "drawn", "look", "serve", "site"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return picture_archive(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def page(archive, tmp_path_factory):
    return page_of(archive, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def browser(page):
    with opened(page) as browser:
        yield browser
