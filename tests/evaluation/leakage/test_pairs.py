import numpy as np
import pytest

from keras_dhnn.evaluation.leakage.pairs import Pair, find_pairs, groups_of
from tests.evaluation.leakage.pictures import SIDE, edited, prepare_pictures, terrain


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    ground = terrain(0, 200)
    images = [
        terrain(1),  # 0
        ground[20 : 20 + SIDE, 30 : 30 + SIDE],  # 1
        np.ascontiguousarray(terrain(1)[::-1]),  # 2: a copy of 0
        edited(terrain(2)),  # 3: looks like 5
        ground[50 : 50 + SIDE, 10 : 10 + SIDE],  # 4: shares ground with 1
        terrain(2),  # 5
        terrain(3),  # 6
        terrain(1),  # 7: a copy of 0
        np.rot90(ground[50 : 50 + SIDE, 10 : 10 + SIDE]).copy(),  # 8: a copy of 4
    ]
    return find_pairs(prepare_pictures(tmp_path_factory.mktemp("pairs") / "made", images))


def test_each_pair_is_found_once_the_worst_first(pairs):
    assert [(pair.kind, pair.first, pair.second) for pair in pairs] == [
        ("copy", 0, 2),
        ("copy", 0, 7),
        ("copy", 4, 8),
        ("lookalike", 3, 5),
        ("overlap", 1, 4),
    ]


def test_pairs_say_what_is_shared(pairs):
    overlap = pairs[4]
    assert overlap.share == pytest.approx((SIDE - 30) * (SIDE - 20) / SIDE**2)
    assert overlap.correlation > 0.99
    assert overlap.distance is None
    assert 0 < pairs[3].distance <= 40
    assert pairs[0].distance == 0


def test_groups_are_connected_images(pairs):
    groups = groups_of(pairs, 9)
    assert groups.shape == (9,)
    together = [set(np.flatnonzero(groups == group)) for group in np.unique(groups)]
    assert sorted(map(sorted, together)) == [[0, 2, 7], [1, 4, 8], [3, 5], [6]]


def test_without_pairs_each_image_is_a_group():
    assert len(set(groups_of([], 5))) == 5


def test_groups_chain():
    groups = groups_of([Pair("overlap", 0, 4, 0), Pair("lookalike", 4, 2, 0)], 5)
    assert groups[0] == groups[4] == groups[2]
    assert len(set(groups)) == 3
