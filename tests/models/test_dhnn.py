import h5py
import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.backend import NEWEST, SGD, Adam
from keras_dhnn.errors import SettingError
from keras_dhnn.models.backbones.efficientnet_lite import EfficientNetLite0
from keras_dhnn.models.dhnn import DHNN, cut_backbone
from keras_dhnn.models.feature_bank import FeatureBank
from keras_dhnn.models.hash_head import hash_head
from tests.half_precision import RATE, TINY, computing_by, dense

BITS = 8


def tiny_backbone():
    return EfficientNetLite0(
        (32, 32, 3), stem=8, stages=((1, 3, 2, 1, 8), (2, 3, 2, 6, 16)), head=32, pooled=("stage2", "head")
    )


def tiny_model(hidden=0):
    tf.keras.utils.set_random_seed(0)
    return DHNN(tiny_backbone(), hash_head(48, BITS, hidden))


def linear_model(size=5):
    """f = x W, so that gradients by the weights follow from gradients by the outputs."""
    tf.keras.utils.set_random_seed(1)
    inputs = tf.keras.Input((size,))
    identity = tf.keras.Model(inputs, tf.keras.layers.Activation("linear")(inputs))
    return DHNN(identity, hash_head(size, BITS))


def images(n=6, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (n, 32, 32, 3)).astype(np.float32)


def batch(inputs, labels):
    labels = tf.constant(labels)
    return {"image": tf.constant(inputs, tf.float32)}, {"label": labels, "index": tf.range(len(labels), dtype=tf.int64)}


def closed_form(outputs, labels, penalty, eta):
    """dE/df of MATH.md: in-batch pairs, means, L2."""
    n, bits = outputs.shape
    excess = 1 / (1 + np.exp(-outputs @ outputs.T / penalty)) - (labels[:, None] == labels)
    return 2 / (n**2 * penalty) * excess @ outputs + 2 * eta / (n * bits) * (outputs - np.where(outputs >= 0, 1, -1))


def test_train_step_descends_the_closed_form_gradient():
    inputs, labels = np.random.default_rng(0).normal(size=(12, 5)), np.arange(12) % 3
    model = linear_model()
    model.compile(SGD(0.1), similarity_factor=0.5, eta=0.3)
    kernel, bias = model.head.get_layer("hash").get_weights()
    by_output = closed_form(inputs @ kernel + bias, labels, 0.5 * BITS, 0.3)
    model.train_step(batch(inputs, labels))
    new_kernel, new_bias = model.head.get_layer("hash").get_weights()
    np.testing.assert_allclose(new_kernel, kernel - 0.1 * inputs.T @ by_output, atol=1e-6)
    np.testing.assert_allclose(new_bias, bias - 0.1 * by_output.sum(axis=0), atol=1e-6)


def test_train_step_with_a_bank_has_one_end_constant():
    """DPSH-style pairs: (1 / (n V P)) sum_j (sigmoid - theta) u_j, the batch's own rows refreshed first."""
    inputs, labels = np.random.default_rng(0).normal(size=(4, 5)), np.arange(4) % 2
    bank_labels = np.array([0, 1, 0, 1, 1, 0])
    model = linear_model()
    bank = FeatureBank(np.arange(6), bank_labels, BITS)
    bank.outputs.assign(np.random.default_rng(3).normal(size=(6, BITS)))
    model.compile(SGD(0.1), penalty=2, eta=0.0, bank=bank)
    kernel, bias = model.head.get_layer("hash").get_weights()
    outputs, rows = inputs @ kernel + bias, bank.outputs.numpy()
    rows[:4] = outputs
    excess = 1 / (1 + np.exp(-outputs @ rows.T / 2)) - (labels[:, None] == bank_labels)
    by_output = excess @ rows / (4 * 6 * 2)
    model.train_step(batch(inputs, labels))
    np.testing.assert_allclose(bank.outputs, rows, atol=1e-6)
    np.testing.assert_allclose(
        model.head.get_layer("hash").get_weights()[0], kernel - 0.1 * inputs.T @ by_output, atol=1e-6
    )


