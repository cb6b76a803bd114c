import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.experiment.presets import load_preset, names


@pytest.mark.parametrize("name", names())
def test_presets_survive_json(name):
    experiment = load_preset(name)
    assert Experiment.from_json(experiment.to_json()) == experiment


def test_override_changes_only_the_named_fields():
    changed = Experiment().override(
        "loss.eta=0.5", "model.bits=32", "model.backbone=cnn_f", "seed=7", "augmentation.flips=true"
    )
    assert (changed.loss.eta, changed.model.bits, changed.model.backbone, changed.seed) == (0.5, 32, "cnn_f", 7)
    assert changed.augmentation.flips is True
    assert (
        changed.override(
            "loss.eta=0.1", "model.bits=64", "model.backbone=efficientnet_lite0", "seed=0", "augmentation.flips=false"
        )
        == Experiment()
    )


def test_override_takes_whole_numbers_for_floats_but_not_the_reverse():
    assert Experiment().override("loss.eta=1").loss.eta == 1.0
    with pytest.raises(ValueError, match=r"model.bits.*Expected int.*12.5"):
        Experiment().override("model.bits=12.5")
    with pytest.raises(ValueError, match=r"model.bits"):
        Experiment().override("model.bits=true")


def test_override_takes_none_only_where_none_may_stand():
    assert Experiment().override("loss.penalty=2").override("loss.penalty=none").loss.penalty is None
    with pytest.raises(ValueError, match=r"loss.eta.*Expected float"):
        Experiment().override("loss.eta=none")


def test_override_keeps_texts_that_look_like_numbers():
    assert Experiment().override("data.name=2024").data.name == "2024"
    assert Experiment().override("data.group_pattern=[0-9]").data.group_pattern == "[0-9]"
    assert Experiment().override("data.group_pattern=[0]", "data.group_pattern=none").data.group_pattern is None


def test_unknown_field_lists_the_valid_ones():
    with pytest.raises(ValueError, match=r"Unknown setting 'loss.etta'.*loss.eta,.*training.batch_size"):
        Experiment().override("loss.etta=1")


def test_override_without_equals_is_refused():
    with pytest.raises(ValueError, match=r"section.field=value.*'loss.eta'"):
        Experiment().override("loss.eta")


@pytest.mark.parametrize("text", ["{", "[1]", '{"loss": {"etta": 1}}', '{"model": {"bits": "many"}}'])
def test_from_json_refuses_what_is_no_experiment(text):
    with pytest.raises(ValueError, match=r"JSON|Unknown setting|Expected int"):
        Experiment.from_json(text)


def test_settings_are_all_fields_by_their_paths():
    settings = Experiment().override("loss.eta=0.5", "seed=7").settings
    assert (settings["loss.eta"], settings["seed"], settings["data.queries"]) == (0.5, 7, None)
    assert Experiment().replace(settings) == Experiment().override("loss.eta=0.5", "seed=7")


def test_replace_checks_names_and_types():
    with pytest.raises(ValueError, match=r"Unknown setting 'loss.etta'"):
        Experiment().replace({"loss.etta": 1})
    with pytest.raises(ValueError, match=r"model.bits.*Expected int"):
        Experiment().replace({"model.bits": 1.5})
