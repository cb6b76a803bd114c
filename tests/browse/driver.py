"""Playwright's assertions, which wait; files of tests that import them are skipped where it is missing."""

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright brings it")
expect = sync_api.expect
