"""Draw the split that an experiment's settings ask for."""

import contextlib
from typing import Any

import numpy as np

from keras_dhnn.config import Data
from keras_dhnn.errors import DataError, SettingError, invalid
from keras_dhnn.pipelines.groups import load_groups, merge_groups
from keras_dhnn.pipelines.items import Items
from keras_dhnn.pipelines.name_groups import groups_by_name
from keras_dhnn.pipelines.published_split import PUBLISHED, load_published
from keras_dhnn.pipelines.split_file import read_split_file
from keras_dhnn.pipelines.splits import Split, make_split, split_of_images
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

# DHNN section IV-B: 1,000 of the 8,400 turned images. Ours: 20 % of each class.
QUERIES = {"paper": 1000 / 8400, "grouped": 0.2, "standard": 0.2}
# Labels of a class that are few: none of them is a query's where as many images or more have none.
FEW = 20


def draw_split(data: Data, seed: int, info: DatasetInfo) -> Split:
    """Draw the split that settings ask for.

    Args:
        data: the `Data` settings.
        seed: the experiment's seed.
        info: `DatasetInfo` of the prepared data set.

    Returns:
        `Split`.

    Raises:
        SettingError: if a setting is out of bounds.
        DataError: if `data.split` is no list of these images, `data.groups` no file of groups or of other images, or
            names do not match `data.group_pattern`.
    """
    if data.split is not None:
        return _listed_split(data, seed, info)
    queries = QUERIES.get(data.protocol) if data.queries is None else data.queries
    if data.protocol != "paper" and queries and queries >= 1:
        # A number of all items, in proportion to the classes: the same share of each.
        total = Items(data.turns).count(info.count)
        if queries >= total:
            raise SettingError(
                invalid(
                    "setting `data.queries`",
                    f"a share above 0 and below 1, or a whole number below {total}, the number of items",
                    queries,
                )
            )
        queries /= total
    how: dict[str, Any] = {
        "protocol": data.protocol,
        "seed": seed,
        "queries": int(queries) if queries and queries >= 1 else queries,
        "turns": data.turns,
    }
    if info.known.all():
        labels = _stratified_by(info, info.labels)
        return make_split(labels, validation=data.validation, groups=_groups(data, info), **how)
    return _split_of_few(data, info, how)


def data_key(data: Data, seed: int, info: DatasetInfo) -> str:
    """Return what of the data decides a result beside the settings: what is kept by it is not taken for another's.

    It is the data set's checksum; where labels were given later a digest of them too, and where settings name a file by
    which the split is drawn, its hash: they stay the same when files that they name do not.

    Args:
        data: the `Data` settings.
        seed: the experiment's seed.
        info: `DatasetInfo` of the prepared data set, seen with the experiment's labels.

    Raises:
        DataError: see `draw_split`.
    """
    key = [info.checksum]
    if info.table is not None:
        key.append(f"labels {info.table.digest}")
    if data.split is not None or data.groups is not None:
        # What cannot be drawn is said when it is trained.
        with contextlib.suppress(SettingError):
            key.append(f"split {draw_split(data, seed, info).hash}")
    return " ".join(key)


def _split_of_few(data, info, how):
    """Return a split where labels are missing: of classes with few, none is spent on a query, nor on validation, but
    where the images without a label are fewer still.

    Queries are drawn from the other images, of each class that is known to score by the same share.
    """
    if data.protocol == "paper":
        raise SettingError(invalid("setting `data.protocol`", "grouped or standard where labels are missing", "paper"))
    spared = info.known & _few(info)
    if spared.sum() > (~info.known).sum():
        # Few in number, but not beside the images without a label, which alone would say little.
        spared[:] = False
    others, groups = np.flatnonzero(~spared), _groups(data, info)
    if groups is not None:
        # What stands with a spared image stays in the database with it.
        others = np.flatnonzero(~np.isin(groups, groups[spared]))
    if len(others) < 2:
        raise DataError(f"Too few of {info.count} images are left to search with, beside those whose labels are few.")
    labels = _stratified_by(info, info.true_labels)[others]
    drawn = make_split(labels, validation=0, groups=None if groups is None else groups[others], **how)
    searching = others[np.unique(drawn.items.image(drawn.queries))]
    sides = [searching, np.setdiff1d(np.arange(info.count), searching)]
    as_items = drawn.items.upright if data.protocol == "standard" else drawn.items.of_images
    queries, database = map(as_items, sides)
    return Split(data.protocol, drawn.seed, data.turns, queries, database, queries[:0])


def _few(info):
    """Return `(n,)` bool, which images have a label that few have."""
    if info.label_sets is None:
        return np.bincount(info.labels[info.known], minlength=len(info.classes))[info.labels] <= FEW
    sets = info.label_sets.sets
    return sets[:, sets.sum(axis=0) <= FEW].any(axis=1)


def _stratified_by(info, numbers):
    """Return the labels that parts of a split are to have in proportion: each image's number, or where images have
    several its labels.
    """
    return numbers if info.label_sets is None else info.label_sets.sets


def _listed_split(data, seed, info):
    if data.protocol != "standard":
        raise SettingError(invalid("setting `data.protocol`", "standard beside a list of names", data.protocol))
    published = data.split == PUBLISHED
    parts = load_published(info.directory, info.count) if published else read_split_file(data.split, info.ids)
    return split_of_images(
        parts["queries"],
        parts["database"],
        seed=seed,
        validation=parts.get("validation", data.validation if info.known.all() else 0),
        labels=_stratified_by(info, info.labels),
        turns=data.turns,
    )


def _groups(data, info):
    """Return what must stay together, by a file, by names or by either; None if nothing must."""
    by_file = None if data.groups is None else load_groups(data.groups, info)
    by_name = None if data.group_pattern is None else groups_by_name(info.ids, info.folders, data.group_pattern)
    if by_file is None or by_name is None:
        return by_name if by_file is None else by_file
    return merge_groups(by_file, by_name)
