import numpy as np

from keras_dhnn.pipelines.splits import make_split
from keras_dhnn.training import train


def draw(seed=3, count=400):
    labels = np.arange(count) % 4
    return make_split(labels, protocol="paper", seed=seed, queries=40, validation=0.1, turns=1)


def test_a_small_database_is_searched_whole():
    split = draw()
    np.testing.assert_array_equal(train.validation_items(split), split.database)


def test_a_large_database_is_searched_in_part_by_all_held_out_items(monkeypatch):
    monkeypatch.setattr(train, "VALIDATION_SEARCHES", 50)
    split = draw()
    items = train.validation_items(split)
    assert np.isin(split.validation, items).all()
    searched = np.setdiff1d(items, split.validation)
    assert len(searched) == 50
    assert np.isin(searched, split.fitting).all()
    assert searched.max() > split.fitting[300]  # drawn from all over the database
    np.testing.assert_array_equal(train.validation_items(draw()), items)
