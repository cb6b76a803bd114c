"""Turn an item, or a block of items, into one record of a shard, a tf.train.Example, and back."""

from collections.abc import Iterable, Mapping

import tensorflow as tf

from keras_dhnn.pipelines.example import Example, ImageSpec


def encode_example(index: int, example: Example, pixels: Mapping[str, bytes]) -> bytes:
    """Return one item as a serialised tf.train.Example with the features `id`, `index`, `label` and `image/<source>`.

    Args:
        index: the item's number.
        example: Example.
        pixels: {source: the image's little-endian bytes}.

    Returns:
        bytes
    """
    return encode_block([index], [example.id], [example.label], pixels)[0]


def encode_block(
    index: Iterable[int], ids: Iterable[str], labels: Iterable[int], pixels: Mapping[str, bytes]
) -> tuple[bytes, dict[str, int]]:
    """Return n items as one serialised tf.train.Example; `id`, `index` and `label` have n values.

    Written in protobuf's wire format by hand, since protobuf's objects take twice as long, and small images come by
    the hundred thousand. The bytes are those of protobuf's deterministic serialisation.

    Args:
        index: the items' numbers.
        ids: the items' names.
        labels: the items' class numbers.
        pixels: {source: the images' little-endian bytes, one after the other}.

    Returns:
        `(record, {source: place of the first pixel in it})`.
    """
    features = {"id": _bytes_list([name.encode() for name in ids])}
    features |= {f"image/{source}": _bytes_list([value]) for source, value in pixels.items()}
    features |= {"index": _int64_list(index), "label": _int64_list(labels)}
    body, ends = b"", {}
    for key, value in features.items():
        body += _field(1, _field(1, key.encode()) + _field(2, value))
        ends[key] = len(body)
    record = _field(1, body)
    before = len(record) - len(body)
    # A feature ends with its last value.
    return record, {source: before + ends[f"image/{source}"] - len(value) for source, value in pixels.items()}


def _bytes_list(values):
    return _field(1, b"".join(_field(1, value) for value in values))


def _int64_list(values):
    return _field(3, _field(1, b"".join(map(_varint, values))))


def _field(number, content):
    """Return a length-delimited field."""
    return b"%c%b%b" % (number << 3 | 2, _varint(len(content)), content)


def _varint(value):
    """Return seven bits a byte, the lowest first; the eighth says that more follow."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def decode_images(serialized: tf.Tensor, images: Mapping[str, ImageSpec]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Parse a batch of records, inside or outside of a tf.data graph.

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
