import dataclasses

import numpy as np

from keras_dhnn.pipelines.splits import make_split
from keras_dhnn.training import validation_items


def draw(seed=3, count=400):
    labels = np.arange(count) % 4
    return make_split(labels, protocol="paper", seed=seed, queries=40, validation=0.1, turns=1)


def test_a_small_database_is_searched_whole():
    split = draw()
    np.testing.assert_array_equal(validation_items.validation_items(split), split.database)


def test_a_large_database_is_searched_in_part_by_all_held_out_items(monkeypatch):
    monkeypatch.setattr(validation_items, "VALIDATION_SEARCHES", 50)
    split = draw()
    items = validation_items.validation_items(split)
    assert np.isin(split.validation, items).all()
    searched = np.setdiff1d(items, split.validation)
    assert len(searched) == 50
    assert np.isin(searched, split.fitting).all()
    assert searched.max() > split.fitting[300]  # drawn from all over the database
    np.testing.assert_array_equal(validation_items.validation_items(draw()), items)


def test_which_items_are_searched_is_drawn_by_the_splits_seed(monkeypatch):
    monkeypatch.setattr(validation_items, "VALIDATION_SEARCHES", 50)
    split = draw()
    other = dataclasses.replace(split, seed=split.seed + 1)
    items, others = (validation_items.validation_items(one) for one in (split, other))
    np.testing.assert_array_equal(np.isin(split.validation, others), True)
    assert len(others) == len(items)
    assert not np.array_equal(items, others)
