"""What a run's network is loaded from, and that nothing in those files is run."""

import json
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf

from keras_dhnn.backend import NEWEST
from keras_dhnn.errors import KerasDhnnError, RunError, SettingError
from keras_dhnn.models.backbones import build
from keras_dhnn.models.weights_file import read_weights, save_weights
from keras_dhnn.runs import Run
from keras_dhnn.training.architecture import rebuild
from keras_dhnn.training.loading import load_model, load_network
from tests.dual import make_dual_dataset
from tests.fakes import make_coloured_dataset
from tests.keras2_file import write_keras2_file
from tests.tiny_training import TINY

EXPERIMENTS = {
    "linear": TINY,
    "hidden": TINY.override("model.hidden=12", "model.dropout=0.1"),
    "statistics": TINY.override("model.band_statistics=true"),
    "sat4": TINY.override("model.backbone=sat4_cnn", "data.image_size=28"),
    "cnn_f": TINY.override("model.backbone=cnn_f", "data.image_size=40"),
    "application": TINY.override("model.backbone=MobileNet", "model.weights=none", "data.image_size=32"),
    "imagenet": TINY.override("model.backbone=efficientnet_lite0", "data.image_size=32"),
}


@pytest.fixture(scope="module")
def info(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "ucmd")


@pytest.fixture(scope="module")
def dual(tmp_path_factory):
    return make_dual_dataset(tmp_path_factory.mktemp("data") / "dual")


def random_network(experiment, info, seed=0):
    """A network of an experiment with random numbers everywhere."""
    random = np.random.default_rng(seed)

    def statistics(source, part):
        size = info.images[source].channels if part == "backbone" else features[source]
        return random.normal(size=size), random.uniform(1, 2, size)

    features = {}
    for source in info.images:
        bare = rebuild(experiment, info, lambda source, part: ())
        branch = bare.branches[source] if len(info.images) > 1 else bare
        features[source] = branch.backbone.output_shape[-1]
    model = rebuild(experiment, info, statistics)
    model.set_weights([random.uniform(0.1, 0.3, weight.shape) for weight in model.get_weights()])
    return model


def outputs_of(model, info):
    random = np.random.default_rng(1)
    images = {
        source: random.uniform(0, 255, (2, *tensor.shape[1:])).astype(np.float32)
        for source, tensor in model.input.items()
    }
    return {source: output.numpy() for source, output in model(images).items()}


def assert_same(model, loaded, info):
    expected, received = outputs_of(model, info), outputs_of(loaded, info)
    assert expected.keys() == received.keys()
    for source, values in expected.items():
        assert np.isfinite(values).all()
        assert np.ptp(values) > 0
        np.testing.assert_array_equal(received[source], values)


# --- what save_weights writes


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name != "sat4"])
def test_a_network_is_rebuilt_from_settings_and_numbers(name, info, tmp_path):
    model = random_network(EXPERIMENTS[name], info)
    # Other networks made in between: Keras's own numbers of layers go on.
    random_network(EXPERIMENTS[name], info, seed=1)
    save_weights(model, tmp_path / "weights.npz")
    assert_same(model, load_network(tmp_path / "weights.npz", EXPERIMENTS[name], info), info)


def test_a_network_of_two_sources_is_rebuilt(dual, tmp_path):
    model = random_network(EXPERIMENTS["hidden"], dual)
    save_weights(model, tmp_path / "weights.npz")
    assert_same(model, load_network(tmp_path / "weights.npz", EXPERIMENTS["hidden"], dual), dual)


