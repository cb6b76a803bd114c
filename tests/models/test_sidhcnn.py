import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.backend import SGD, Adam
from keras_dhnn.errors import SettingError
from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.dual_bank import DualBank
from keras_dhnn.models.hash_head import hash_head
from keras_dhnn.models.sidhcnn import SIDHCNN
from tests.half_precision import RATE, TINY, computing_by, dense

BITS, P = 8, 4.0
SIZES = {"pan": 5, "mul": 3}
ALPHA, BETA, GAMMA = 0.7, 0.3, 0.9
RANDOM = np.random.default_rng(0)
LABELS = np.arange(12) % 3
INPUTS = {source: RANDOM.normal(size=(12, size)).astype(np.float32) for source, size in SIZES.items()}


def linear_model():
    """f = x W + b in each branch, so that gradients by the weights follow from gradients by the outputs."""
    tf.keras.utils.set_random_seed(1)
    branches = []
    for source, size in SIZES.items():
        inputs = tf.keras.Input((size,))
        identity = tf.keras.Model(inputs, tf.keras.layers.Activation("linear")(inputs))
        branches.append(DHNN(identity, hash_head(size, BITS), source, name=f"dhnn_{source}"))
    return SIDHCNN(branches)


def compiled(bank=None, **how):
    model = linear_model()
    settings = {"penalty": P, "alpha": ALPHA, "beta": BETA, "gamma": GAMMA} | how
    model.compile({source: SGD(0.1) for source in SIZES}, bank=bank, **settings)
    return model


def batch(rows=slice(None)):
    index = tf.range(12, dtype=tf.int64)[rows]
    return {source: tf.constant(x[rows]) for source, x in INPUTS.items()}, {
        "label": tf.constant(LABELS[rows]),
        "index": index,
    }


def weights(model, source):
    return model.branches[source].head.get_layer("hash").get_weights()


def outputs_of(model):
    return {source: x @ weights(model, source)[0] + weights(model, source)[1] for source, x in INPUTS.items()}


def sign(x):
    return np.where(x >= 0, 1.0, -1.0)


def excess(rows, columns, row_labels, column_labels):
    return 1 / (1 + np.exp(-rows @ columns.T / P)) - (row_labels[:, None] == column_labels)


def closed_form(own, other):
    """d loss / d own of the joint update: MATH's objective in means; alpha's pairs have both ends trained."""
    n = len(own)
    pairs = excess(own, other, LABELS, LABELS) @ other + 2 * ALPHA * excess(own, own, LABELS, LABELS) @ own
    return (
        pairs / (n**2 * P)
        + 2 * BETA / (n * BITS) * (own - sign(own + other))
        + 2 * GAMMA / (n * BITS) * own.mean(axis=0)
    )


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def nll(rows, columns, penalty=P):
    upsilon = rows @ columns.T / penalty
    return (softplus(upsilon) - (LABELS[:, None] == LABELS) * upsilon).mean()


def assert_stepped(model, source, before, by_output, inputs, rate=0.1):
    kernel, bias = before
    new_kernel, new_bias = weights(model, source)
    np.testing.assert_allclose(new_kernel, kernel - rate * inputs.T @ by_output, atol=1e-6)
    np.testing.assert_allclose(new_bias, bias - rate * by_output.sum(axis=0), atol=1e-6)


def test_gradients_of_both_branches_match_the_closed_form():
    outputs = {source: tf.Variable(RANDOM.normal(size=(12, BITS)).astype(np.float32)) for source in SIZES}
    model = compiled()
    with tf.GradientTape() as tape:
        terms = model.objective(outputs, tf.constant(LABELS))
        loss = model._total(terms, [])
    gradients = tape.gradient(loss, outputs)
    pan, mul = (outputs[source].numpy().astype(np.float64) for source in SIZES)
    np.testing.assert_allclose(gradients["pan"], closed_form(pan, mul), atol=1e-5)
    np.testing.assert_allclose(gradients["mul"], closed_form(mul, pan), atol=1e-5)


def test_joint_step_descends_both_gradients():
    model = compiled()
    before, outputs = {source: weights(model, source) for source in SIZES}, outputs_of(model)
    model.train_step(batch())
    assert_stepped(model, "pan", before["pan"], closed_form(outputs["pan"], outputs["mul"]), INPUTS["pan"])
    assert_stepped(model, "mul", before["mul"], closed_form(outputs["mul"], outputs["pan"]), INPUTS["mul"])


def test_one_batch_is_trained_on_and_evaluated():
    for model in (compiled(), banked()[0]):
        images, targets = batch()
        model.run_eagerly = True
        before, outputs = weights(model, "pan"), outputs_of(model)
        evaluated = model.test_on_batch(images, targets, return_dict=True)
        assert evaluated["inter_source"] == pytest.approx(nll(outputs["pan"], outputs["mul"]), rel=1e-5)
        model.train_on_batch(images, targets)
        assert np.abs(weights(model, "pan")[0] - before[0]).max() > 1e-4


