import dataclasses

import numpy as np
import pytest

from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.pipelines.splits import Split, make_split, split_of_images

UCMD = np.repeat(np.arange(21), 100)  # 21 classes x 100 images, in order of class


def paper(labels=UCMD, **changes):
    return make_split(labels, **{"protocol": "paper", "seed": 0, "queries": 1000, "validation": 0.1} | changes)


def grouped(labels=UCMD, **changes):
    return make_split(labels, **{"protocol": "grouped", "seed": 0, "queries": 0.2, "validation": 0.1} | changes)


def leak(split):
    """Share of queries with a turned copy of the same image in the database."""
    return np.isin(split.queries // split.turns, split.database // split.turns).mean()


# --- what both protocols promise


@pytest.mark.parametrize("make", [paper, grouped])
def test_queries_and_database_are_all_virtual_items_once(make):
    split = make()
    np.testing.assert_array_equal(np.sort(np.concatenate([split.queries, split.database])), np.arange(8400))


@pytest.mark.parametrize("make", [paper, grouped])
def test_validation_is_part_of_the_database_and_fitting_is_the_rest_of_it(make):
    split = make()
    assert np.isin(split.validation, split.database).all()
    np.testing.assert_array_equal(np.sort(np.concatenate([split.validation, split.fitting])), split.database)
    np.testing.assert_array_equal(split.training, split.database)


@pytest.mark.parametrize("make", [paper, grouped])
def test_same_arguments_same_split_another_seed_another(make):
    assert make(seed=3).hash == make(seed=3).hash
    assert make(seed=3).hash != make(seed=4).hash
    assert not np.array_equal(make(seed=3).queries, make(seed=4).queries)


@pytest.mark.parametrize("make", [paper, grouped])
def test_validation_share_does_not_change_the_queries(make):
    np.testing.assert_array_equal(make(validation=0).queries, make(validation=0.3).queries)
    assert make(validation=0).validation.size == 0


@pytest.mark.parametrize("make", [paper, grouped])
def test_items_are_sorted_int64_and_read_only(make):
    for items in (make().queries, make().database, make().validation):
        assert items.dtype == np.int64
        assert (np.diff(items) > 0).all()
        with pytest.raises(ValueError, match="read-only"):
            items[0] = 1


# --- paper


def test_paper_sizes_on_ucmd():
    split = paper()
    assert (split.queries.size, split.database.size, split.validation.size) == (1000, 7400, 740)


def test_paper_leaks_as_the_paper_does():
    # A query has no turned copy in the database only if its three siblings are queries too.
    clean = (999 * 998 * 997) / (8399 * 8398 * 8397)
    assert round(1 - clean, 3) == 0.998
    measured = np.mean([leak(paper(seed=seed)) for seed in range(20)])
    assert measured == pytest.approx(1 - clean, abs=0.001)


def test_paper_draws_queries_uniformly():
    counts = np.zeros(8400)
    for seed in range(200):
        counts[paper(seed=seed, validation=0).queries] += 1
    by_turn, by_class = counts.reshape(-1, 4).sum(0), counts.reshape(21, 400).sum(1)
    # 200,000 draws; hypergeometric standard deviation sqrt(N p (1 - p) * 7400 / 8399).
    assert abs(by_turn - 50_000).max() < 5 * np.sqrt(200_000 * 0.25 * 0.75 * 0.88)
    assert abs(by_class - 200_000 / 21).max() < 5 * np.sqrt(200_000 / 21 * 0.88)


def test_paper_draws_validation_uniformly_from_the_database():
    by_turn = np.sum([np.bincount(paper(seed=seed).validation % 4, minlength=4) for seed in range(100)], axis=0)
    assert abs(by_turn - 18_500).max() < 5 * np.sqrt(74_000 * 0.25 * 0.75)


def test_paper_queries_may_be_a_share():
    assert paper(queries=0.125).queries.size == 1050


def test_paper_without_turns():
    split = paper(np.zeros(500, int), turns=1, queries=100)
    assert (split.queries.size, split.database.size, split.database.max()) == (100, 400, 499)
    assert leak(split) == 0


# --- grouped


def test_grouped_keeps_all_turns_of_an_image_on_one_side():
    split = grouped()
    assert leak(split) == 0
    for part in (split.queries, split.database, split.validation, split.fitting):
        assert (np.unique(part // 4, return_counts=True)[1] == 4).all()


def test_grouped_takes_exactly_a_fifth_of_every_class_and_a_tenth_of_the_rest():
    split = grouped()
    np.testing.assert_array_equal(np.bincount(UCMD[split.queries // 4]), np.full(21, 20 * 4))
    np.testing.assert_array_equal(np.bincount(UCMD[split.validation // 4]), np.full(21, 8 * 4))


def test_grouped_holds_for_classes_of_any_size_and_any_order():
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([5, 7, 11, 20], [50, 33, 8, 13]))
    split = grouped(labels)
    queries = labels[split.queries[::4] // 4]
    assert [np.sum(queries == label) for label in (5, 7, 11, 20)] == [10, 7, 2, 3]


def test_grouped_leaves_every_class_of_two_a_query_and_a_database_image():
    labels = np.array([0, 0, 1, 1, 1, 2, 2])
    for share in (0.01, 0.2, 0.99):
        split = grouped(labels, queries=share, turns=1, validation=0)
        assert set(labels[split.queries]) == set(labels[split.database]) == {0, 1, 2}


def test_grouped_puts_a_class_of_one_image_into_the_database():
    split = grouped(np.array([0, 0, 0, 1]), turns=1)
    assert 3 in split.database


def test_grouped_keeps_groups_on_one_side_of_both_cuts():
    rng = np.random.default_rng(1)
    groups = np.arange(2100)
    for first in rng.choice(2000, 150, replace=False):  # chains of near-duplicates, some across classes
        groups[first + 1 : first + rng.integers(2, 6)] = groups[first]
    split = grouped(groups=groups)
    sides = [set(groups[part // 4]) for part in (split.queries, split.validation, split.fitting)]
    assert len(set.union(*sides)) == sum(len(side) for side in sides)
    np.testing.assert_array_equal(np.bincount(UCMD[split.queries // 4]), np.full(21, 80))


def test_grouped_gives_a_class_of_large_groups_its_smallest_group():
    labels = np.repeat([0, 1], [10, 10])
    groups = np.concatenate([np.repeat([0, 1], [6, 4]), np.arange(2, 12)])  # class 0: quota 2, groups of 6 and 4
    split = grouped(labels, groups=groups, turns=1, validation=0)
    np.testing.assert_array_equal(split.queries[labels[split.queries] == 0], [6, 7, 8, 9])
    assert np.sum(labels[split.queries] == 1) == 2


def test_grouped_never_empties_the_database_of_a_class_that_is_one_group():
    labels, groups = np.repeat([0, 1], 5), np.array([0] * 5 + [1, 2, 3, 4, 5])
    split = grouped(labels, groups=groups, turns=1)
    assert set(range(5)) <= set(split.database)


# --- hash, save, load


def example(**changes):
    fields = {"protocol": "paper", "seed": 1, "turns": 4, "queries": [0, 5], "database": [1, 2, 3], "validation": [2]}
    return Split(**fields | changes)


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": "grouped"},
        {"seed": 2},
        {"turns": 1},
        {"queries": [0, 6]},
        {"database": [1, 2, 4]},
        {"validation": [3]},
        {"validation": []},
    ],
)
def test_hash_differs_when_anything_differs(change):
    assert example().hash != example(**change).hash


def test_hash_is_short_and_does_not_depend_on_order_or_type():
    assert len(example().hash) == 12
    assert example().hash == example(queries=np.array([5, 0], np.int32), database=(3, 2, 1)).hash


def test_hash_of_a_known_split_stays_the_same_between_versions():
    assert example().hash == "95f99f0e34ae"  # scores name it: changing this breaks comparisons with older runs


def test_save_and_load_round_trip(tmp_path):
    split = grouped(seed=7)
    split.save(tmp_path / "split.npz")
    loaded = Split.load(tmp_path / "split.npz")
    assert loaded.hash == split.hash
    for field in dataclasses.fields(Split):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(split, field.name))
    assert [path.name for path in tmp_path.iterdir()] == ["split.npz"]


def test_load_rejects_a_changed_split(tmp_path):
    path = tmp_path / "split.npz"
    example().save(path)
    with np.load(path) as file:
        values = dict(file)
    np.savez(path, **values | {"seed": 2})
    with pytest.raises(DataError, match="was changed: expected hash"):
        Split.load(path)


@pytest.mark.parametrize("content", [b"", b"no split", b"PK\x03\x04 cut off"])
def test_load_rejects_a_file_that_is_no_split(tmp_path, content):
    path = tmp_path / "split.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="Expected a split written by `Split.save`"):
        Split.load(path)


def test_load_rejects_other_arrays_and_pickles(tmp_path):
    for name, values in (("other", {"a": [1]}), ("pickle", {"hash": np.array({}, object)})):
        np.savez(tmp_path / f"{name}.npz", **values)
        with pytest.raises(DataError, match="Expected a split written by `Split.save`"):
            Split.load(tmp_path / f"{name}.npz")


def test_load_rejects_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="There is no file .*Fit anew"):
        Split.load(tmp_path / "split.npz")


# --- limits


def test_one_query_is_one_and_no_share():
    split = make_split(np.zeros(10, int), protocol="paper", seed=0, queries=1, validation=0, turns=1)
    assert (split.queries.size, split.database.size) == (1, 9)


def test_two_images_are_enough_for_a_split():
    split = make_split(np.array([0, 0]), protocol="grouped", seed=0, queries=0.5, validation=0, turns=1)
    assert (split.queries.size, split.database.size) == (1, 1)


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.14, 1), (0.15, 2), (0.24, 2), (0.25, 3), (0.99, 9)])
def test_a_share_is_rounded_half_up_and_leaves_one_on_either_side(share, count):
    split = make_split(np.zeros(10, int), protocol="grouped", seed=0, queries=share, validation=0, turns=1)
    assert split.queries.size == count


# --- several labels an image

SEVERAL = np.random.default_rng(5).random((500, 12)) < np.linspace(0.02, 0.5, 12)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.5])
def test_several_labels_each_have_their_share_of_the_queries(share):
    for seed in range(3):
        split = grouped(SEVERAL, seed=seed, queries=share, validation=0.1, turns=1)
        count = round(500 * share)
        assert len(split.queries) == count
        assert len(split.validation) == round(0.1 * (500 - count))
        for part, of in ((split.queries, share), (split.validation, 0.1 * (1 - share))):
            assert np.abs(SEVERAL[part].sum(axis=0) - of * SEVERAL.sum(axis=0)).max() < 2
        assert SEVERAL[split.database].any(axis=0).all()
    # A draw of as many at random is off by more than three times as much.
    apart = np.abs(
        SEVERAL[np.random.default_rng(0).choice(500, count, replace=False)].sum(axis=0) - share * SEVERAL.sum(0)
    )
    assert apart.max() > 3


def test_several_labels_are_drawn_by_the_seed():
    assert grouped(SEVERAL, seed=3).hash == grouped(SEVERAL, seed=3).hash != grouped(SEVERAL, seed=4).hash
    np.testing.assert_array_equal(grouped(SEVERAL).queries, grouped(SEVERAL, validation=0.3).queries)
    assert len(paper(SEVERAL, queries=100).queries) == 100


def test_groups_of_several_labels_stay_on_one_side():
    groups = np.minimum(np.arange(500) // 7, 60)  # the last is of 80 images, more than a tenth
    split = grouped(SEVERAL, queries=0.1, turns=1, groups=groups, validation=0.1)
    sides = [set(groups[part]) for part in (split.queries, split.validation, split.fitting)]
    assert len(set.union(*sides)) == sum(len(side) for side in sides) == 61
    assert 43 < len(split.queries) <= 50
    # Where every group is larger than the share, it is the smallest.
    assert len(grouped(SEVERAL, queries=0.01, turns=1, groups=np.arange(500) // 30).queries) == 20


def test_a_label_of_one_image_is_no_query():
    sets = np.ones((40, 2), bool)
    sets[1:, 1] = False
    assert all(0 in grouped(sets, seed=seed, queries=0.5, turns=1, validation=0).database for seed in range(8))


# --- invalid arguments


def test_split_rejects_a_query_in_the_database():
    with pytest.raises(SettingError, match=r"`queries`.*no item of the database"):
        example(queries=[1])


def test_split_rejects_validation_outside_the_database():
    with pytest.raises(SettingError, match=r"`validation`.*items of the database only"):
        example(validation=[0])


@pytest.mark.parametrize(
    ("make", "change", "argument"),
    [
        (paper, {"protocol": "other"}, "protocol"),
        (paper, {"queries": 8400}, "queries"),
        (paper, {"queries": 0}, "queries"),
        (paper, {"queries": 10.5}, "queries"),
        (paper, {"queries": float("nan")}, "queries"),
        (grouped, {"queries": 1000}, "queries"),
        (grouped, {"queries": 0.0}, "queries"),
        (paper, {"validation": 1.0}, "validation"),
        (paper, {"validation": -0.1}, "validation"),
        (paper, {"turns": 3}, "turns"),
        (paper, {"seed": -1}, "seed"),
        (paper, {"seed": 0.5}, "seed"),
        (paper, {"groups": np.arange(2100)}, "groups"),
        (grouped, {"groups": np.arange(5)}, "groups"),
        (grouped, {"groups": np.zeros(2100)}, "groups"),
        (paper, {"labels": np.zeros((2, 2), int)}, "labels"),
        (paper, {"labels": np.zeros(9)}, "labels"),
        (paper, {"labels": np.zeros(0, int)}, "labels"),
    ],
)
def test_make_split_rejects(make, change, argument):
    with pytest.raises(SettingError, match=f"Invalid value received for argument `{argument}`. Expected .* Received:"):
        make(**change)


# --- the standard protocol: images as they are stored, their turns only trained on


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_standard_takes_unturned_images_of_every_class(share):
    split = make_split(UCMD, protocol="standard", seed=0, queries=share, validation=0.1)
    np.testing.assert_array_equal(np.union1d(split.queries, split.database), 4 * np.arange(2100))
    assert (np.bincount(UCMD[split.queries // 4]) == 100 * share).all()
    assert (np.bincount(UCMD[split.validation // 4]) == 100 * (1 - share) * 0.1).all()


def test_standard_trains_on_all_turns_of_what_is_neither_query_nor_held_out():
    split = make_split(UCMD, protocol="standard", seed=0, queries=0.2, validation=0.1)
    assert leak(split) == 0
    assert not set(split.fitting // 4) & (set(split.queries // 4) | set(split.validation // 4))
    assert len(split.training) == 4 * len(split.database) == 4 * 1680
    np.testing.assert_array_equal(split.fitting, (split.searched[:, None] + np.arange(4)).ravel())


def test_standard_has_the_images_of_grouped():
    standard = make_split(UCMD, protocol="standard", seed=3, queries=0.2, validation=0.1)
    np.testing.assert_array_equal(standard.queries // 4, np.unique(grouped(seed=3).queries // 4))


def test_split_of_images_draws_or_takes_what_is_held_out():
    database = np.arange(10, 2100)
    drawn = split_of_images(np.arange(10), database, seed=1, validation=0.1, labels=UCMD)
    assert len(drawn.queries) == 10
    assert (np.bincount(UCMD[drawn.validation // 4]) == [9] + [10] * 20).all()
    named = split_of_images(np.arange(10), database, seed=1, validation=database[:5], labels=UCMD, turns=1)
    np.testing.assert_array_equal(named.validation, database[:5])
    with pytest.raises(SettingError, match="no item of the database"):
        split_of_images(np.arange(11), database, seed=1, validation=0, labels=UCMD)


@pytest.mark.parametrize("queries", [1000, 240, 1.5])
def test_more_queries_than_items_are_refused_by_the_option(queries):
    message = f"from 1 to 239, for there are 240 items.*say it by --queries N. Received: {queries}"
    with pytest.raises(SettingError, match=message):
        make_split(np.arange(240) % 4, protocol="paper", seed=0, queries=queries, validation=0.1, turns=1)