@pytest.mark.parametrize("weighting", ["mean", "balanced"])
def test_rows_that_were_not_seen_are_no_end_of_a_contrastive_pair(weighting):
    """By output (1 / W) sum_j w_ij (u_i - v_j) of similar pairs, minus that of dissimilar ones within the margin."""
    inputs, labels = np.random.default_rng(0).normal(size=(3, 5)), np.array([0, 1, 0])
    bank_labels = np.array([0, 1, 0, 1, 1, 0])
    model = linear_model()
    bank = FeatureBank(np.arange(6), bank_labels, BITS)
    rows = np.zeros((6, BITS), np.float32)
    rows[4] = np.random.default_rng(3).normal(size=BITS)
    bank.outputs.assign(rows)
    model.compile(SGD(0.1), objective="contrastive", eta=0.0, pair_weighting=weighting, bank=bank)
    kernel, bias = model.head.get_layer("hash").get_weights()
    outputs = inputs @ kernel + bias
    rows[:3] = outputs
    gaps = outputs[:, None] - rows
    similar = (labels[:, None] == bank_labels) * 1.0
    near = (gaps**2).sum(axis=2) < 2 * BITS
    seen = np.array([1.0, 1, 1, 0, 1, 0])
    alike, unlike = seen * similar, seen * (1 - similar)
    if weighting == "balanced":
        alike, unlike = 0.5 * alike / alike.sum(), 0.5 * unlike / unlike.sum()
    else:
        alike, unlike = alike / (3 * 4), unlike / (3 * 4)
    by_output = ((alike - unlike * near)[..., None] * gaps).sum(axis=1)
    np.testing.assert_array_equal(bank.seen(), [0, 0, 0, 0, 1, 0])
    model.train_step(batch(inputs, labels))
    np.testing.assert_array_equal(bank.seen(), seen)
    np.testing.assert_allclose(
        model.head.get_layer("hash").get_weights()[0], kernel - 0.1 * inputs.T @ by_output, atol=1e-6
    )


def test_weights_of_pairs_and_what_was_seen_are_multiplied():
    """Of a bank of which nothing was seen nothing is learned, whatever weights its pairs have."""
    inputs, targets = batch(np.random.default_rng(0).normal(size=(3, 5)), [0, 1, 0])
    model = linear_model()
    bank = FeatureBank(np.arange(6), np.arange(6) % 2, BITS)

    def pairs(rows, columns):
        return tf.ones((3, 6)), tf.constant([[1.0, 2, 3, 4, 5, 6]] * 3)

    model.compile(SGD(0.1), objective="contrastive", bank=bank, pairs=pairs)
    outputs = model(inputs)["image"]
    assert float(model.objective(outputs, targets)["pairwise"]) == 0
    rows = np.zeros((6, BITS), np.float32)
    rows[[1, 3]] = [[1.0] * BITS, [-1.0] * BITS]
    bank.outputs.assign(rows)
    distances = 0.5 * ((outputs.numpy()[:, None] - rows[[1, 3]]) ** 2).sum(axis=2)
    expected = (distances * [2, 4]).sum() / (3 * 6)
    assert float(model.objective(outputs, targets)["pairwise"]) == pytest.approx(expected, rel=1e-5)


def test_logged_loss_is_pairwise_plus_eta_times_quantization():
    model = linear_model()
    model.compile(SGD(0.0), eta=0.7, norm="l1", pair_weighting="balanced")
    inputs, targets = batch(np.random.default_rng(0).normal(size=(12, 5)), np.arange(12) % 3)
    logs = {name: float(value) for name, value in model.train_step((inputs, targets)).items()}
    outputs = model(inputs)["image"].numpy()
    assert logs["quantization"] == pytest.approx(np.abs(outputs - np.where(outputs >= 0, 1, -1)).mean(), rel=1e-5)
    assert logs["loss"] == pytest.approx(logs["pairwise"] + 0.7 * logs["quantization"], rel=1e-5)


def test_a_step_in_float16_is_that_of_float32():
    """Along a gradient that is zero in float16 unless the loss is scaled."""
    inputs, labels = np.random.default_rng(0).normal(size=(12, 5)), np.arange(12) % 3
    changes = []
    for policy in ("float32", "mixed_float16"):
        with computing_by(policy):
            model = DHNN(dense(5, 4), hash_head(4, BITS))
        before = model.get_weights()
        model.compile(SGD(RATE), eta=0.0, **TINY)
        model.train_step(batch(inputs, labels))
        changes.append([new - old for new, old in zip(model.get_weights(), before, strict=False)])
    assert np.abs(changes[0][0]).max() > 1e-4
    for expected, received in zip(*changes, strict=True):
        np.testing.assert_allclose(received, expected, atol=5e-2 * np.abs(expected).max())


