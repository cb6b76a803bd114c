"""Examples to TFRecord shards, in random order."""

import contextlib
import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.pipelines.dataset_info import ITEMS_FILE, DatasetInfo, StoredFile
from keras_dhnn.pipelines.errors import DataError
from keras_dhnn.pipelines.example import ImageSpec
from keras_dhnn.pipelines.tf_example import encode_example

__all__ = ["DatasetInfo", "write_shards"]

# TFRecord frames a record by its length and a checksum of that (12 bytes), and a checksum of its content (4 bytes).
_HEADER, _FRAME = 12, 16


def write_shards(examples, directory, *, classes, shards=8, seed=0, progress=None):
    """Writes the Examples to `records-<k>-of-<shards>.tfrecord` and `items.npz` in an existing folder.

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
    directory, random, content = Path(directory), np.random.default_rng(seed), _Content(classes)
    spools, homes, lengths = [directory / f"spool-{k}" for k in range(shards)], [], []
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(spool, "wb")) for spool in spools]
        for index, example in enumerate(examples):
            if index % shards == 0:
                order = random.permutation(shards)  # so that each shard gets one of every `shards` items
            record = encode_example(index, example, content.add(example))
            homes.append(order[index % shards])
            lengths.append(len(record))
            files[homes[-1]].write(record)
            if progress:
                progress(index + 1)
    places = np.stack([homes, np.zeros(len(homes)), lengths], axis=1).astype(np.int64)
    stored = tuple(_write_shard(spool, k, shards, places, random) for k, spool in enumerate(spools))
    fields = content.fields()
    np.savez_compressed(directory / ITEMS_FILE, labels=content.labels, ids=content.ids, places=places)
    return fields | {"shards": stored, "items_file": StoredFile.of(directory / ITEMS_FILE, len(lengths))}


class _Content:
    """What the items have in common, and the checksum over what they are."""

    def __init__(self, classes):
        self.classes, self.images = tuple(classes), None
        self.ids, self.labels, self._seen = [], [], set()
        self._digest = hashlib.sha256()

    def add(self, example):
        """Takes in one Example; returns {source: pixels as little-endian bytes}."""
        if self.images is None:
            self.images = {source: ImageSpec.of(image) for source, image in sorted(example.images.items())}
        self._check(example)
        self._seen.add(example.id)
        self.ids.append(example.id)
        self.labels.append(example.label)
        self._digest.update(f"{len(example.id)}:{example.id}:{example.label}:".encode())
        pixels = {}
        for source, spec in self.images.items():
            pixels[source] = np.asarray(example.images[source], spec.stored_dtype).tobytes()
            self._digest.update(pixels[source])
        return pixels

    def _check(self, example):
        if example.images.keys() != self.images.keys():
            raise DataError(
                f"{example.id}: expected the sources {sorted(self.images)}. Found: {sorted(example.images)}."
            )
        for source, spec in self.images.items():
            image = example.images[source]
            if image.shape != spec.shape or image.dtype != spec.dtype:
                raise DataError(
                    f"{example.id}: expected {source!r} of {spec}, as the images before it. "
                    f"Found: {image.shape}, {image.dtype}."
                )
        if not 0 <= example.label < len(self.classes):
            raise DataError(
                f"{example.id}: expected a label from 0 to {len(self.classes) - 1}. Found: {example.label}."
            )
        if example.id in self._seen:
            raise DataError(f"{example.id}: this id comes twice; ids must be unique.")

    def fields(self):
        if self.images is None:
            raise DataError("The source holds no image.")
        self.labels, self.ids = np.array(self.labels, np.int32), np.array(self.ids)
        self._digest.update(repr((self.classes, list(self.images.items()))).encode())
        return {
            "images": self.images,
            "count": len(self.ids),
            "class_counts": tuple(np.bincount(self.labels, minlength=len(self.classes)).tolist()),
            "checksum": self._digest.hexdigest(),
        }


def _write_shard(spool, number, shards, places, random):
    """Moves the records of one spool file into its shard, shuffled, and enters their offsets into `places`."""
    path = spool.with_name(f"records-{number:05d}-of-{shards:05d}.tfrecord")
    items = np.flatnonzero(places[:, 0] == number)
    ends = np.cumsum(places[items, 2])
    content, offset = spool.read_bytes(), 0
    spool.unlink()
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for i in random.permutation(len(items)):
                length = places[items[i], 2]
                writer.write(content[ends[i] - length : ends[i]])
                places[items[i], 1] = offset + _HEADER
                offset += length + _FRAME
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
    if path.stat().st_size != offset:
        raise OSError(f"{path} was written to byte {path.stat().st_size:,} of {offset:,}; the disk may be full")
    return StoredFile.of(path, len(items))
