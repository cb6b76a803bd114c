"""Split items into queries, database, and the part of the database that picks the epoch.

Items are numbered as in `pipelines.items`. NumPy and the standard library only.
"""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_dhnn.errors import DataError, SettingError, invalid
from keras_dhnn.files import read_arrays, write_arrays
from keras_dhnn.pipelines.items import Items

PROTOCOLS = ("paper", "grouped", "standard")
# What is kept of a split: kinds of the arrays and their numbers of axes.
_STORED = {"hash": ("U", 0), "protocol": ("U", 0), "seed": ("i", 0), "turns": ("i", 0)}
_STORED |= dict.fromkeys(("queries", "database", "validation"), ("i", 1))


@dataclass(frozen=True, eq=False)
class Split:
    """Describe item numbers of one protocol and seed; every array is int64, sorted, without repeats and read-only.

    Attributes:
        protocol: "paper", "grouped" or "standard".
        seed: the seed that drew it.
        turns: quarter turns that each stored image is seen in.
        queries: `(q,)` items that search; training never sees them.
        database: `(m,)` items that are searched; see `training`.
        validation: `(k,)` part of the database that stands in for the queries while training; see `fitting`.

    Raises:
        SettingError: if queries and database share an item, or validation is not part of the database.
    """

    protocol: str
    seed: int
    turns: int
    queries: np.ndarray
    database: np.ndarray
    validation: np.ndarray

    def __post_init__(self):
        for name in ("queries", "database", "validation"):
            items = np.unique(np.asarray(getattr(self, name), np.int64))
            items.setflags(write=False)
            object.__setattr__(self, name, items)
        shared = np.intersect1d(self.queries, self.database)
        if shared.size:
            raise SettingError(
                invalid("argument `queries`", "no item of the database", shared=shared.size, first=int(shared[0]))
            )
        outside = np.setdiff1d(self.validation, self.database)
        if outside.size:
            expected = "items of the database only"
            raise SettingError(invalid("argument `validation`", expected, others=outside.size, first=int(outside[0])))

    @property
    def items(self) -> Items:
        """Return the `Items` that the numbers are of."""
        return Items(self.turns)

    @property
    def training(self) -> np.ndarray:
        """Return `(k,)` the items to train on as the papers do: the whole database; of "standard" in all of its
        turns.
        """
        return self._all_turns(self.database)

    @property
    def fitting(self) -> np.ndarray:
        """Return `(k,)` the items to train on while validation picks the epoch: `training` less validation."""
        return np.setdiff1d(self.training, self._all_turns(self.validation))

    @property
    def searched(self) -> np.ndarray:
        """Return `(m - v,)` the items that validation searches: the database less validation."""
        return np.setdiff1d(self.database, self.validation)

    def _all_turns(self, items):
        return self.items.of_images(self.items.image(items)) if self.protocol == "standard" else items

    @property
    def hash(self) -> str:
        """Return 12 hexadecimal digits of the SHA-256 of all fields, which name the split in every score."""
        digest = hashlib.sha256(f"{self.protocol} {self.seed} {self.turns}".encode())
        for items in (self.queries, self.database, self.validation):
            digest.update(f" {items.size} ".encode() + items.astype("<i8").tobytes())
        return digest.hexdigest()[:12]

    def save(self, path: Path | str) -> None:
        """Write the split and its hash to `path` (.npz, no pickle), whole or not at all."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        write_arrays(Path(path), {"hash": self.hash, **values}, compressed=True)

    @classmethod
    def load(cls, path: Path) -> "Split":
        """Return the split that `save` wrote.

        Raises:
            DataError: if there is no such file, it is not a split, or its content does not match its hash.
        """
        arrays = read_arrays(path, _STORED, remedy="Expected a split written by `Split.save`. Fit anew.")
        values: dict[str, Any] = {
            name: arrays[name].item() if axes == 0 else arrays[name] for name, (_, axes) in _STORED.items()
        }
        stored = values.pop("hash")
        try:
            split = cls(**values)
        except ValueError as error:
            raise DataError(f"{path} is damaged: {error}. Fit anew.") from error
        if split.hash != stored:
            raise DataError(f"The split in {path} was changed: expected hash {stored}, found {split.hash}. Fit anew.")
        return split


def make_split(
    labels: ArrayLike,
    *,
    protocol: str,
    seed: int,
    queries: float,
    validation: float,
    turns: int = 4,
    groups: ArrayLike | None = None,
) -> Split:
    """Draw a split; the same arguments give the same split, and `validation` does not change the queries.

    - "paper" (DHNN section IV): queries are drawn uniformly from all items, so that nearly every query finds a turned
      copy of itself in the database. Validation is drawn likewise from the database.
    - "grouped": all turns of an image stand on one side, and so do all images of a group. Of each class the share
      `queries` of its images are queries, and of the others the share `validation` is validation (rounded half up,
      at least one, and at least one is left). Groups that do not fit the quota stay in the database, so that with
      large groups a class may have fewer; it has none only where no group can be spared. Where images have several
      labels, the shares are of all images, and each label has its share of either side as nearly as can be.
    - "standard": as "grouped", but queries, database and validation are images as they are stored: their turns are
      only trained on. It is what most work since 2018 does, 80 % or half of each class being the database.

    Args:
        labels: `(n,)` integer class of each stored image, in order of index; or where images have several labels
            `(n, c)` bool, which each has.
        protocol: "paper", "grouped" or "standard".
        seed: whole number, 0 or more.
        queries: number of queries ("paper" only), or if below 1 the share of items.
        validation: share of the database, 0 (none) to below 1.
        turns: quarter turns each image is seen in, 1 or 4.
        groups: `(n,)` integers, equal for images that must stay together, e.g. near-duplicates (not "paper").

    Returns:
        A `Split`.

    Raises:
        SettingError: for an argument outside these bounds.
    """
    classes, together = _checked(labels, protocol, seed, validation, turns, groups)
    query_rng, validation_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    if protocol == "paper":
        items = Items(turns).all(len(classes))
        chosen = _draw(query_rng, items, _count(queries, items.size))
        database = np.setdiff1d(items, chosen)
        held = _draw(validation_rng, database, _share(validation, database.size) if validation else 0)
    else:
        if not 0 < queries < 1:
            expected = 'a share of each class, above 0 and below 1, e.g. 0.2, but for protocol="paper"'
            raise SettingError(invalid("argument `queries`", expected, queries))
        images = np.arange(len(classes))
        query_images = images[_stratified(query_rng, classes, together, queries)]
        rest = np.setdiff1d(images, query_images)
        held = rest[_stratified(validation_rng, classes[rest], together[rest], validation)] if validation else rest[:0]
        chosen, database, held = (_items(protocol, part, turns) for part in (query_images, rest, held))
    return Split(protocol, int(seed), int(turns), chosen, database, held)


def split_of_images(
    queries: np.ndarray,
    database: np.ndarray,
    *,
    seed: int,
    validation: float | np.ndarray,
    labels: np.ndarray,
    turns: int = 4,
) -> Split:
    """Return the "standard" split of images that a list names; the seed draws what is held out, if the list does not.

    Args:
        queries: numbers of stored images that search.
        database: numbers of stored images that are searched.
        seed: whole number, 0 or more.
        validation: numbers of the images held out of the database, or the share of each class to draw.
        labels: of each stored image, as of `make_split`.
        turns: quarter turns that each image is trained on in, 1 or 4.

    Raises:
        SettingError: if queries and database share an image, or validation is not part of the database.
    """
    if np.ndim(validation) == 0:
        rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1])
        groups = np.arange(len(database))
        validation = database[_stratified(rng, labels[database], groups, validation)] if validation else database[:0]
    parts = (_items("standard", images, turns) for images in (queries, database, validation))
    return Split("standard", int(seed), int(turns), *parts)


def _stratified(rng, labels, groups, share):
    """Return `(n,)` bool: whole groups, in random order, as long as every class that they touch stays within its
    quota.
    """
    if labels.ndim > 1:
        return _stratified_by_label(rng, labels, groups, share)
    _, labels = np.unique(labels, return_inverse=True)
    _, groups = np.unique(groups, return_inverse=True)
    table = np.zeros((groups.max() + 1, labels.max() + 1), np.int64)  # images per group and class
    np.add.at(table, (groups, labels), 1)
    sizes = table.sum(axis=0)
    quota = np.array([_share(share, size) if size > 1 else 0 for size in sizes])
    taken = np.zeros(len(table), bool)
    counts = np.zeros_like(quota)
    order = rng.permutation(len(table))
    for group in order:
        if np.all((counts + table[group] <= quota)[table[group] > 0]):
            taken[group] = True
            counts += table[group]
    # A class whose groups are all larger than its quota would have none: give it its smallest that can be spared.
    lacking = order[(table[order][:, counts == 0] > 0).any(axis=1)]
    for group in lacking[np.argsort(table[lacking].sum(axis=1), kind="stable")]:
        touched = table[group] > 0
        spare = np.all((counts + table[group] < sizes)[touched])
        if not taken[group] and np.any(counts[touched] == 0) and spare:
            taken[group] = True
            counts += table[group]
    return taken[groups]


def _stratified_by_label(rng, sets, groups, share):
    """Return `(n,)` bool: whole groups, so that the share is taken of each label and of all images.

    Groups come by in random order, large ones first. What each label should have had so far and has not is carried on,
    as error diffusion carries on the tone of a picture: a group is taken where the squares of these errors are smaller
    with it. At last those are added that fit best, up to the share of all images.
    """
    _, groups = np.unique(groups, return_inverse=True)
    # What has no label is of one more, and all images together count as a label.
    columns = np.column_stack([sets, ~sets.any(axis=1), np.ones(len(sets), bool)])
    table = np.zeros((groups.max() + 1, columns.shape[1]), np.int64)  # images per group and label
    np.add.at(table, groups, columns)
    totals, sizes, quota = table.sum(axis=0), table[:, -1], _share(share, len(sets))
    taken, counts, wanted = np.zeros(len(table), bool), np.zeros_like(totals), np.zeros(len(totals))
    halves = (table**2).sum(axis=1) / 2
    order = rng.permutation(len(table))
    order = order[np.argsort(-sizes[order], kind="stable")]

    def spared(rows):
        """Return which groups leave each of their labels to another one in the database."""
        return np.all((counts + table[rows] < totals) | (table[rows] == 0), axis=-1)

    for group in order:
        wanted += quota / len(sets) * table[group]
        fits = counts[-1] + sizes[group] <= quota
        if fits and table[group] @ (wanted - counts) > halves[group] and spared(group):
            taken[group] = True
            counts += table[group]
    while True:
        left = order[~taken[order] & (counts[-1] + sizes[order] <= quota)]
        left = left[spared(left)]
        if not len(left):
            break
        best = left[(table[left] @ (wanted - counts) - halves[left]).argmax()]
        taken[best] = True
        counts += table[best]
    if not taken.any():
        # All groups are larger than the quota: the smallest that can be spared.
        smallest = order[::-1][spared(order[::-1])][:1]
        taken[smallest] = True
    return taken[groups]


def _items(protocol, images, turns):
    """Return items that stored images are for queries and database."""
    return Items(turns).upright(images) if protocol == "standard" else Items(turns).of_images(images)


def _draw(rng, items, count):
    return rng.choice(items, count, replace=False)


def _share(share, total):
    """Return `share` of `total`, rounded half up, at least one, and leaving at least one."""
    return int(np.clip(int(share * total + 0.5), 1, total - 1))


def _count(queries, total):
    if 0 < queries < 1:
        return _share(queries, total)
    if not 1 <= queries < total or queries != int(queries):
        expected = f"a whole number from 1 to {total - 1}, for there are {total} items, or a share above 0 and below 1"
        raise SettingError(invalid("argument `queries`", f"{expected}: say it by --queries N", queries))
    return int(queries)


def _checked(labels, protocol, seed, validation, turns, groups):
    labels = np.asarray(labels)
    kind = {1: np.integer, 2: np.bool_}.get(labels.ndim, np.void)
    if len(labels) < 2 or not np.issubdtype(labels.dtype, kind):
        expected = "(n,) integers, or (n, c) bool, n >= 2"
        raise SettingError(invalid("argument `labels`", expected, shape=labels.shape, dtype=str(labels.dtype)))
    if protocol not in PROTOCOLS:
        raise SettingError(invalid("argument `protocol`", f"one of {', '.join(PROTOCOLS)}", protocol))
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise SettingError(invalid("argument `seed`", "a whole number, 0 or more", seed))
    if not 0 <= validation < 1:
        raise SettingError(invalid("argument `validation`", "a share from 0 to below 1", validation))
    Items(turns)  # which checks it
    if groups is None:
        return labels, np.arange(len(labels))
    groups = np.asarray(groups)
    if protocol == "paper":
        expected = 'None for protocol="paper", which draws every item on its own'
        raise SettingError(invalid("argument `groups`", expected, shape=groups.shape))
    if groups.shape != labels.shape[:1] or not np.issubdtype(groups.dtype, np.integer):
        raise SettingError(
            invalid("argument `groups`", f"{labels.shape[:1]} integers", shape=groups.shape, dtype=str(groups.dtype))
        )
    return labels, groups