def test_weight_decay_adds_half_the_sum_of_squared_kernels():
    model = DHNN(tiny_backbone(), hash_head(48, BITS, hidden=16, weight_decay=0.01))
    kernels = [model.head.get_layer(name).get_weights()[0] for name in ("hidden", "hash")]
    model.compile(SGD(0.0), eta=0.7)
    logs = {name: float(value) for name, value in model.train_step(batch(images(), [0, 0, 1, 1, 2, 2])).items()}
    decay = 0.01 / 2 * sum((kernel**2).sum() for kernel in kernels)
    assert logs["loss"] == pytest.approx(logs["pairwise"] + 0.7 * logs["quantization"] + decay, rel=1e-5)


def test_fit_tells_two_kinds_of_images_apart():
    labels = np.arange(16) % 2
    bright = images(16) * np.where(labels, 1.0, 0.3)[:, None, None, None].astype(np.float32)
    model = tiny_model()
    model.compile(Adam(3e-3), eta=0.1)
    data = tf.data.Dataset.from_tensors(batch(bright, labels)).repeat(40)
    model.fit(data, verbose=0)
    signs = np.sign(model(batch(bright, labels)[0], training=True)["image"])
    agreement = signs @ signs.T / BITS
    assert agreement[labels[:, None] == labels].min() > 0.5 > 0 > agreement[labels[:, None] != labels].max()


def test_a_batch_without_a_step_has_the_pairs_of_all_replicas(monkeypatch):
    inputs, labels = np.random.default_rng(0).normal(size=(12, 5)), np.arange(12) % 3
    model = linear_model()
    model.compile(SGD(0.1))
    whole = model.test_step(batch(inputs, labels))["loss"]
    rest, others = batch(inputs[4:], labels[4:])

    def gather(outputs, targets):
        everyone = tf.concat([outputs, model(rest)["image"]], axis=0)
        return everyone, {name: tf.concat([values, others[name]], axis=0) for name, values in targets.items()}

    monkeypatch.setattr("keras_dhnn.models.dhnn.global_batch", gather)
    model.reset_metrics()
    np.testing.assert_allclose(model.test_step(batch(inputs[:4], labels[:4]))["loss"], whole, rtol=1e-6)


def test_one_batch_is_trained_on_and_evaluated():
    images, targets = batch(np.random.default_rng(0).normal(size=(12, 5)), np.arange(12) % 3)
    model = linear_model()
    model.compile(SGD(0.0))
    expected = float(model.test_step((images, targets))["loss"])
    for on_batch in (model.train_on_batch, model.test_on_batch):
        model.reset_metrics()
        assert on_batch(images, targets, return_dict=True)["loss"] == pytest.approx(expected, rel=1e-6)


def test_weights_of_samples_and_missing_targets_are_refused():
    images, targets = batch(np.ones((4, 5)), [0, 0, 1, 1])
    model = linear_model()
    model.compile(SGD(0.0), run_eagerly=True)
    with pytest.raises(SettingError, match="`sample_weight`. Expected None"):
        model.fit(images, targets, sample_weight=np.ones(4), verbose=0)
    with pytest.raises(SettingError, match="`y`. Expected a dictionary of targets.*NoneType"):
        model.evaluate(images, verbose=0)


@pytest.mark.parametrize("cut", ["images", "stage1", "stage2", "features"])
def test_cut_network_equals_the_whole(cut):
    model = tiny_model(hidden=16)
    below, above = model.above(cut)
    whole = model({"image": images()})["image"]
    np.testing.assert_allclose(above({"image": below(images())})["image"], whole, atol=1e-5)


