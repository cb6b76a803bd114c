import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.example import Example
from keras_dhnn.pipelines.store.records import write_shards
from keras_dhnn.pipelines.store.tf_example import decode_images, encode_example
from tests.fakes import make_dataset, make_examples

TWO_SOURCES = {"pan": ((8, 8, 1), "uint16"), "mul": ((2, 2, 4), "float32")}


def write(directory, examples=None, **options):
    directory.mkdir()
    return write_shards(examples or make_examples(), directory, **{"classes": ("a", "b"), "shards": 3} | options)


def stored_indices(directory):
    """Item numbers in the order of the records, one list a shard; read by TensorFlow and protobuf."""
    return [
        [
            tf.train.Example.FromString(record.numpy()).features.feature["index"].int64_list.value[0]
            for record in tf.data.TFRecordDataset(str(path))
        ]
        for path in sorted(directory.glob("records-*"))
    ]


@pytest.mark.parametrize("images", [None, TWO_SOURCES], ids=["one source", "two sources"])
def test_records_hold_what_was_written(tmp_path, images):
    info, examples = make_dataset(tmp_path / "data", images=images)
    seen = []
    for shard in info.shards:
        assert shard.file.endswith("-of-00003.tfrecord")
        for record in tf.data.TFRecordDataset(str(tmp_path / "data" / shard.file)):
            features = tf.train.Example.FromString(record.numpy()).features.feature
            index = features["index"].int64_list.value[0]
            example = examples[index]
            seen.append(index)
            assert features["id"].bytes_list.value[0].decode() == example.id == info.ids[index]
            assert features["label"].int64_list.value[0] == example.label == info.labels[index]
            for source, image in example.images.items():
                pixels = features[f"image/{source}"].bytes_list.value[0]
                np.testing.assert_array_equal(np.frombuffer(pixels, info.images[source].stored_dtype), image.ravel())
    assert sorted(seen) == list(range(len(examples)))


@pytest.mark.parametrize(("index", "label"), [(0, 0), (127, 1), (128, 2), (70_000, 300), (2**40, 3)])
def test_encoded_example_equals_protobuf(index, label):
    pixels = {"pan": bytes(range(200)), "mul": b"\0" * 20_000}
    features = {
        "id": tf.train.Feature(bytes_list=tf.train.BytesList(value=["forêt/1.tif".encode()])),
        "index": tf.train.Feature(int64_list=tf.train.Int64List(value=[index])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    for source, content in pixels.items():
        features[f"image/{source}"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
    expected = tf.train.Example(features=tf.train.Features(feature=features))
    encoded = encode_example(index, Example("forêt/1.tif", label, {}), pixels)
    assert tf.train.Example.FromString(encoded) == expected


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_decode_returns_index_and_images(tmp_path, dtype):
    info, examples = make_dataset(tmp_path / "data", images={"image": ((4, 3, 5), dtype)})
    files = [str(info.directory / shard.file) for shard in info.shards]
    records = next(iter(tf.data.TFRecordDataset(files).batch(100)))
    index, images = decode_images(records, info.images)
    expected = np.stack([examples[i].images["image"] for i in index.numpy()])
    assert images["image"].dtype == dtype
    np.testing.assert_array_equal(images["image"], expected)


def test_places_point_at_the_records(tmp_path):
    info, _ = make_dataset(tmp_path / "data")
    for index, (shard, first, size) in enumerate(info.places):
        content = (info.directory / info.shards[shard].file).read_bytes()[first : first + size]
        assert tf.train.Example.FromString(content).features.feature["index"].int64_list.value[0] == index


def test_every_shard_holds_every_class_in_random_order(tmp_path):
    write(tmp_path / "data", make_examples(300, classes=2))
    shards = stored_indices(tmp_path / "data")
    assert [len(shard) for shard in shards] == [100, 100, 100]
    for shard in shards:
        assert shard != sorted(shard)
        first_half_of_records = np.array(shard[:50])
        assert 15 <= np.sum(first_half_of_records < 150) <= 35  # items below 150 are of the first class


def test_shards_are_equal_in_bytes_for_equal_seeds_only(tmp_path):
    first, again, other = (write(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert first["shards"] != other["shards"]


def test_checksum_ignores_shards_and_their_order(tmp_path):
    one, many = (write(tmp_path / name, shards=n, seed=n) for name, n in (("one", 1), ("many", 7)))
    assert one["checksum"] == many["checksum"]


@pytest.mark.parametrize("change", ["pixel", "label", "id", "order"])
def test_checksum_depends_on(tmp_path, change):
    original, examples = list(make_examples()), list(make_examples())
    if change == "pixel":
        examples[7].images["image"][1, 2, 0] ^= 1
    elif change == "label":
        examples[7] = Example(examples[7].id, 1 - examples[7].label, examples[7].images)
    elif change == "id":
        examples[7] = Example("renamed", examples[7].label, examples[7].images)
    else:
        examples[7], examples[8] = examples[8], examples[7]
    assert write(tmp_path / "a", original)["checksum"] != write(tmp_path / "b", examples)["checksum"]


def test_fewer_items_than_shards(tmp_path):
    fields = write(tmp_path / "data", make_examples(2), shards=5)
    assert fields["count"] == 2
    assert sorted(index for shard in stored_indices(tmp_path / "data") for index in shard) == [0, 1]


def test_class_counts_include_absent_classes(tmp_path):
    fields = write(tmp_path / "data", make_examples(6, classes=2), classes=("a", "b", "c"))
    assert fields["class_counts"] == (3, 3, 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Example("x", 0, {"image": np.zeros((8, 9, 3), np.uint8)}), r"x: expected 'image' of 8 x 8 x 3 uint8"),
        (Example("x", 0, {"image": np.zeros((8, 8, 3), np.uint16)}), r"x: expected 'image' of 8 x 8 x 3 uint8"),
        (
            Example("x", 0, {"pan": np.zeros((8, 8, 3), np.uint8)}),
            r"x: expected the sources \['image'\]. Found: \['pan'\]",
        ),
        (Example("x", 2, {"image": np.zeros((8, 8, 3), np.uint8)}), r"x: expected a label from 0 to 1. Found: 2"),
        (Example("item003", 0, {"image": np.zeros((8, 8, 3), np.uint8)}), r"item003: this id comes twice"),
    ],
    ids=["size", "type", "source", "label", "id"],
)
def test_write_rejects_an_item_unlike_the_others(tmp_path, wrong, message):
    with pytest.raises(DataError, match=message):
        write(tmp_path / "data", [*make_examples(), wrong])


def test_write_rejects_an_empty_source(tmp_path):
    with pytest.raises(DataError, match="no image"):
        write(tmp_path / "data", iter(()))
