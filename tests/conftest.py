"""What holds for every test."""

import os

import pytest

# Tests name `tests.fakes:tiny_backbone` as their backbone, which is code; test_loading.py takes the trust away again.
os.environ["KERAS_DHNN_TRUST_CODE"] = "1"

# A helper that asserts shows the values that differ, as a test does.
pytest.register_assert_rewrite("tests.tiny_training")


@pytest.fixture(autouse=True, scope="session")
def users_cache(tmp_path_factory):
    """Converted networks are kept for the session, and not with those of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