def test_training_above_a_cut_trains_the_whole_and_leaves_what_is_below():
    model = tiny_model()
    below, above = model.above("stage1")
    before = [weights.copy() for weights in below.get_weights()]
    outputs = model({"image": images()})["image"].numpy()
    above.compile(SGD(1.0))
    above.train_step(({"image": below(images())}, batch(images(), [0, 0, 1, 1, 2, 2])[1]))
    for old, new in zip(before, below.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert np.abs(model({"image": images()})["image"] - outputs).max() > 1e-3


def test_wrong_cut_names_the_stages():
    with pytest.raises(ValueError, match=r"stage1, stage2. Received: 'stage9'"):
        tiny_model().above("stage9")


def test_cut_that_paths_lead_past_is_refused():
    with pytest.raises(ValueError, match=r"every path through"):
        cut_backbone(tiny_backbone(), "head_conv")


@pytest.mark.parametrize("compiled", [False, True])
def test_saved_model_loads_and_gives_the_same_outputs(tmp_path, compiled):
    model = tiny_model(hidden=16)
    if compiled:
        model.compile(Adam(0.1))
        model.train_step(batch(images(), [0, 0, 1, 1, 2, 2]))
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert (type(loaded), loaded.bits, loaded.source) == (DHNN, BITS, "image")
    np.testing.assert_array_equal(loaded({"image": images()})["image"], model({"image": images()})["image"])


@pytest.mark.parametrize("writes_compiled", [False, True])
@pytest.mark.parametrize("reads_compiled", [False, True])
def test_weights_lie_at_the_same_place_whether_a_model_is_compiled_or_not(tmp_path, writes_compiled, reads_compiled):
    """Where they lay in files of uncompiled models before, which must load."""
    writer, reader = linear_model(), linear_model()
    for model, compiled in ((writer, writes_compiled), (reader, reads_compiled)):
        if compiled:
            model.compile(SGD(0.1))
            model.train_step(batch(np.ones((4, 5)), [0, 0, 1, 1]))
    values = [np.full(weight.shape, 3.0 + number) for number, weight in enumerate(writer.get_weights()[:2])]
    writer.head.set_weights(values)
    writer.save_weights(tmp_path / "model.weights.h5")
    with h5py.File(tmp_path / "model.weights.h5") as file:
        place = "layers" if NEWEST else "parts"
        np.testing.assert_array_equal(file[f"{place}/functional_1/layers/dense/vars/0"], values[0])
    reader.load_weights(tmp_path / "model.weights.h5")
    for received, value in zip(reader.head.get_weights(), values, strict=True):
        np.testing.assert_array_equal(received, value)


@pytest.mark.parametrize("name", ["folder", "model.h5"])
def test_forms_of_files_that_cannot_be_loaded_are_not_written(tmp_path, name):
    with pytest.raises(SettingError, match=rf'a name that ends in ".keras".*Received: .*{name}'):
        linear_model().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("compiled", [False, True])
def test_the_layer_that_tells_classes_is_saved_and_loaded(tmp_path, compiled):
    model = linear_model()
    model.classify(np.int64(3))
    if compiled:
        model.compile(SGD(0.1), classification=1.0)
    kernel = np.random.default_rng(0).normal(size=(BITS, 3)).astype(np.float32)
    model.classifier.set_weights([kernel, np.arange(3.0)])
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras", compile=False)
    for received, expected in zip(loaded.classifier.get_weights(), [kernel, np.arange(3.0)], strict=True):
        np.testing.assert_array_equal(received, expected)


def test_settings_of_before_say_nothing_of_classes():
    config = linear_model().get_config()
    assert config.pop("classes") is None
    assert DHNN.from_config(config).classifier is None


def test_the_layer_that_tells_classes_lies_above_every_cut():
    model = linear_model()
    model.classify(3)
    assert model.above("features")[1].classifier is model.classifier


@pytest.mark.parametrize("bits", [0, -8, 12])
def test_hash_head_rejects_bits_not_multiple_of_8(bits):
    with pytest.raises(ValueError, match=rf"multiple of 8.*Received: {bits}"):
        hash_head(4, bits)


def test_hash_head_standardises_features():
    features = np.random.default_rng(0).normal(3, 5, (100, 4)).astype(np.float32)
    head = hash_head(4, 8, mean=features.mean(axis=0), variance=features.var(axis=0))
    kernel, bias = head.get_layer("hash").get_weights()
    expected = (features - features.mean(axis=0)) / features.std(axis=0) @ kernel + bias
    np.testing.assert_allclose(head(features), expected, atol=1e-4)


def test_hash_head_takes_numbers_of_numpy():
    head = hash_head(np.int64(4), np.int64(8), np.int64(5))
    assert [weight.shape for weight in head.get_weights()] == [(4, 5), (5,), (5, 8), (8,)]


@pytest.mark.parametrize("given", ["mean", "variance"])
def test_hash_head_rejects_one_moment_alone(given):
    with pytest.raises(SettingError, match=f"both or neither. Received: '{given}'"):
        hash_head(4, 8, **{given: np.ones(4)})


def test_feature_bank_refreshes_the_rows_of_its_items():
    bank = FeatureBank([3, 5, 9], [0, 1, 0], 8)
    bank.refresh(tf.constant([9, 3], tf.int64), tf.constant([[1.0] * 8, [2.0] * 8]))
    np.testing.assert_array_equal(bank.outputs.numpy()[:, 0], [2, 0, 1])


def test_feature_bank_rejects_items_out_of_order():
    with pytest.raises(ValueError, match="rising order"):
        FeatureBank([5, 3], [0, 1], 8)


def test_contrastive_objective_is_that_of_dsh():
    """Pairs by their squared distances with a margin of 2 l; the quantisation loss as it is."""
    inputs, labels = np.random.default_rng(0).normal(size=(12, 5)), np.arange(12) % 3
    model = linear_model()
    model.compile(SGD(0.0), objective="contrastive", eta=0.02 * BITS, norm="l1")
    inputs, targets = batch(inputs, labels)
    outputs = model(inputs)["image"].numpy()
    distances = ((outputs[:, None] - outputs) ** 2).sum(axis=2)
    costs = 0.5 * np.where(labels[:, None] == labels, distances, np.maximum(2 * BITS - distances, 0))
    regulariser = 0.01 * 2 * np.abs(np.abs(outputs) - 1).sum(axis=1).mean()
    logs = {name: float(value) for name, value in model.train_step((inputs, targets)).items()}
    assert logs["loss"] == pytest.approx(costs.mean() + regulariser, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("objective", "hinge", "likelihood, contrastive, "),
        ("norm", "l7", "l1, l2"),
        ("pair_weighting", "x", "mean, balanced"),
    ],
)
def test_unknown_choices_are_refused(name, value, known):
    with pytest.raises(SettingError, match=rf"`{name}`. Expected one of {known}.*Received: '{value}'"):
        linear_model().compile(SGD(0.0), **{name: value})


