"""What experiment a verb's arguments ask for."""

import os
from types import SimpleNamespace

import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.experiment.resolve import read_settings, resolve_experiment
from keras_dhnn.experiment.split import draw_split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from tests.dual import make_dual_dataset


def test_the_papers_network_sees_images_at_its_size_and_has_no_layer_between(capsys):
    chosen = resolve_experiment("ucmd", data="nowhere", backbone="cnn_f")
    assert (chosen.data.image_size, chosen.model.hidden, chosen.model.weight_decay) == (224, 0, 0)
    assert "Training cnn_f from random weights" in capsys.readouterr().err


def test_sat4_cnn_sees_images_as_they_are_stored(capsys):
    chosen = resolve_experiment("mine", data="nowhere", backbone="sat4_cnn")
    assert (chosen.data.image_size, chosen.head.epochs, chosen.fine_tune.cut) == (0, 0, "images")
    assert capsys.readouterr().err == (
        "Training sat4_cnn from random weights, all of it, on images as they are stored.\n"
    )
    larger = resolve_experiment("mine", data="nowhere", backbone="sat4_cnn", settings=["data.image_size=64"])
    assert larger.data.image_size == 64


@pytest.mark.parametrize(("channels", "count", "epochs"), [(4, 500_000, 40), (3, 500, 160)])
def test_imagenets_network_gets_weights_and_a_head_where_the_preset_has_none(
    monkeypatch, tmp_path, channels, count, epochs
):
    """SAT-4's preset trains its own network on 28 pixels; this one takes the head that folders have."""
    (tmp_path / "sat4").mkdir()
    images = {"image": SimpleNamespace(channels=channels)}
    info = SimpleNamespace(count=count, images=images, directory=tmp_path / "sat4")
    monkeypatch.setattr(DatasetInfo, "load", lambda folder: info)
    chosen = resolve_experiment("sat4", data=tmp_path, backbone="efficientnet_lite0")
    assert (chosen.model.backbone, chosen.model.weights, chosen.model.hidden) == ("efficientnet_lite0", "auto", 512)
    assert (chosen.data.image_size, chosen.model.band_statistics) == (256, channels > 3)
    assert (chosen.head.epochs, chosen.head.cut, chosen.fine_tune.epochs) == (epochs, "features", 0)


@pytest.mark.parametrize(
    "backbone", ["efficientnet_lite0", "efficientnet_lite2", "efficientnet_lite0+efficientnet_lite1"]
)
def test_imagenets_network_keeps_the_head_that_a_preset_has(tmp_path, backbone):
    config = tmp_path / "experiment.json"
    config.write_text(Experiment().override("model.backbone=MobileNetV2", "head.epochs=7", "model.hidden=64").to_json())
    chosen = resolve_experiment(data=tmp_path, config=config, backbone=backbone)
    assert (chosen.model.backbone, chosen.model.weights, chosen.fine_tune.epochs) == (backbone, "auto", 0)
    assert (chosen.head.epochs, chosen.model.hidden, chosen.data.image_size) == (7, 64, 224)


def test_one_network_of_several_is_fine_tuned_as_it_was_when_it_was_the_preset():
    settings = ["fine_tune.epochs=3"]
    chosen = resolve_experiment("ucmd", data="nowhere", backbone="efficientnet_lite0", settings=settings)
    of_several = resolve_experiment("ucmd", data="nowhere", settings=settings)
    assert chosen == of_several.replace({"model.backbone": "efficientnet_lite0"})
    phase = chosen.fine_tune
    assert (phase.cut, phase.epochs, phase.learning_rate, phase.backbone_learning_rate) == ("stage5", 3, 3e-4, 1e-4)


@pytest.mark.parametrize("backbone", ["efficientnet_lite0+sat4_cnn", "efficientnet_lite0+VGG16"])
def test_several_are_trained_if_one_of_them_has_random_weights(backbone):
    chosen = resolve_experiment("mine", data="nowhere", backbone=backbone, say=lambda text: None)
    assert (chosen.head.epochs, chosen.fine_tune.cut, chosen.fine_tune.epochs) == (0, "images", 20)


