"""Write blocks of items to TFRecord shards with many items a record, in random order."""

import contextlib
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.files.tfrecord import record_writer
from keras_dhnn.pipelines.example import Block
from keras_dhnn.pipelines.store.content import Content
from keras_dhnn.pipelines.store.dataset_info import ITEMS_FILE, StoredFile
from keras_dhnn.pipelines.store.tf_example import encode_block

ITEMS_PER_RECORD = 256


def write_blocks(
    blocks: Iterable[Block],
    directory: Path | str,
    *,
    classes: Sequence[str],
    shards: int = 8,
    seed: int = 0,
    items_per_record: int = ITEMS_PER_RECORD,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Write what `records.write_shards` writes, with up to `items_per_record` items in a record.

    Every item has its place at random: first a shard, then, when all are in, a record and a place in it. So it does
    not matter how the archive is ordered, nor how it is cut into blocks.

    Args:
        blocks: Blocks, all with the same sources, sizes and types; items get the numbers 0, 1, ... as they come.
        directory: the folder, which exists.
        classes: class names.
        shards: number of files.
        seed: of the random order.
        items_per_record: items in a record; the last one of a shard has fewer.
        progress: called with the number of items read so far.

    Returns:
        dict of the DatasetInfo fields `images`, `count`, `class_counts`, `shards`, `items_file`, `checksum` and
        `items_per_record`.

    Raises:
        DataError: if there is no item, an id comes twice, or an image or label does not fit the others.
        OSError: if the disk is full or not writable.
    """
    directory, content = Path(directory), Content(classes)
    spools = [directory / f"spool-{k}" for k in range(shards)]
    homes = _spool(blocks, spools, content, np.random.default_rng([seed, 0]), progress)
    fields, items = content.fields(), content.items()
    images = fields["images"]
    places = np.zeros((fields["count"], 3), np.int64)
    places[:, 0] = homes
    items["places"] = places
    items |= {name: np.zeros((fields["count"], len(images)), np.int64) for name in ("pixels", "checks")}
    stored = []
    for number, spool in enumerate(spools):
        path = directory / f"records-{number:05d}-of-{shards:05d}.tfrecord"
        order = np.random.default_rng([seed, 1, number]).permutation(np.flatnonzero(homes == number))
        _write_shard(spool, path, order, items, images, items_per_record)
        stored.append(StoredFile.of(path, len(order)))
    np.savez_compressed(directory / ITEMS_FILE, **items)
    return fields | {
        "shards": tuple(stored),
        "items_file": StoredFile.of(directory / ITEMS_FILE, fields["count"]),
        "items_per_record": items_per_record,
    }


def _spool(blocks, spools, content, random, progress):
    """Deal the items out to the spool files, and return the number of each item's, (n,) int64."""
    homes = []
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(spool, "wb")) for spool in spools]
        for block in _one_ahead(blocks):
            rows = np.concatenate(list(content.add_block(block).values()), axis=1)
            homes.append(random.integers(len(spools), size=len(rows)))
            for number, file in enumerate(files):
                file.write(rows[homes[-1] == number])
            if progress:
                progress(len(content.ids))
    return np.concatenate(homes) if homes else np.zeros(0, np.int64)


def _one_ahead(blocks):
    """Yield the blocks, each of which is read while the one before it is written."""
    blocks = iter(blocks)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = pool.submit(next, blocks, None)
            yield block


def _write_shard(spool, path, order, items, images, items_per_record):
    """Move the items of one spool file into its shard, in a given order, and enters their places into `items`."""
    cuts = np.cumsum([0, *(spec.nbytes for spec in images.values())])
    rows = np.fromfile(spool, np.uint8).reshape(len(order), cuts[-1])
    spool.unlink()
    rank = np.searchsorted(np.sort(order), order)  # of each item in the spool file, where they come in rising order
    with record_writer(path) as write:
        for start in range(0, len(order), items_per_record):
            index, chosen = order[start : start + items_per_record], rows[rank[start : start + items_per_record]]
            pixels = {s: chosen[:, a:b].tobytes() for s, a, b in zip(images, cuts, cuts[1:], strict=False)}
            labels, ids = items["labels"][index].tolist(), items["ids"][index].tolist()
            record, within = encode_block(index.tolist(), ids, labels, pixels)
            first = write(record)
            items["places"][index, 1:] = first, len(record)
            for column, (source, spec) in enumerate(images.items()):
                items["pixels"][index, column] = first + within[source] + np.arange(len(index)) * spec.nbytes
                own = chosen[:, cuts[column] : cuts[column + 1]]
                items["checks"][index, column] = [zlib.crc32(image) for image in np.ascontiguousarray(own)]
