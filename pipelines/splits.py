"""Who searches among whom: queries, database, and the part of the database that picks the epoch.

An item number is virtual: `turns * index + turn`, where `index` counts the stored images and `turn` the quarter
turns that they are seen in. NumPy and the standard library only.
"""

import hashlib
import os
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from keras_dhnn.errors import DataError

PROTOCOLS = ("paper", "grouped")


@dataclass(frozen=True, eq=False)
class Split:
    """Item numbers of one protocol and seed; every array is int64, sorted, without repeats and read-only.

    Attributes:
        protocol: "paper" or "grouped".
        seed: the seed that drew it.
        turns: quarter turns per stored image, so that an item's image is `item // turns`.
        queries: `(q,)` items that search; training never sees them.
        database: `(m,)` items that are searched. The papers train on all of them: `training`.
        validation: `(k,)` part of the database that stands in for the queries while training; see `fitting`.

    Raises:
        ValueError: if queries and database share an item, or validation is not part of the database.
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
            raise _invalid("queries", "no item of the database", f"{shared.size} shared items, first {shared[0]}")
        outside = np.setdiff1d(self.validation, self.database)
        if outside.size:
            raise _invalid("validation", "items of the database only", f"{outside.size} others, first {outside[0]}")

    @property
    def training(self):
        """`(m,)` the items to train on as the papers do: the whole database."""
        return self.database

    @property
    def fitting(self):
        """`(m - k,)` the items to train on while validation picks the epoch: the database less validation."""
        return np.setdiff1d(self.database, self.validation)

    @property
    def hash(self):
        """12 hexadecimal digits of the SHA-256 of all fields; names the split in every score."""
        digest = hashlib.sha256(f"{self.protocol} {self.seed} {self.turns}".encode())
        for items in (self.queries, self.database, self.validation):
            digest.update(f" {items.size} ".encode() + items.astype("<i8").tobytes())
        return digest.hexdigest()[:12]

    def save(self, path):
        """Writes the split and its hash to `path` (.npz, no pickle), whole or not at all."""
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        with open(partial, "wb") as file:
            values = {field.name: getattr(self, field.name) for field in fields(self)}
            np.savez_compressed(file, hash=self.hash, **values)
        os.replace(partial, path)

    @classmethod
    def load(cls, path):
        """The split that `save` wrote.

        Raises:
            DataError: if there is no such file, it is not a split, or its content does not match its hash.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                values = {name: file[name] for name in file.files}
            stored = str(values.pop("hash"))
            scalars = {"protocol": str(values.pop("protocol")), "seed": int(values.pop("seed"))}
            split = cls(**scalars, turns=int(values.pop("turns")), **values)
        except FileNotFoundError as error:
            raise DataError(f"No split at {path}. Expected a file written by `Split.save`. Fit anew.") from error
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is not a split written by `Split.save` ({error}). Fit anew.") from error
        if split.hash != stored:
            raise DataError(f"The split in {path} was changed: expected hash {stored}, found {split.hash}. Fit anew.")
        return split


def make_split(labels, *, protocol, seed, queries, validation, turns=4, groups=None):
    """Draws a split; the same arguments give the same split, and `validation` does not change the queries.

    - "paper" (DHNN section IV): queries are drawn uniformly from all `turns * n` virtual items, so that nearly every
      query finds a turned copy of itself in the database. Validation is drawn likewise from the database.
    - "grouped": all turns of an image stand on one side, and so do all images of a group. Of each class the share
      `queries` of its images are queries, and of the others the share `validation` is validation (rounded half up,
      at least one, and at least one is left). Groups that do not fit the quota stay in the database, so that with
      large groups a class may have fewer; it has none only where no group can be spared.

    Args:
        labels: `(n,)` integer class of each stored image, in order of index.
        protocol: "paper" or "grouped".
        seed: whole number, 0 or more.
        queries: number of queries ("paper" only), or if below 1 the share of items.
        validation: share of the database, 0 (none) to below 1.
        turns: quarter turns each image is seen in, 1 or 4.
        groups: `(n,)` integers, equal for images that must stay together, e.g. near-duplicates ("grouped" only).

    Returns:
        A `Split`.

    Raises:
        ValueError: for an argument outside these bounds.
    """
    labels, groups = _checked(labels, protocol, seed, validation, turns, groups)
    query_rng, validation_rng = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    if protocol == "paper":
        total = turns * labels.size
        chosen = _draw(query_rng, np.arange(total), _count(queries, total))
        database = np.setdiff1d(np.arange(total), chosen)
        held = _draw(validation_rng, database, _share(validation, database.size) if validation else 0)
    else:
        if not 0 < queries < 1:
            expected = 'a share of each class, above 0 and below 1, e.g. 0.2, for protocol="grouped"'
            raise _invalid("queries", expected, f"queries={queries}")
        images = np.arange(labels.size)
        query_images = images[_stratified(query_rng, labels, groups, queries)]
        rest = np.setdiff1d(images, query_images)
        held = rest[_stratified(validation_rng, labels[rest], groups[rest], validation)] if validation else rest[:0]
        chosen, database, held = (_turned(part, turns) for part in (query_images, rest, held))
    return Split(protocol, int(seed), int(turns), chosen, database, held)


def _stratified(rng, labels, groups, share):
    """`(n,)` bool: whole groups, in random order, as long as every class that they touch stays within its quota."""
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


def _turned(images, turns):
    """All virtual items of some stored images."""
    return (turns * images[:, None] + np.arange(turns)).ravel()


def _draw(rng, items, count):
    return rng.choice(items, count, replace=False)


def _share(share, total):
    """`share` of `total`, rounded half up, at least one, and leaving at least one."""
    return int(np.clip(int(share * total + 0.5), 1, total - 1))


def _count(queries, total):
    if 0 < queries < 1:
        return _share(queries, total)
    if not 1 <= queries < total or queries != int(queries):
        expected = f"a whole number from 1 to {total - 1} (one less than the items), or a share above 0 and below 1"
        raise _invalid("queries", expected, f"queries={queries}")
    return int(queries)


def _checked(labels, protocol, seed, validation, turns, groups):
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.size < 2 or not np.issubdtype(labels.dtype, np.integer):
        raise _invalid("labels", "(n,) integers, n >= 2", f"shape={labels.shape}, dtype={labels.dtype}")
    if protocol not in PROTOCOLS:
        raise _invalid("protocol", f"one of {', '.join(PROTOCOLS)}", f"protocol={protocol!r}")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise _invalid("seed", "a whole number, 0 or more", f"seed={seed!r}")
    if not 0 <= validation < 1:
        raise _invalid("validation", "a share from 0 to below 1", f"validation={validation}")
    if turns not in (1, 4):
        raise _invalid("turns", "1 or 4", f"turns={turns}")
    if groups is None:
        return labels, np.arange(labels.size)
    groups = np.asarray(groups)
    if protocol == "paper":
        raise _invalid("groups", 'None for protocol="paper", which draws every item on its own', "an array")
    if groups.shape != labels.shape or not np.issubdtype(groups.dtype, np.integer):
        raise _invalid("groups", f"{labels.shape} integers", f"shape={groups.shape}, dtype={groups.dtype}")
    return labels, groups


def _invalid(name, expected, received):
    return ValueError(f"Invalid value received for argument `{name}`. Expected {expected}. Received: {received}")
