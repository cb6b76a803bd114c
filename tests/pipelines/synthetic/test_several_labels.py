"""Made-up images with several labels, in the form that collections such as DFC15 come in."""

import csv

import numpy as np
import pytest
from PIL import Image

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets import images
from keras_dhnn.pipelines.label_file import read_labels
from keras_dhnn.pipelines.synthetic.several_labels import CLASSES, write_several_labels


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_several_labels(tmp_path_factory.mktemp("twin"), count=24, seed=3)


def test_its_table_is_read_as_several_labels(root):
    archive = images.open_archive(root / "images")
    ids = [example.id for example in archive.read([])]
    labels = read_labels(root / "multilabel.csv", ids)
    assert len(ids) == 24
    assert set(labels.classes) <= set(CLASSES)
    assert labels.several
    counts = labels.sets.sum(axis=1)
    assert counts.min() >= 1
    assert counts.max() <= 4
    with open(root / "multilabel.csv", encoding="utf-8") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    for name, row in zip(ids, labels.sets, strict=True):
        assert {c for c in CLASSES if rows[name][c] == "1"} == {labels.classes[i] for i in np.flatnonzero(row)}


def test_an_image_depends_on_seed_and_number_only(root, tmp_path):
    again = write_several_labels(tmp_path, count=2, seed=3)
    for name in ("00000.png", "00001.png"):
        np.testing.assert_array_equal(Image.open(again / "images" / name), Image.open(root / "images" / name))
    with pytest.raises(DataError, match="exists"):
        write_several_labels(tmp_path, count=2, seed=3)
