import numpy as np
import pytest

from keras_dhnn.metrics.groups import group, small_unsigned, ungrouped, words


@pytest.mark.parametrize("length", [1, 8, 12])
def test_groups_are_those_of_unique_rows(length):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 3, (200, length), dtype=np.uint8)
    rows[:, 1:-1] = 7
    groups = group(*words(rows))
    distinct, first, sizes = np.unique(rows, axis=0, return_index=True, return_counts=True)
    by_first = np.argsort(first)
    np.testing.assert_array_equal(groups.first, first[by_first])
    np.testing.assert_array_equal(groups.sizes, sizes[by_first])
    np.testing.assert_array_equal(rows[groups.first][groups.of_item], rows)
    for number in (0, len(distinct) - 1):
        members = groups.members(np.array([number]))
        np.testing.assert_array_equal(members, np.flatnonzero(groups.of_item == number))


def test_members_of_several_groups_follow_each_other():
    groups = group(np.array([5, 2, 5, 2, 9], np.uint8))
    np.testing.assert_array_equal(groups.members(np.array([2, 0])), [4, 0, 2])
    assert not groups.all_distinct


def test_distinct_items_keep_their_numbers():
    keys = np.random.default_rng(0).permutation(50).astype(np.uint16)
    for groups in (group(keys), ungrouped(50)):
        assert groups.all_distinct
        for numbers in (groups.of_item, groups.first, groups.items):
            np.testing.assert_array_equal(numbers, np.arange(50))


def test_small_unsigned_keeps_differences():
    numbers = small_unsigned(np.array([-300, -45, -300]))
    assert numbers.dtype == np.uint8
    np.testing.assert_array_equal(numbers, [0, 255, 0])
    assert small_unsigned(np.array([-(2**62), 2**62])).dtype == np.uint64
