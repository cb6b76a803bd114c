import csv
import dataclasses

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector import ProjectorConfig

from keras_dhnn.pipelines.store.prepare import prepare
from keras_dhnn.report import projector
from keras_dhnn.report.projector import thumbnails, write_projector
from tests.evaluation.leakage.pictures import prepare_pictures
from tests.fakes import make_block_archive

COLOURS = np.random.default_rng(0).integers(0, 256, (30, 2, 3))


def two_coloured(number, side=40):
    """Another colour above than below, so that each turn looks different."""
    image = np.empty((side, side, 3), np.uint8)
    image[: side // 2], image[side // 2 :] = COLOURS[number]
    return image


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    labels = np.arange(30) % 3
    return prepare_pictures(tmp_path_factory.mktemp("data") / "made", [two_coloured(n) for n in range(30)], labels)


@pytest.fixture
def outputs():
    return np.random.default_rng(1).normal(size=(120, 16)).astype(np.float16)


def load(folder):
    """(config, tensors, rows of metadata, sprite) as the projector reads them."""
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    tensors = np.loadtxt(folder / embedding.tensor_path, delimiter="\t", ndmin=2)
    rows = list(csv.reader((folder / embedding.metadata_path).read_text().splitlines(), delimiter="\t"))
    return embedding, tensors, rows, np.asarray(Image.open(folder / embedding.sprite.image_path))


def test_what_tensorboard_reads_agrees(info, outputs, tmp_path):
    items = np.random.default_rng(2).permutation(120)[:77]
    write_projector(tmp_path, info, items, outputs, 4)
    embedding, tensors, rows, sprite = load(tmp_path)
    assert tuple(embedding.tensor_shape) == tensors.shape == (77, 16)
    np.testing.assert_allclose(tensors, outputs[items], atol=1e-4)
    assert rows[0] == ["class", "image", "turned"]
    assert rows[1:] == [
        [info.classes[info.labels[item // 4]], info.ids[item // 4], str(90 * (item % 4))] for item in items
    ]
    width, height = embedding.sprite.single_image_dim
    assert sprite.shape == (9 * height, 9 * width, 3)  # 77 in rows of 9


def test_sprite_shows_each_item_as_it_is_turned(info):
    items = np.array([5, 4, 119, 118, 117, 116, 40])
    sprite, side = thumbnails(info, items, 4)
    assert sprite.shape == (3 * side, 3 * side, 3)
    for place, item in enumerate(items):
        row, column = divmod(place, 3)
        shown = sprite[row * side : (row + 1) * side, column * side : (column + 1) * side]
        np.testing.assert_array_equal(shown, np.rot90(two_coloured(item // 4, side), item % 4))
    assert (sprite[2 * side :, side:] == 255).all()


def test_many_items_are_sampled(info, outputs, tmp_path):
    write_projector(tmp_path, info, np.arange(120), outputs, 4, most=50)
    embedding, tensors, rows, _ = load(tmp_path)
    assert tuple(embedding.tensor_shape) == (50, 16)
    assert len(tensors) == len(rows) - 1 == 50
    chosen = [4 * int(row[1].removeprefix("item")) + int(row[2]) // 90 for row in rows[1:]]
    assert chosen == sorted(set(chosen))
    np.testing.assert_allclose(tensors, outputs[chosen], atol=1e-4)


def test_sprite_stays_within_its_bound(info, monkeypatch):
    monkeypatch.setattr(projector, "SPRITE_SIDE", 100)
    sprite, side = thumbnails(info, np.arange(120), 4)
    assert side == 9
    assert sprite.shape == (99, 99, 3)


def test_names_with_tabs_and_newlines_stay_in_their_cells(info, outputs, tmp_path):
    named = dataclasses.replace(info, classes=("a\tb", "c\nd", "é f"))
    write_projector(tmp_path, named, np.array([0, 4, 8]), outputs, 4)
    _, _, rows, _ = load(tmp_path)
    assert [row[0] for row in rows[1:]] == ["a b", "c d", "é f"]


def test_multispectral_images_are_shown_in_their_colours(tmp_path):
    image = np.zeros((48, 48, 5), np.uint16)
    image[:24, :, 3] = 900  # the fourth band is red
    info = prepare_pictures(tmp_path / "made", [image])
    info = dataclasses.replace(info, origin={**info.origin, "rgb_bands": [4, 3, 2]})
    sprite, _ = thumbnails(info, np.array([0]), 1)
    assert sprite[5, 5].tolist() == [255, 0, 0]
    assert sprite[40, 40].tolist() == [0, 0, 0]


def test_each_of_two_sources_is_shown_in_its_own_colours(tmp_path):
    optical, radar = np.zeros((48, 48, 13), np.uint16), np.zeros((40, 40, 3), np.uint8)
    optical[:24, :, 12] = 900  # the last band is red
    radar[:20, :, 1] = 250  # the second one is
    info = prepare_pictures(tmp_path / "made", [{"optical": optical, "radar": radar}])
    bands = {"optical": [13, 3, 2], "radar": [2, 1, 3]}
    info = dataclasses.replace(info, origin={**info.origin, "rgb_bands": bands})
    for source in bands:
        sprite, _ = thumbnails(info, np.array([0]), 1, source)
        assert sprite[5, 5, 0] >= 250
        assert not sprite[5, 5, 1:].any()
        assert not sprite[40, 40].any()


def test_classes_are_the_true_ones(tmp_path):
    archive = make_block_archive(count=10, images={"image": ((40, 40, 3), np.uint8)}, wrong=(0, 3))
    info = prepare(archive, tmp_path / "noisy").info
    write_projector(tmp_path, info, np.arange(10), np.zeros((10, 8)), 1)
    _, _, rows, _ = load(tmp_path)
    assert [row[0] for row in rows[1:]] == [info.classes[label] for label in info.true_labels]
    assert (info.labels != info.true_labels).sum() == 2
