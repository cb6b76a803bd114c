"""What holds for every test."""

import os

# Tests name `tests.fakes:tiny_backbone` as their backbone, which is code; test_loading.py takes the trust away again.
os.environ["KERAS_DHNN_TRUST_CODE"] = "1"
