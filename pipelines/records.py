"""Examples to TFRecord shards in random order, and records back to images."""

import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_dhnn.pipelines.dataset_info import ITEMS_FILE, DatasetInfo, StoredFile
from keras_dhnn.pipelines.errors import DataError
from keras_dhnn.pipelines.example import ImageSpec

__all__ = ["DatasetInfo", "decode_images", "write_shards"]

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
    files = [open(spool, "wb") for spool in spools]  # noqa: SIM115
    try:
        for index, example in enumerate(examples):
            if index % shards == 0:
                order = random.permutation(shards)  # so that each shard gets one of every `shards` items
            record = _serialize(index, example, content.add(example))
            homes.append(order[index % shards])
            lengths.append(len(record))
            files[homes[-1]].write(record)
            if progress:
                progress(index + 1)
    finally:
        for file in files:
            file.close()
    places = np.stack([homes, np.zeros(len(homes)), lengths], axis=1).astype(np.int64)
    stored = tuple(_write_shard(spool, k, shards, places, random) for k, spool in enumerate(spools))
    fields = content.fields()
    np.savez_compressed(directory / ITEMS_FILE, labels=content.labels, ids=content.ids, places=places)
    return fields | {"shards": stored, "items_file": StoredFile.of(directory / ITEMS_FILE, len(lengths))}


def decode_images(serialized, images):
    """Parses a batch of records, inside or outside of a tf.data graph.

    Args:
        serialized: (B,) string tensor of records.
        images: {source: ImageSpec}.

    Returns:
        index (B,) int64, and {source: (B, H, W, C) tensor of the stored type}.
    """
    features = {f"image/{source}": tf.io.FixedLenFeature([], tf.string) for source in images}
    parsed = tf.io.parse_example(serialized, features | {"index": tf.io.FixedLenFeature([], tf.int64)})
    decoded = {}
    for source, spec in images.items():
        pixels = tf.io.decode_raw(parsed[f"image/{source}"], spec.dtype, little_endian=True)
        decoded[source] = tf.reshape(pixels, (-1, *spec.shape))
    return parsed["index"], decoded


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


def _serialize(index, example, pixels):
    """A tf.train.Example, written in protobuf's wire format: three times as fast as through protobuf's objects."""
    features = {"id": _bytes_list(example.id.encode())}
    features |= {f"image/{source}": _bytes_list(value) for source, value in pixels.items()}
    features |= {"index": _int64_list(index), "label": _int64_list(example.label)}
    entries = [_field(1, _field(1, key.encode()) + _field(2, value)) for key, value in features.items()]
    return _field(1, b"".join(entries))


def _bytes_list(value):
    return _field(1, _field(1, value))


def _int64_list(value):
    return _field(3, _field(1, _varint(value)))


def _field(number, content):
    """A length-delimited field."""
    return b"%c%b%b" % (number << 3 | 2, _varint(len(content)), content)


def _varint(value):
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


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
