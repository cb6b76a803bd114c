"""A run and a data set that keras-dhnn 0.1 wrote (TensorFlow 2.15) are used as before, in both lanes.

Made by: keras-dhnn fit coloured --backbone sat4_cnn --bits 8 --protocol grouped --set fine_tune.epochs=2 --set
data.queries=0.25 --set data.validation=0.2 --set data.image_size=12 --set training.batch_size=24
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.codes import pack
from keras_dhnn.pipelines.batches import batches
from keras_dhnn.workflows.evaluate import evaluate
from keras_dhnn.workflows.open_run import load_model, open_run
from keras_dhnn.workflows.query import query

FOLDER = Path(__file__).with_name("version_0_1")


@pytest.fixture
def written(tmp_path):
    """Copies of both; gives the run's folder and the data folder."""
    shutil.copytree(FOLDER, tmp_path / "copy")
    return tmp_path / "copy" / "runs" / "run", tmp_path / "copy" / "data"


def test_its_scores_are_the_same(written):
    path, data = written
    before = open_run(path, data)[0].metrics
    after = evaluate(path, data=data)
    for name in ("map", "map_per_class", "precision_at", "distinct_codes", "split", "checksum"):
        assert after[name] == before[name], name


def test_its_network_gives_the_codes_that_it_stored(written):
    path, data = written
    run, info = open_run(path, data)
    model, items = load_model(path, data=data), np.arange(info.count * run.experiment.data.turns)
    given = batches(info, items, batch_size=48, image_size=12, turns=run.experiment.data.turns)
    outputs = np.concatenate([np.asarray(model(images)["image"]) for images, _ in given])
    stored = run.load_codes()
    np.testing.assert_allclose(outputs, stored["outputs"], atol=2e-3)  # as float16
    sure = np.abs(outputs).min(axis=1) > 1e-4
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(pack(outputs)[sure], stored["codes"][sure])


def test_it_is_searched(written, tmp_path):
    path, data = written
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    found = query(path, tmp_path / "grey.png", k=3, data=data)["results"]
    assert [one["rank"] for one in found] == [1, 2, 3]
    assert found[0]["distance"] <= found[1]["distance"] <= found[2]["distance"]