@pytest.mark.parametrize(
    ("how", "lacks"), [({"objective": "central"}, "the number of classes"), ({"classification": 2.0}, "`classify`")]
)
def test_what_an_objective_needs_is_asked_for(how, lacks):
    with pytest.raises(SettingError, match=lacks):
        linear_model().compile(SGD(0.0), **how)


@pytest.mark.parametrize("objective", ["triplet", "central", "angular"])
def test_every_objective_learns_three_classes(objective):
    inputs, labels = np.random.default_rng(0).normal(size=(30, 5)), np.arange(30) % 3
    inputs[:, :3] += 3 * np.eye(3)[labels]
    model = linear_model()
    model.compile(Adam(0.05), objective=objective, classes=3, eta=0.0)
    losses = [float(model.train_step(batch(inputs, labels))["loss"]) for _ in range(60)]
    codes = np.sign(model({"image": inputs.astype(np.float32)})["image"])
    agreement = codes @ codes.T / BITS
    same = labels[:, None] == labels
    assert losses[-1] < losses[0]
    assert agreement[same].mean() > agreement[~same].mean() + 0.8


def test_classification_is_trained_with_its_own_layer_and_weight():
    inputs, labels = np.random.default_rng(0).normal(size=(12, 5)), np.arange(12) % 3
    model = linear_model()
    model.classify(3)
    model.compile(SGD(0.1), eta=0.0, classification=2.0)
    kernel = model.classifier.get_weights()[0]
    outputs = model.head(inputs.astype(np.float32)).numpy()
    logits = outputs @ kernel
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    model.train_step(batch(inputs, labels))
    gradient = 2.0 * outputs.T @ (shares - np.eye(3)[labels]) / 12
    np.testing.assert_allclose(model.classifier.get_weights()[0], kernel - 0.1 * gradient, atol=1e-5)
    assert "classifier" in model.parts
