"""Write examples to TFRecord shards, in random order."""

import contextlib
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.files.tfrecord import record_writer
from keras_dhnn.pipelines.example import Example
from keras_dhnn.pipelines.store.content import Content
from keras_dhnn.pipelines.store.dataset_info import ITEMS_FILE, DatasetInfo, StoredFile
from keras_dhnn.pipelines.store.tf_example import encode_example

__all__ = ["DatasetInfo", "write_shards"]


def write_shards(
    examples: Iterable[Example],
    directory: Path | str,
    *,
    classes: Sequence[str],
    shards: int = 8,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Write the Examples to `records-<k>-of-<shards>.tfrecord` and `items.npz` in an existing folder.

    Archives come sorted by class, so items are spread over the shards and shuffled inside each. Memory holds one
    shard at a time, and a few dozen bytes an item.

    Args:
        examples: Examples, all with the same sources, sizes and types; they get the numbers 0, 1, ... as they come.
        directory: the folder.
        classes: class names.
        shards: number of files.
        seed: of the random order.
        progress: called with the number of items read so far.

    Returns:
        dict of the DatasetInfo fields `images`, `count`, `class_counts`, `shards`, `items_file` and `checksum`.

    Raises:
        DataError: if there is no example, an id comes twice, or an image or label does not fit the others.
        OSError: if the disk is full or not writable.
    """
    directory, random, content = Path(directory), np.random.default_rng(seed), Content(classes)
    spools, homes, lengths, checks = [directory / f"spool-{k}" for k in range(shards)], [], [], []
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(spool, "wb")) for spool in spools]
        for index, example in enumerate(examples):
            if index % shards == 0:
                order = random.permutation(shards)  # so that each shard gets one of every `shards` items
            record = encode_example(index, example, content.add(example))
            homes.append(order[index % shards])
            lengths.append(len(record))
            checks.append(zlib.crc32(record))
            files[homes[-1]].write(record)
            if progress:
                progress(index + 1)
    places = np.stack([homes, np.zeros(len(homes)), lengths], axis=1).astype(np.int64)
    stored = tuple(_write_shard(spool, k, shards, places, random) for k, spool in enumerate(spools))
    fields = content.fields()
    np.savez_compressed(
        directory / ITEMS_FILE, **content.items(), places=places, checks=np.array(checks, np.int64)[:, None]
    )
    return fields | {"shards": stored, "items_file": StoredFile.of(directory / ITEMS_FILE, len(lengths))}


def _write_shard(spool, number, shards, places, random):
    """Move the records of one spool file into its shard, shuffled, and enters their offsets into `places`."""
    path = spool.with_name(f"records-{number:05d}-of-{shards:05d}.tfrecord")
    items = np.flatnonzero(places[:, 0] == number)
    ends = np.cumsum(places[items, 2])
    content = spool.read_bytes()
    spool.unlink()
    with record_writer(path) as write:
        for i in random.permutation(len(items)):
            length = places[items[i], 2]
            places[items[i], 1] = write(content[ends[i] - length : ends[i]])
    return StoredFile.of(path, len(items))