def test_the_file_holds_plain_arrays_by_name(info, tmp_path):
    save_weights(random_network(EXPERIMENTS["hidden"], info), tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as file:
        shapes = {name: file[name].shape for name in file.files}
    assert shapes == {
        "image/backbone/stage1/0": (3, 3, 3, 8),
        "image/backbone/stage1/1": (8,),
        "image/backbone/stage2/0": (3, 3, 8, 16),
        "image/backbone/stage2/1": (16,),
        "image/head/standardize/mean": (16,),
        "image/head/standardize/variance": (16,),
        "image/head/hidden/0": (16, 12),
        "image/head/hidden/1": (12,),
        "image/head/hash/0": (12, 16),
        "image/head/hash/1": (16,),
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("image/head/hash/0"), "lacks image/head/hash/0"),
        (lambda arrays: arrays.update(more=np.zeros(3, np.float32)), "has more beside"),
        (lambda arrays: arrays.update({"image/head/hash/1": np.zeros(8, np.float32)}), r"hash/1 has shape \(8,\)"),
        (lambda arrays: arrays.update({"image/head/hash/1": np.zeros(16)}), "type float64"),
    ],
    ids=["missing", "more", "shape", "type"],
)
def test_numbers_of_another_network_are_refused(change, message, info, tmp_path):
    path = tmp_path / "weights.npz"
    save_weights(random_network(EXPERIMENTS["hidden"], info), path)
    arrays = read_weights(path)
    change(arrays)
    np.savez(path, **arrays)
    with pytest.raises(RunError, match=message):
        load_network(path, EXPERIMENTS["hidden"], info)


def test_settings_of_a_network_with_other_features_are_refused(info, tmp_path):
    save_weights(random_network(TINY, info), tmp_path / "weights.npz")
    with pytest.raises(RunError, match=r"weights.npz is not of the network that this run's experiment.json"):
        load_network(tmp_path / "weights.npz", EXPERIMENTS["statistics"], info)


def test_a_pickle_among_the_numbers_is_refused(info, tmp_path):
    class Harm:
        def __reduce__(self):
            return (tmp_path / "harm").touch, ()

    np.savez(tmp_path / "weights.npz", weights=np.array([Harm()], object))
    with pytest.raises(KerasDhnnError, match=r"weights\.npz is damaged"):
        load_network(tmp_path / "weights.npz", TINY, info)
    assert not (tmp_path / "harm").exists()


def test_a_run_without_weights_says_how_to_get_them(info, tmp_path):
    run = Run.create(tmp_path / "run", TINY, info)
    with pytest.raises(RunError, match=r"has no weights\.npz.*fit --resume"):
        load_model(run, info)


# --- files of version 0.1


@pytest.mark.parametrize("name", ["linear", "hidden", "statistics", "cnn_f", "imagenet"])
def test_a_keras_file_of_version_0_1_is_read_in_both_lanes(name, info, tmp_path):
    model = random_network(EXPERIMENTS[name], info)
    write_keras2_file(tmp_path / "model.keras", model)
    assert_same(model, load_network(tmp_path / "model.keras", EXPERIMENTS[name], info), info)


def test_a_keras_file_of_two_sources_is_read_in_both_lanes(dual, tmp_path):
    model = random_network(EXPERIMENTS["hidden"], dual)
    write_keras2_file(tmp_path / "model.keras", model)
    assert_same(model, load_network(tmp_path / "model.keras", EXPERIMENTS["hidden"], dual), dual)


@pytest.mark.skipif(NEWEST, reason="Keras 2, which wrote such files, is of the owner's lane")
@pytest.mark.parametrize("name", ["hidden", "imagenet", "application"])
def test_what_keras_2_writes_is_read(name, info, dual, tmp_path):
    """The oracle of the two tests above is Keras's own file; the made-up one has the same arrays."""
    data = dual if name == "hidden" else info
    model = random_network(EXPERIMENTS[name], data)
    model.save(tmp_path / "real.keras")
    assert_same(model, load_network(tmp_path / "real.keras", EXPERIMENTS[name], data), data)
    write_keras2_file(tmp_path / "fake.keras", model)
    real, fake = (arrays_in(tmp_path / name) for name in ("real.keras", "fake.keras"))
    assert real.keys() == fake.keys()
    assert all(np.array_equal(real[key], fake[key]) for key in real)