def test_each_branch_steps_by_its_own_optimizer():
    model = compiled()
    model.optimizers["mul"].learning_rate.assign(0.0)
    before, outputs = {source: weights(model, source) for source in SIZES}, outputs_of(model)
    model.train_step(batch())
    assert_stepped(model, "pan", before["pan"], closed_form(outputs["pan"], outputs["mul"]), INPUTS["pan"])
    np.testing.assert_array_equal(weights(model, "mul")[0], before["mul"][0])


def test_terms_are_those_of_the_objective_and_the_loss_their_weighted_sum():
    model = compiled(penalty=None, similarity_factor=0.25)
    outputs = outputs_of(model)
    pan, mul = outputs["pan"], outputs["mul"]
    logs = {name: float(value) for name, value in model.train_step(batch()).items()}
    codes = sign(pan + mul)
    assert logs["inter_source"] == pytest.approx(nll(pan, mul, 2.0), rel=1e-5)
    assert logs["intra_source"] == pytest.approx(nll(pan, pan, 2.0) + nll(mul, mul, 2.0), rel=1e-5)
    assert logs["quantization"] == pytest.approx(((pan - codes) ** 2).mean() + ((mul - codes) ** 2).mean(), rel=1e-5)
    balance = (pan.mean(axis=0) ** 2).mean() + (mul.mean(axis=0) ** 2).mean()
    assert logs["balance"] == pytest.approx(balance, rel=1e-5)
    weighted = logs["inter_source"] + ALPHA * logs["intra_source"] + BETA * logs["quantization"]
    assert logs["loss"] == pytest.approx(weighted + GAMMA * balance, rel=1e-5)


def test_common_codes_are_the_signs_of_the_sum():
    """Sources that disagree are drawn to the same code, that of the stronger one."""
    model = compiled()
    terms = model.objective({"pan": tf.fill((12, 8), -0.5), "mul": tf.fill((12, 8), 2.0)}, tf.constant(LABELS))
    assert float(terms["quantization"]) == 1.5**2 + 1.0


def banked(steps=2):
    """A model with a bank of 12 items, whose rows are random."""
    bank = DualBank(SIZES, np.arange(12), LABELS, BITS, steps)
    rows = {source: np.random.default_rng(7).normal(size=(12, BITS)).astype(np.float32) for source in SIZES}
    rows["mul"] = rows["mul"][::-1].copy()
    bank.fill(rows)
    return compiled(bank), rows


def by_bank(own, rows, others, codes, chosen):
    """One end of a pair is a constant (Algorithm 1), so alpha's factor 2 is gone; V items stand for the batch."""
    n, V = len(own), len(rows)
    pairs = excess(own, others, LABELS[chosen], LABELS) @ others
    pairs += ALPHA * excess(own, rows, LABELS[chosen], LABELS) @ rows
    balance = 2 * GAMMA / (n * BITS) * rows.mean(axis=0)
    return pairs / (n * V * P) + 2 * BETA / (n * BITS) * (own - codes[chosen]) + balance


def test_alternating_updates_the_first_source_then_the_second():
    model, rows = banked(steps=2)
    codes = sign(rows["pan"] + rows["mul"])
    for step, source in enumerate(["pan", "pan", "mul", "mul"]):
        chosen = slice(4 * step, 4 * step + 4) if step < 3 else slice(0, 4)
        before = {name: weights(model, name) for name in SIZES}
        other = "mul" if source == "pan" else "pan"
        own = outputs_of(model)[source][chosen]
        rows[source][chosen] = own
        model.train_step(batch(chosen))
        by_output = by_bank(own, rows[source], rows[other], codes, chosen)
        assert_stepped(model, source, before[source], by_output, INPUTS[source][chosen])
        np.testing.assert_array_equal(weights(model, other)[0], before[other][0])
        np.testing.assert_allclose(model.bank.rows[source].outputs, rows[source], atol=1e-6)
        np.testing.assert_array_equal(model.bank.codes, codes)
    model.train_step(batch(slice(0, 4)))  # the next outer iteration begins with new codes
    np.testing.assert_array_equal(model.bank.codes, sign(rows["pan"] + rows["mul"]))


