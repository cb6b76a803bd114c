"""Names with every kind of line end go into an export and come out of it as they were."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.errors import DataError
from keras_dhnn.files.checksums import LIST
from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.saved_models.graph.image_encoder import ImageEncoder
from keras_dhnn.saved_models.index import Index
from keras_dhnn.saved_models.version.exporter import Export, load_version, write_version

CLASSES = ("a\nb", "c\u2028d", "e\x85f", "forest", "river\r", "\x1cx", "")


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    """A version of a model whose network says nothing, with an item of each class."""
    spec = ImageSpec(4, 4, 1, "uint8")
    network = ImageEncoder(
        lambda images: tf.reduce_mean(tf.cast(images, tf.float32), (1, 2)) * tf.ones((1, 8)), [], spec, lambda x: x
    )
    ids = np.array([f"{name}/1" for name in CLASSES])
    codes = np.arange(len(CLASSES), dtype=np.uint8)[:, None]
    index = Index(codes, ids, np.arange(len(CLASSES), dtype=np.int32), "m")
    card = {
        "images": {"image": {"height": 4, "width": 4, "channels": 1, "dtype": "uint8"}},
        "index": {"image": {"items": len(CLASSES)}},
        "rgb_bands": {"image": [1, 2, 3]},
        "bits": 8,
    }
    folder = tmp_path_factory.mktemp("version")
    write_version(folder, Export({"image": network}, {"image": index}, CLASSES, card, dict.fromkeys(ids, b"x")), None)
    return folder


def test_classes_keys_and_pictures_come_back(version):
    export = load_version(version)
    assert export.classes == CLASSES
    assert export.thumbnails == {f"{name}/1": b"x" for name in CLASSES}
    assert json.loads((version / "assets" / "classes.json").read_text(encoding="utf-8")) == list(CLASSES)
    assert (
        json.loads((version / "assets" / "items.json").read_text(encoding="utf-8"))
        == export.indexes["image"].ids.tolist()
    )


def test_the_second_version_made_from_the_first_answers_with_the_right_classes(version, tmp_path):
    write_version(tmp_path, load_version(version), None)
    search = tf.saved_model.load(str(tmp_path)).signatures["search_codes"]
    found = search(codes=np.arange(len(CLASSES), dtype=np.uint8)[:, None], k=tf.constant(1))
    assert [name.decode() for name in found["classes"].numpy()[:, 0]] == list(CLASSES)


def test_an_index_with_labels_of_no_class_is_refused(version, tmp_path):
    """Of an export of earlier days, which has no list of checksums."""
    shutil.copytree(version, tmp_path / "1")
    path = tmp_path / "1" / "assets.extra" / "index.npz"
    index = Index.load(path)
    Index(index.codes, index.ids, index.labels + 1, "m").save(path)
    (tmp_path / "1" / "assets.extra" / LIST).unlink()
    with pytest.raises(DataError, match="labels of no class"):
        load_version(tmp_path / "1")


def test_a_damaged_card_is_named(version, tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "model_card.json").write_text('{"images": []}')
    with pytest.raises(DataError, match=r"model_card\.json is damaged: .*keras-dhnn export wrote"):
        load_version(tmp_path)