def test_backbones_by_source_get_phases_sizes_and_cuts_that_fit(tmp_path):
    def chosen(name, backbones):
        return resolve_experiment(name, data=tmp_path, backbone=backbones and ",".join(backbones))

    backbones = ["pan=pan_cnn", "mul=efficientnet_lite0"]
    experiment = chosen("ucmd-dual", backbones)
    assert experiment.model.backbone == {"pan": "pan_cnn", "mul": "efficientnet_lite0"}
    assert experiment.data.image_size == {"pan": 0, "mul": 256}
    assert experiment.fine_tune.cut == {"pan": "images", "mul": "features"}
    assert experiment.head.epochs == 0 < experiment.fine_tune.epochs
    both = chosen("ucmd-dual", ["pan=efficientnet_lite0", "mul=efficientnet_lite0"])
    assert both.head.epochs > 0 == both.fine_tune.epochs
    scratch = chosen("ucmd-dual", ["pan=pan_cnn", "mul=mul_cnn"])
    assert (scratch.data.image_size, scratch.model.hidden, scratch.head.epochs) == ({"pan": 0, "mul": 0}, 0, 0)
    assert (scratch.training.batch_size, scratch.loss.beta, scratch.augmentation.flips) == (64, 0.02, True)
    twin = ["pan=efficientnet_lite0", "mul=efficientnet_lite0"]
    pretrained = chosen("dsrsid-synthetic", twin)
    assert (pretrained.data.image_size, pretrained.model.weights) == ({"pan": 256, "mul": 256}, "auto")
    assert (pretrained.model.hidden, pretrained.head.epochs, pretrained.fine_tune.epochs) == (512, 120, 0)
    assert (pretrained.head.learning_rate, pretrained.loss.beta) == (1e-3, 0.1)  # a head's, as ucmd-dual has them
    assert chosen("dsrsid", ["efficientnet_lite0"]) == chosen("dsrsid", twin)
    assert chosen("dsrsid", ["pan=pan_cnn", "mul=mul_cnn"]) == chosen("dsrsid", None)


def test_a_bare_backbone_is_for_both_sources(tmp_path):
    make_dual_dataset(tmp_path / "twins")
    one, both = (
        resolve_experiment("twins", data=tmp_path, backbone=",".join(backbones))
        for backbones in (["cnn_f"], ["mul=cnn_f", "pan=cnn_f"])
    )
    assert one == both
    assert (one.data.image_size, one.model.hidden, one.head.epochs) == ({"mul": 224, "pan": 224}, 0, 0)
    assert one.fine_tune.epochs > 0


@pytest.mark.parametrize(("channels", "more"), [(3, False), (4, True)])
def test_bands_that_imagenet_has_not_seen_are_described(tmp_path, monkeypatch, channels, more):
    (tmp_path / "dsrsid").mkdir()
    info = SimpleNamespace(
        count=100, images={"pan": SimpleNamespace(channels=1), "mul": SimpleNamespace(channels=channels)}
    )
    monkeypatch.setattr(DatasetInfo, "load", lambda folder: info)
    backbones = ["pan=efficientnet_lite0", "mul=efficientnet_lite0"]
    experiment = resolve_experiment("dsrsid", data=tmp_path, backbone=",".join(backbones))
    assert experiment.model.band_statistics == more


def test_backbones_may_come_in_any_order(tmp_path):
    def chosen(*backbones):
        return resolve_experiment("dsrsid", data=tmp_path, backbone=",".join(backbones))

    assert chosen("mul=mul_cnn", "pan=pan_cnn") == chosen()
    assert chosen("pan=cnn_f", "mul=mul_cnn").fine_tune.epochs == chosen().fine_tune.epochs == 30


def test_a_twin_is_drawn_before_its_preset_is_fitted(tmp_path):
    def draw(name):
        make_dual_dataset(tmp_path / f"{name}-synthetic")
        return f"{name}-synthetic"

    chosen = resolve_experiment("dsrsid", data=tmp_path, draw=draw)
    assert (chosen.data.name, chosen.fine_tune.epochs) == ("dsrsid-synthetic", 108)


def test_a_list_of_names_is_of_the_standard_protocol():
    experiment = resolve_experiment("ucmd", split="uc-merced-test.txt", say=lambda text: None)
    assert (experiment.data.split, experiment.data.protocol) == ("uc-merced-test.txt", "standard")
    with pytest.raises(SettingError, match="standard beside a list"):
        draw_split(resolve_experiment("ucmd", split="x", protocol="paper").data, 0, None)


def test_settings_are_read_with_a_byte_order_mark_or_not(tmp_path):
    path = tmp_path / "experiment.json"
    for content in (b'{"seed": 7}', b'\xef\xbb\xbf{"seed":\r\n7}'):
        path.write_bytes(content)
        assert read_settings(path, Experiment.from_json).seed == 7


def test_files_of_settings_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / "experiment.json"
    with pytest.raises(SettingError, match=f"There is no file {path}. Expected JSON"):
        read_settings(path, Experiment.from_json)
    for encoding in ("utf-16", "utf-32", "latin-1"):
        path.write_bytes('{"data": {"name": "forêt"}}'.encode(encoding))
        with pytest.raises(DataError, match=f"{path} is no text in UTF-8 .* Save it in that encoding"):
            read_settings(path, Experiment.from_json)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match=f"{path} is a named pipe. Expected a file"):
        read_settings(path, Experiment.from_json)


@pytest.mark.parametrize(
    ("settings", "turns"),
    [((), 4), (("data.turns=1",), 1), ({"data.turns": 1}, 1), (("data.turns=1", "model.query_turns=4"), 4)],
)
def test_whoever_sees_images_as_they_lie_means_queries_too(settings, turns):
    assert resolve_experiment("ucmd", settings=settings).model.query_turns == turns


def test_a_setting_alone_is_a_list_of_one():
    assert resolve_experiment("ucmd", data="nowhere", settings="loss.eta=0.25").loss.eta == 0.25
