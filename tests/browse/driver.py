"""Playwright's assertions, which wait; files of tests that import them are skipped where it is missing."""

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright brings it")
expect = sync_api.expect
# Milliseconds after which something should have been seen: machines that test are busy.
expect.set_options(timeout=30_000)
