import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.batches import batches
from keras_dhnn.pipelines.store.record_store import ResidentRecords, StreamedRecords
from tests.fakes import make_dataset

COUNT = 10
TWO_SOURCES = {"pan": ((8, 8, 1), "uint16"), "mul": ((4, 4, 5), "float32")}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "small", count=COUNT)


@pytest.fixture(scope="module")
def info(data):
    return data[0]


@pytest.fixture(scope="module")
def dual(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("data") / "dual", count=COUNT, images=TWO_SOURCES)


def collect(dataset):
    """All batches as NumPy: {source: images}, labels, item numbers; and the batch sizes."""
    taken = list(dataset.as_numpy_iterator())
    images = {source: np.concatenate([inputs[source] for inputs, _ in taken]) for source in taken[0][0]}
    labels, items = (np.concatenate([targets[name] for _, targets in taken]) for name in ("label", "index"))
    return images, labels, items, [len(targets["index"]) for _, targets in taken]


def item_numbers(dataset):
    return collect(dataset)[2].tolist()


def add_noise(images, seed):
    return {
        source: image + tf.random.stateless_uniform(tf.shape(image), seed, 0, 100) for source, image in images.items()
    }


def test_items_are_quarter_turns_of_stored_images(data):
    info, examples = data
    images, labels, items, _ = collect(batches(info, np.arange(4 * COUNT), batch_size=7))
    assert items.tolist() == list(range(4 * COUNT))
    assert images["image"].dtype == np.float32
    assert labels.dtype == np.int32
    assert items.dtype == np.int64
    for item, image, label in zip(items, images["image"], labels, strict=True):
        example = examples[item // 4]
        np.testing.assert_array_equal(image, np.rot90(example.images["image"], item % 4))
        assert label == example.label


def test_without_turns_item_numbers_are_stored_numbers(data):
    info, examples = data
    images, _, items, _ = collect(batches(info, [3, 1, 9], batch_size=2, turns=1))
    assert items.tolist() == [3, 1, 9]
    np.testing.assert_array_equal(images["image"], [examples[i].images["image"] for i in (3, 1, 9)])


def test_all_sources_come_in_their_units(dual):
    info, examples = dual
    images, _, items, _ = collect(batches(info, np.arange(4 * COUNT), batch_size=8, seed=0))
    assert examples[0].images["pan"].dtype == np.uint16
    for source, shape in (("pan", (8, 8, 1)), ("mul", (4, 4, 5))):
        assert images[source].shape == (40, *shape)
        for item, image in zip(items, images[source], strict=True):
            np.testing.assert_array_equal(image, np.rot90(examples[item // 4].images[source], item % 4))


def test_each_source_has_a_size_of_its_own(dual):
    info, examples = dual
    images, _, items, _ = collect(batches(info, [5, 6], batch_size=2, image_size={"pan": 4, "mul": None}))
    for item, pan, mul in zip(items, images["pan"], images["mul"], strict=True):
        turned = np.rot90(examples[item // 4].images["pan"], item % 4).astype(np.float32)
        np.testing.assert_allclose(pan, resize_oracle(turned, 4, 4), atol=1e-3)
        np.testing.assert_array_equal(mul, np.rot90(examples[item // 4].images["mul"], item % 4))


def test_without_seed_the_given_order_is_kept(info):
    order = [30, 2, 17, 2, 5]
    assert item_numbers(batches(info, order, batch_size=2, epochs=range(2))) == order * 2


def test_every_epoch_is_another_order_of_the_same_items(info):
    items = np.arange(3, 40)
    seen = item_numbers(batches(info, items, batch_size=5, seed=1, epochs=range(4)))
    epochs = [seen[start : start + len(items)] for start in range(0, len(seen), len(items))]
    assert len(epochs) == 4
    assert all(sorted(epoch) == items.tolist() for epoch in epochs)
    assert len(set(map(tuple, [items, *epochs]))) == 5


def test_a_resumed_run_sees_what_the_uninterrupted_one_sees(info):
    options = {"batch_size": 6, "seed": 3, "image_size": 5, "augment": add_noise}
    whole = list(batches(info, np.arange(25), epochs=range(5), **options).as_numpy_iterator())
    resumed = list(batches(info, np.arange(25), epochs=range(3, 5), **options).as_numpy_iterator())
    assert len(whole) == 25
    assert len(resumed) == 10
    for (images, targets), (expected, expected_targets) in zip(resumed, whole[15:], strict=True):
        np.testing.assert_array_equal(targets["index"], expected_targets["index"])
        np.testing.assert_array_equal(images["image"], expected["image"])


def test_order_depends_on_the_seed(info):
    one, other = (item_numbers(batches(info, np.arange(40), batch_size=8, seed=seed)) for seed in (1, 2))
    assert one != other


def test_streamed_batches_equal_resident_ones(dual):
    info, _ = dual
    options = {
        "batch_size": 6,
        "seed": 3,
        "epochs": range(2),
        "augment": add_noise,
        "image_size": {"pan": 6, "mul": None},
    }
    streamed, resident = (
        batches(info, np.arange(1, 39), records=records, **options).as_numpy_iterator()
        for records in (StreamedRecords(info), ResidentRecords(info))
    )
    for one, other in zip(streamed, resident, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def test_last_batch_is_smaller_or_dropped(info):
    options = {"batch_size": 4, "seed": 0, "epochs": range(2)}
    whole = batches(info, np.arange(10), **options)
    assert whole.cardinality() == 6
    assert collect(whole)[3] == [4, 4, 2, 4, 4, 2]
    dropped = batches(info, np.arange(10), drop_remainder=True, **options)
    assert dropped.cardinality() == 4
    assert collect(dropped)[3] == [4, 4, 4, 4]
    assert dropped.element_spec[0]["image"].shape == (4, 8, 8, 3)
    assert whole.element_spec[0]["image"].shape == (None, 8, 8, 3)


@pytest.mark.parametrize("size", [5, (5, 6), (12, 16)])
def test_resize_is_bilinear_and_antialiased_after_turning(data, size):
    info, examples = data
    images, _, items, _ = collect(batches(info, np.arange(8), batch_size=8, image_size=size))
    pair = (size, size) if isinstance(size, int) else size
    assert images["image"].shape == (8, *pair, 3)
    for item, image in zip(items, images["image"], strict=True):
        turned = np.rot90(examples[item // 4].images["image"], item % 4).astype(np.float32)
        np.testing.assert_allclose(image, resize_oracle(turned, *pair), atol=1e-3)


def resize_oracle(image, height, width):
    """Separable triangle filter, as wide as a pixel of the smaller of the two images."""
    for axis, size in enumerate((height, width)):
        old = image.shape[axis]
        scale = max(old / size, 1)
        centres = (np.arange(size)[:, None] + 0.5) * old / size
        weights = np.maximum(0, 1 - np.abs(np.arange(old)[None] + 0.5 - centres) / scale)
        weights /= weights.sum(axis=1, keepdims=True)
        image = np.moveaxis(np.tensordot(weights, image, (1, axis)), 0, axis)
    return image


def test_augmentation_differs_by_item_and_epoch_and_seed_not_by_batch(data):
    info, examples = data

    def noise(seed, batch_size):
        """{(epoch, item): what was added} of two epochs."""
        how = {"batch_size": batch_size, "seed": seed, "epochs": range(2), "augment": add_noise}
        images, _, items, _ = collect(batches(info, [0, 8], **how))
        added = zip(np.repeat([0, 1], 2), items, images["image"], strict=True)
        return {(epoch, item): image - examples[item // 4].images["image"] for epoch, item, image in added}

    first, other, one_by_one = noise(1, 8), noise(2, 8), noise(1, 1)
    for unlike in (first[0, 8], first[1, 0], other[0, 0]):
        assert np.abs(first[0, 0] - unlike).max() > 1
    np.testing.assert_array_equal(first[0, 0], one_by_one[0, 0])


def test_augment_gets_single_images_of_the_final_size_and_a_seed(dual):
    shapes = []

    def record(images, seed):
        shapes.append(({source: tuple(image.shape) for source, image in images.items()}, seed.shape, seed.dtype))
        return images

    list(batches(dual[0], [0], batch_size=1, seed=0, augment=record, image_size=6))
    assert shapes[0] == ({"pan": (6, 6, 1), "mul": (6, 6, 5)}, (2,), tf.int32)


def test_other_labels_replace_the_stored_ones(info):
    labels = np.arange(COUNT) + 100
    _, seen, items, _ = collect(batches(info, np.arange(40), batch_size=8, seed=0, labels=labels))
    np.testing.assert_array_equal(seen, items // 4 + 100)


def test_keras_fits_a_chain_of_epochs(info):
    model = tf.keras.Sequential([tf.keras.layers.Flatten(), tf.keras.layers.Dense(2)])
    model.compile(loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    dataset = batches(info, np.arange(10), batch_size=4, seed=0, epochs=range(1, 3))
    dataset = dataset.map(lambda images, targets: (images["image"], targets["label"]))
    history = model.fit(dataset, initial_epoch=1, epochs=3, steps_per_epoch=3, verbose=0)
    assert history.epoch == [1, 2]


def test_non_square_images_cannot_be_turned(tmp_path):
    info, examples = make_dataset(tmp_path / "data", count=4, images={"image": ((4, 6, 3), "uint8")})
    with pytest.raises(DataError, match="Quarter turns need square images. 'image' of data is 4 x 6"):
        batches(info, [0], batch_size=1)
    images = collect(batches(info, [2], batch_size=1, turns=1))[0]
    np.testing.assert_array_equal(images["image"][0], examples[2].images["image"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"items": [40]}, r"`items`. Expected numbers from 0 to 39 .*Received: 40"),
        ({"items": [-1, 2]}, r"`items`. Expected numbers from 0 to 39 .*Received: -1"),
        ({"items": []}, "`items`"),
        ({"items": [0.5]}, "`items`"),
        ({"items": [10], "turns": 1}, r"`items`. Expected numbers from 0 to 9"),
        ({"turns": 2}, "`turns`. Expected 1 or 4"),
        ({"batch_size": 0}, "`batch_size`. Expected a whole number from 1"),
        ({"epochs": 3}, "`epochs`. Expected a range"),
        ({"epochs": range(0, 4, 2)}, "`epochs`. Expected a range"),
        ({"augment": add_noise}, "`seed`. Expected a number, since `augment` is random"),
        ({"labels": [0, 1]}, "`labels`. Expected a label for each of the 10 stored items"),
        ({"image_size": (5, 0)}, "`image_size`. Expected a side or"),
        ({"image_size": (5, 5, 3)}, "`image_size`. Expected a side or"),
        ({"image_size": {"pan": 5}}, "`image_size`. Expected a size for each of image"),
    ],
)
def test_arguments_outside_of_their_range(info, changed, message):
    with pytest.raises(ValueError, match=message):
        batches(info, **{"items": [0], "batch_size": 1} | changed)