def arrays_in(path):
    found = {}
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as member, h5py.File(member, "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


# --- the ways in of issue 16


def test_an_hdf5_file_under_the_name_runs_no_lambda(info, tmp_path):
    """Keras's legacy loader would: a Lambda in it ran as the user of `query`."""
    harm = str(tmp_path / "harm")

    def touch(x):
        tf.io.write_file(harm, "")
        return x

    network = tf.keras.Sequential([tf.keras.Input((4,)), tf.keras.layers.Lambda(touch)])
    network.save(tmp_path / "model.h5")
    tf.io.gfile.remove(harm) if tf.io.gfile.exists(harm) else None
    (tmp_path / "model.h5").rename(tmp_path / "model.keras")
    with pytest.raises(RunError, match=r"model\.keras is damaged, or not a model that keras-dhnn 0\.1 wrote"):
        load_network(tmp_path / "model.keras", TINY, info)
    assert not tf.io.gfile.exists(harm)


def test_an_operation_named_in_the_zip_is_not_run(info, tmp_path):
    """Keras would build it: `keras.utils.get_file` wrote a file of its choosing."""
    path, model = tmp_path / "model.keras", random_network(EXPERIMENTS["hidden"], info)
    write_keras2_file(path, model)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config, source = json.loads(members["config.json"]), tmp_path / "source"
    source.write_text("harm")
    arguments = {"origin": source.as_uri(), "cache_dir": str(tmp_path), "cache_subdir": "."}
    config["config"]["head"]["config"]["layers"].insert(
        1,
        {
            "module": "keras.layers",
            "class_name": "TFOpLambda",
            "config": {"name": "harm", "function": "keras.utils.get_file"},
            "inbound_nodes": [["harm", "_CONSTANT_VALUE", -1, arguments]],
        },
    )
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert_same(model, load_network(path, EXPERIMENTS["hidden"], info), info)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model.keras", "source"]


@pytest.mark.parametrize("kind", ["soft", "external", "elsewhere", "filtered", "gone"])
def test_weights_that_are_not_simply_there_are_refused(kind, info, tmp_path):
    """HDF5 can name other files of the user, and filters to decode them by."""
    model, place = random_network(EXPERIMENTS["hidden"], info), "parts/functional_1/layers/dense/vars/0"
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["numbers"] = np.zeros((16, 12), np.float32)

    def change(file):
        del file[place]
        if kind == "soft":
            file[place] = h5py.SoftLink("/parts/functional_1/layers/dense_1/vars/0")
        elif kind == "external":
            file[place] = h5py.ExternalLink(str(tmp_path / "other.h5"), "numbers")
        elif kind == "elsewhere":
            file.create_dataset(place, (16, 12), "f4", external=[(str(tmp_path / "raw"), 0, 16 * 12 * 4)])
        elif kind == "filtered":
            file.create_dataset(place, data=np.zeros((16, 12), "f4"), compression="gzip")

    write_keras2_file(tmp_path / "model.keras", model, change)
    with pytest.raises(RunError, match=r"not there, or is a link|plain float32 numbers"):
        load_network(tmp_path / "model.keras", EXPERIMENTS["hidden"], info)


def test_a_backbone_that_is_code_is_imported_only_by_those_who_say_so(info, tmp_path, monkeypatch):
    (tmp_path / "stranger.py").write_text(f"open({str(tmp_path / 'harm')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv(build.TRUST)
    monkeypatch.setattr(build, "_trusted", set())
    experiment = TINY.override("model.backbone=stranger:network")
    with pytest.raises(SettingError, match=r"'stranger:network' is Python code.*--trust-code"):
        rebuild(experiment, info, lambda *_: ())
    assert not (tmp_path / "harm").exists()
    build.trust("stranger:network")
    with pytest.raises(SettingError, match="cannot be imported"):
        rebuild(experiment, info, lambda *_: ())
    assert (tmp_path / "harm").exists()
