"""Runs `answer.py` on an export in a process that knows nothing of us, and compares what it answers."""

import io
import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

SCRIPT = Path(__file__).with_name("answer.py")


def answer(python, folder, requests, scratch):
    """The dictionary that `answer.py` writes, of requests (signature, inputs, ...)."""
    (scratch / "in").write_bytes(pickle.dumps([request[:2] for request in requests], protocol=4))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(
        [python, "-I", SCRIPT, str(folder), str(scratch / "in"), str(scratch / "out")],
        check=True,
        cwd=scratch,
        env=environment | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return pickle.loads((scratch / "out").read_bytes())


def assert_same(answers, requests):
    """Compares the answers of one loader with requests (signature, inputs, expected outputs)."""
    for got, (signature, _, truth) in zip(answers, requests, strict=True):
        assert got.keys() == truth.keys(), signature
        for name, value in truth.items():
            found = np.char.decode(got[name].astype("S")) if got[name].dtype == object else got[name]
            same = np.allclose(found, value, atol=1e-5) if name == "outputs" else np.array_equal(found, value)
            assert same, (signature, name)


def encoded(image, kind):
    """The bytes of an image file, of `(H, W, 3)` or `(H, W, 1)` pixels."""
    file = io.BytesIO()
    Image.fromarray(image if image.shape[2] == 3 else image[..., 0]).save(file, kind)
    return file.getvalue()
