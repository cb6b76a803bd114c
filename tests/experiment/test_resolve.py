"""What experiment a verb's arguments ask for."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.experiment.resolve import chosen_experiment
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from tests.dual import make_dual_dataset


def test_the_papers_network_sees_images_at_its_size_and_has_no_layer_between(capsys):
    chosen = chosen_experiment("ucmd", Path("nowhere"), None, None, None, ["cnn_f"], None, None)
    assert (chosen.data.image_size, chosen.model.hidden, chosen.model.weight_decay) == (224, 0, 0)
    assert "Training cnn_f from random weights" in capsys.readouterr().err


def test_sat4_cnn_sees_images_as_they_are_stored(capsys):
    chosen = chosen_experiment("mine", Path("nowhere"), None, None, None, ["sat4_cnn"], None, None)
    assert (chosen.data.image_size, chosen.head.epochs, chosen.fine_tune.cut) == (0, 0, "images")
    assert capsys.readouterr().err == (
        "Training sat4_cnn from random weights, all of it, on images as they are stored.\n"
    )
    larger = chosen_experiment("mine", Path("nowhere"), None, None, None, ["sat4_cnn"], None, ["data.image_size=64"])
    assert larger.data.image_size == 64


@pytest.mark.parametrize(("channels", "count", "epochs"), [(4, 500_000, 40), (3, 500, 160)])
def test_imagenets_network_gets_weights_and_a_head_where_the_preset_has_none(
    monkeypatch, tmp_path, channels, count, epochs
):
    """SAT-4's preset trains its own network on 28 pixels; this one takes the head that folders have."""
    (tmp_path / "sat4").mkdir()
    info = SimpleNamespace(count=count, images={"image": SimpleNamespace(channels=channels)})
    monkeypatch.setattr(DatasetInfo, "load", lambda folder: info)
    chosen = chosen_experiment("sat4", tmp_path, None, None, None, ["efficientnet_lite0"], None, None)
    assert (chosen.model.backbone, chosen.model.weights, chosen.model.hidden) == ("efficientnet_lite0", "auto", 512)
    assert (chosen.data.image_size, chosen.model.band_statistics) == (256, channels > 3)
    assert (chosen.head.epochs, chosen.head.cut, chosen.fine_tune.epochs) == (epochs, "features", 0)


def test_imagenets_network_keeps_the_head_that_a_preset_has(tmp_path):
    config = tmp_path / "experiment.json"
    config.write_text(Experiment().override("model.backbone=MobileNetV2", "head.epochs=7", "model.hidden=64").to_json())
    chosen = chosen_experiment(None, tmp_path, config, None, None, ["efficientnet_lite0"], None, None)
    assert (chosen.head.epochs, chosen.model.hidden, chosen.data.image_size) == (7, 64, 224)


def test_backbones_by_source_get_phases_sizes_and_cuts_that_fit(tmp_path):
    def chosen(name, backbones):
        return chosen_experiment(name, tmp_path, None, None, None, backbones, None, None)

    backbones = ["pan=pan_cnn", "mul=efficientnet_lite0"]
    experiment = chosen("ucmd-dual", backbones)
    assert experiment.model.backbone == "pan=pan_cnn,mul=efficientnet_lite0"
    assert experiment.data.image_size == "pan=0,mul=256"
    assert experiment.fine_tune.cut == "pan=images,mul=features"
    assert experiment.head.epochs == 0 < experiment.fine_tune.epochs
    both = chosen("ucmd-dual", ["pan=efficientnet_lite0", "mul=efficientnet_lite0"])
    assert both.head.epochs > 0 == both.fine_tune.epochs
    scratch = chosen("ucmd-dual", ["pan=pan_cnn", "mul=mul_cnn"])
    assert (scratch.data.image_size, scratch.model.hidden, scratch.head.epochs) == ("pan=0,mul=0", 0, 0)
    assert (scratch.training.batch_size, scratch.loss.beta, scratch.augmentation.flips) == (64, 0.02, True)
    twin = ["pan=efficientnet_lite0", "mul=efficientnet_lite0"]
    pretrained = chosen("dsrsid-synthetic", twin)
    assert (pretrained.data.image_size, pretrained.model.weights) == ("pan=256,mul=256", "auto")
    assert (pretrained.model.hidden, pretrained.head.epochs, pretrained.fine_tune.epochs) == (512, 120, 0)
    assert (pretrained.head.learning_rate, pretrained.loss.beta) == (1e-3, 0.1)  # a head's, as ucmd-dual has them
    assert chosen("dsrsid", ["efficientnet_lite0"]) == chosen("dsrsid", twin)
    assert chosen("dsrsid", ["pan=pan_cnn", "mul=mul_cnn"]) == chosen("dsrsid", None)


def test_a_bare_backbone_is_for_both_sources(tmp_path):
    make_dual_dataset(tmp_path / "twins")
    one, both = (
        chosen_experiment("twins", tmp_path, None, None, None, backbones, None, None)
        for backbones in (["cnn_f"], ["mul=cnn_f", "pan=cnn_f"])
    )
    assert one == both
    assert (one.data.image_size, one.model.hidden, one.head.epochs) == ("mul=224,pan=224", 0, 0)
    assert one.fine_tune.epochs > 0


@pytest.mark.parametrize(("channels", "more"), [(3, False), (4, True)])
def test_bands_that_imagenet_has_not_seen_are_described(tmp_path, monkeypatch, channels, more):
    (tmp_path / "dsrsid").mkdir()
    info = SimpleNamespace(
        count=100, images={"pan": SimpleNamespace(channels=1), "mul": SimpleNamespace(channels=channels)}
    )
    monkeypatch.setattr(DatasetInfo, "load", lambda folder: info)
    backbones = ["pan=efficientnet_lite0", "mul=efficientnet_lite0"]
    experiment = chosen_experiment("dsrsid", tmp_path, None, None, None, backbones, None, None)
    assert experiment.model.band_statistics == more


def test_backbones_may_come_in_any_order(tmp_path):
    def chosen(*backbones):
        return chosen_experiment("dsrsid", tmp_path, None, None, None, backbones, None, None)

    assert chosen("mul=mul_cnn", "pan=pan_cnn") == chosen()
    assert chosen("pan=cnn_f", "mul=mul_cnn").fine_tune.epochs == chosen().fine_tune.epochs == 30


def test_a_twin_is_drawn_before_its_preset_is_fitted(tmp_path):
    def draw(name):
        make_dual_dataset(tmp_path / f"{name}-synthetic")
        return f"{name}-synthetic"

    chosen = chosen_experiment("dsrsid", tmp_path, None, None, None, None, None, None, draw=draw)
    assert (chosen.data.name, chosen.fine_tune.epochs) == ("dsrsid-synthetic", 108)
