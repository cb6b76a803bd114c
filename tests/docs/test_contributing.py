"""What CONTRIBUTING.md says of adding a data set, a backbone and a loss, done in a copy of the checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA_SET = '''"""Toy: ten images of two classes, for tests."""

import numpy as np

from keras_dhnn.pipelines.datasets.dataset import Dataset
from keras_dhnn.pipelines.example import Archive, Example


def open_archive(source):
    """List the archive, which is made up."""

    def read(skipped):
        for number in range(10):
            pixels = np.full((8, 8, 3), 100 * (number % 2) + number, np.uint8)
            yield Example(f"{number}.png", number % 2, {"image": pixels})

    return Archive(("dark", "light"), 10, {"kind": "toy", "path": source.name, "fingerprint": "1"}, read)


DATASET = Dataset(open_archive)
'''
BACKBONE = '''"""Toy: the mean of each band."""

import tensorflow as tf


def toy(image_shape, mean, variance):
    """Return a model from images to the means of their bands, which needs no normalisation."""
    images = tf.keras.Input(image_shape)
    return tf.keras.Model(images, tf.keras.layers.GlobalAveragePooling2D()(images), name="toy")
'''

LOSS = '''"""Toy: outputs' squares."""

import tensorflow as tf


def toy(outputs):
    """Return the mean square."""
    return tf.reduce_mean(outputs**2)
'''
METHOD = """    "toy-hashing": Method("Toy hashing", "Nobody, 2026", {"loss.objective": "toy"}),
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of what the package consists of; gives a function that runs a command there."""
    for folder in ("keras_dhnn", "pipelines", "saved_models", "tuning"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.cfg", tmp_path)

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-m", "keras_dhnn", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return tmp_path, run


def one_line(path, after, line):
    """Adds a line below the first one that begins so."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    place = next(number for number, text in enumerate(lines) if text.startswith(after))
    path.write_text("".join([*lines[: place + 1], line, *lines[place + 1 :]]), encoding="utf-8")


def add_data_set(root):
    (root / "pipelines" / "datasets" / "toy.py").write_text(DATA_SET, encoding="utf-8")
    line = '    "toy": "keras_dhnn.pipelines.datasets.toy",\n'
    one_line(root / "pipelines" / "datasets" / "__init__.py", "MODULES = {", line)


def test_a_data_set_is_a_file_and_a_line(copy):
    root, run = copy
    add_data_set(root)
    result = run("prepare", "toy", "--source", "nowhere", "--quiet")
    assert result.returncode == 0, result.stderr
    assert "10 images of 2 classes" in result.stdout
    assert "toy" in run("prepare", "--help").stdout


def test_a_backbone_is_a_file_and_a_line(copy):
    root, _ = copy
    (root / "keras_dhnn" / "models" / "backbones" / "toy.py").write_text(BACKBONE, encoding="utf-8")
    table = root / "keras_dhnn" / "models" / "backbones" / "build.py"
    text = table.read_text(encoding="utf-8").replace("SCRATCH = {", 'SCRATCH = {"toy": toy, ')
    table.write_text(text, encoding="utf-8")
    one_line(table, "import tensorflow", "from keras_dhnn.models.backbones.toy import toy\n")
    code = (
        "from keras_dhnn.models.backbones.build import build_backbone; import numpy as np\n"
        "print(build_backbone('toy', (4, 4, 3))(np.full((1, 4, 4, 3), 7.0, 'float32')).numpy().tolist())"
    )
    environment = {**os.environ, "PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert result.stdout.strip() == "[[7.0, 7.0, 7.0]]", result.stderr


def test_a_loss_is_a_file_and_two_lines_and_a_method_an_entry(copy):
    root, run = copy
    package = root / "keras_dhnn"
    (package / "losses" / "toy.py").write_text(LOSS, encoding="utf-8")
    config = package / "config.py"
    text = config.read_text(encoding="utf-8").replace("OBJECTIVES = (", 'OBJECTIVES = ("toy", ')
    config.write_text(text, encoding="utf-8")
    objectives = package / "losses" / "objectives.py"
    one_line(objectives, "    objectives: dict", '        "toy": lambda labels, outputs, *_: toy(outputs),\n')
    one_line(objectives, "import tensorflow", "from keras_dhnn.losses.toy import toy\n")
    one_line(package / "experiment" / "methods.py", "ONE_SOURCE = {", METHOD)
    add_data_set(root)
    assert run("prepare", "toy", "--source", "nowhere", "--quiet").returncode == 0
    settings = ("data.image_size=32", "head.epochs=1", "training.batch_size=8")
    small = ("--seeds", "1", "--trials", "1", *(part for one in settings for part in ("--set", one)))
    result = run("benchmark", "toy", "--methods", "toy-hashing", *small)
    assert result.returncode == 0, result.stderr
    assert "Toy hashing" in result.stdout