@pytest.mark.parametrize("alternating", [False, True])
def test_a_step_in_float16_is_that_of_float32(alternating):
    """Along a gradient that is zero in float16 unless the loss is scaled."""
    changes = []
    for policy in ("float32", "mixed_float16"):
        with computing_by(policy):
            model = SIDHCNN([DHNN(dense(n, 4), hash_head(4, BITS), s, name=f"dhnn_{s}") for s, n in SIZES.items()])
        bank = banked(steps=1)[0].bank if alternating else None
        before = model.get_weights()
        model.compile({source: SGD(RATE) for source in SIZES}, beta=0.0, bank=bank, **TINY)
        for _ in SIZES if alternating else "1":
            model.train_step(batch())
        changes.append([new - old for new, old in zip(model.get_weights(), before, strict=False)])
    for expected, received in zip(*changes, strict=True):
        assert np.abs(expected).max() > 1e-4
        np.testing.assert_allclose(received, expected, atol=5e-2 * np.abs(expected).max())


@pytest.mark.parametrize("optimizers", [SGD(0.1), {"pan": SGD(0.1)}, {"pan": SGD(0.1), "msi": SGD(0.1)}])
def test_optimizers_are_one_for_each_source(optimizers):
    with pytest.raises(SettingError, match="`optimizers`. Expected a dictionary of one for each source: pan, mul"):
        linear_model().compile(optimizers)


@pytest.mark.parametrize("choice", [{"norm": "l7"}, {"pair_weighting": "x"}])
def test_unknown_choices_are_refused(choice):
    with pytest.raises(SettingError, match=next(iter(choice))):
        compiled(**choice)


def test_a_branch_has_no_objective_without_a_bank():
    images, targets = batch()
    with pytest.raises(SettingError, match="`DualBank`"):
        compiled().branch_objective("pan", images["pan"], targets)


def test_alternating_runs_inside_fit_with_several_steps_an_execution():
    model, _ = banked(steps=3)
    model.compile({s: Adam(0.05) for s in SIZES}, bank=model.bank, steps_per_execution=6)
    data = tf.data.Dataset.from_tensors(batch(slice(0, 12))).repeat(120)
    history = model.fit(data, epochs=20, steps_per_epoch=6, verbose=0).history
    assert history["inter_source"][-1] < 0.92 * history["inter_source"][0]
    assert int(model.bank._step) == 120


def test_joint_fit_brings_the_sources_together():
    labels = np.arange(24) % 3
    centres = {source: np.random.default_rng(2).normal(0, 3, (3, size)) for source, size in SIZES.items()}
    inputs = {s: (centres[s][labels] + RANDOM.normal(size=(24, SIZES[s]))).astype(np.float32) for s in SIZES}
    model = linear_model()
    model.compile({s: Adam(0.02) for s in SIZES}, pair_weighting="balanced")
    targets = {"label": tf.constant(labels), "index": tf.range(24, dtype=tf.int64)}
    model.fit(tf.data.Dataset.from_tensors((inputs, targets)).repeat(150), verbose=0)
    codes = {source: sign(outputs) for source, outputs in model(inputs).items()}
    agreement, similar = codes["pan"] @ codes["mul"].T / BITS, labels[:, None] == labels
    assert agreement[similar].mean() > 0.8 > 0.2 > agreement[~similar].mean()


def test_cut_network_equals_the_whole_and_trains_it():
    model = linear_model()
    below, above = model.above({"pan": "features", "mul": "images"})
    values = {source: below[source](x) for source, x in INPUTS.items()}
    for source, outputs in above(values).items():
        np.testing.assert_allclose(outputs, model(INPUTS)[source], atol=1e-6)
    before = weights(model, "pan")[0]
    above.compile({source: SGD(1.0) for source in SIZES})
    above.train_step((values, batch()[1]))
    assert np.abs(weights(model, "pan")[0] - before).max() > 1e-3


@pytest.mark.parametrize("make", [linear_model, compiled])
def test_saved_model_loads_and_gives_the_same_outputs(tmp_path, make):
    model = make()
    for branch in model.branches.values():
        branch.head.set_weights([weight + 1 for weight in branch.head.get_weights()])
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert (type(loaded), loaded.sources, loaded.bits) == (SIDHCNN, ("pan", "mul"), BITS)
    for source, outputs in loaded(INPUTS).items():
        np.testing.assert_array_equal(outputs, model(INPUTS)[source])


def test_one_branch_or_unlike_bits_are_refused():
    branch = next(iter(linear_model().branches.values()))
    with pytest.raises(ValueError, match=r"Received: sources=\['pan'\], bits=\[8\]"):
        SIDHCNN([branch])
    identity = tf.keras.Sequential([tf.keras.layers.Flatten(input_shape=(3,))])
    with pytest.raises(ValueError, match=r"bits=\[8, 16\]"):
        SIDHCNN([branch, DHNN(identity, hash_head(3, 16), "mul", name="other")])
    with pytest.raises(ValueError, match=r"two DHNNs of different sources.*Sequential"):
        SIDHCNN([branch, identity])
