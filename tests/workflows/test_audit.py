import dataclasses
import shutil

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from keras_dhnn.config import Data
from keras_dhnn.errors import DataError
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.pipelines.published_split import save_published
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.workflows.audit import audit, audit_split
from keras_dhnn.workflows.fit import fit
from tests.evaluation.leakage.pictures import SIDE, prepare_pictures, terrain


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    """Images 0 and 1 share ground, 2 and 3 are copies in different classes, the other 12 are unlike."""
    ground = terrain(0, 200)
    images = [ground[:SIDE, :SIDE], ground[24 : 24 + SIDE, :SIDE], terrain(1), np.rot90(terrain(1)).copy()]
    images += [terrain(seed) for seed in range(2, 14)]
    labels = np.array([0, 0, 0, 1, *[0, 1] * 6])
    return prepare_pictures(tmp_path_factory.mktemp("audit") / "made", images, labels)


def grouped(images_of_queries, count=16):
    """A split by image, of 4 turns each."""
    items = np.arange(4 * count)
    asking = np.isin(items // 4, images_of_queries)
    return Split("grouped", 0, 4, items[asking], items[~asking], items[:0])


def test_counts_queries_and_names_pairs(info, tmp_path):
    result = audit_split(info, grouped([0, 3, 8]), threshold=40, figure=tmp_path / "leaks.png")
    assert result["queries"] == 12
    assert result["affected"] == {"itself": 0, "copy": 4, "lookalike": 0, "overlap": 4, "any": 8}
    assert result["found"]["copy"] == {"pairs": 1, "across": 1}
    copy, overlap = result["pairs"]
    assert (copy["kind"], copy["first"], copy["second"]) == ("copy", "item02", "item03")
    assert (copy["same_class"], copy["across"], copy["what"]) == (False, True, "equal pixels, turned 270 degrees")
    assert (overlap["first"], overlap["second"], overlap["same_class"]) == ("item00", "item01", True)
    assert overlap["what"] == "75% of the ground shared"
    assert result["groups"] == {"count": 2, "images": 4, "largest": 2}
    assert Image.open(tmp_path / "leaks.png").width > 300


def test_frames_are_around_the_same_pixels(info, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("keras_dhnn.workflows.audit.pairs_figure", lambda pairs, title: drawn.extend(pairs) or Figure())
    audit_split(info, grouped([0, 3]), threshold=40, figure=tmp_path / "leaks.png")
    copy, overlap = drawn
    np.testing.assert_array_equal(copy[0].image, copy[1].image)
    assert copy[0].shared is None
    shown = []
    for side in overlap[:2]:
        top, left, height, width = side.shared
        assert (height, width) == (SIDE - 24, SIDE)
        shown.append(side.image[top : top + height, left : left + width])
    np.testing.assert_array_equal(*shown)


def test_pairs_on_one_side_come_last_and_are_not_drawn(info, tmp_path):
    result = audit_split(info, grouped([0, 1, 3]), threshold=40, figure=tmp_path / "leaks.png")
    assert [(pair["kind"], pair["across"]) for pair in result["pairs"]] == [("copy", True), ("overlap", False)]
    result = audit_split(info, grouped([0, 1]), threshold=40, figure=tmp_path / "none.png")
    assert result["affected"]["any"] == 0
    assert result["figure"] is None
    assert not (tmp_path / "none.png").exists()


def test_paper_protocol_leaks_nearly_all_queries(info, tmp_path):
    split = draw_split(Data(queries=8), 0, info)
    result = audit_split(info, split, threshold=40, figure=tmp_path / "leaks.png")
    own = sum(any(item // 4 == query // 4 for item in split.database) for query in split.queries)
    assert result["affected"]["itself"] == own >= 7


def test_groups_stop_the_leaks(info, tmp_path):
    path = tmp_path / "groups.npz"
    result = audit_split(info, grouped([0]), threshold=40, figure=tmp_path / "leaks.png", groups_file=path)
    assert result["groups_file"] == str(path)
    for seed in range(4):
        split = draw_split(Data(protocol="grouped", queries=0.3, groups=str(path)), seed, info)
        kept = audit_split(info, split, threshold=40, figure=tmp_path / "leaks.png")
        assert kept["affected"]["any"] == 0
    without = dataclasses.replace(Data(protocol="grouped", queries=0.3))
    leaks = [
        audit_split(info, draw_split(without, seed, info), threshold=40, figure=tmp_path / "leaks.png")["affected"][
            "any"
        ]
        for seed in range(3)
    ]
    assert max(leaks) > 0


@pytest.mark.parametrize("asked", [{}, {"seed": 3}, {"protocol": "grouped", "seed": 3}], ids=str)
def test_the_split_is_the_one_that_fit_draws(info, tmp_path, monkeypatch, asked):
    """Of an archive with a published split: that one, unless it is said how another is drawn."""
    copy = shutil.copytree(info.directory, tmp_path / "published")
    save_published(copy, ["test" if number in (1, 4, 5) else "train" for number in range(16)])
    audited, trained = [], []
    monkeypatch.setattr("keras_dhnn.workflows.audit.audit_split", lambda info, split, **_: audited.append(split))
    monkeypatch.setattr("keras_dhnn.workflows.fit.train_run", lambda run, info, *_: trained.append((run, info)))
    audit(copy, **asked)
    fit("published", data=tmp_path, runs=tmp_path / "runs", **asked)
    ((run, seen),) = trained
    assert audited[0].hash == draw_split(run.experiment.data, run.experiment.seed, seen).hash
    assert (audited[0].queries.tolist() == [1, 4, 5]) == ("protocol" not in asked)


def test_figure_that_cannot_be_written(info, tmp_path):
    with pytest.raises(DataError, match="--out"):
        audit_split(info, grouped([0]), threshold=40, figure=tmp_path / "missing" / "leaks.png")
