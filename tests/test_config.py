import json
import re

import pytest

from keras_dhnn import config
from keras_dhnn.config import Experiment, of_source, parse_setting
from keras_dhnn.errors import SettingError
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
    with pytest.raises(
        ValueError,
        match=r"model.bits.*Expected a whole number, a multiple of 8,.* Received: 12.5",
    ):
        Experiment().override("model.bits=12.5")
    with pytest.raises(ValueError, match=r"model.bits"):
        Experiment().override("model.bits=true")


def test_override_takes_none_only_where_none_may_stand():
    assert Experiment().override("loss.penalty=2").override("loss.penalty=none").loss.penalty is None
    with pytest.raises(ValueError, match=r"loss.eta.*Expected a number, at least 0. Received: None"):
        Experiment().override("loss.eta=none")


def test_override_keeps_texts_that_look_like_numbers():
    assert Experiment().override("data.name=2024").data.name == "2024"
    assert Experiment().override("data.group_pattern=[0-9]").data.group_pattern == "[0-9]"
    assert Experiment().override("data.group_pattern=[0]", "data.group_pattern=none").data.group_pattern is None


@pytest.mark.parametrize(
    ("unknown", "hint"),
    [
        ("loss.etta", "Did you mean loss.eta or loss.beta?"),
        ("bits", "Did you mean model.bits?"),
        ("epochs", "Did you mean head.epochs or fine_tune.epochs?"),
        ("modle.backbone", "Did you mean model.backbone?"),
        ("data.zzz", "Expected one of data.name, data.protocol,"),
        ("foo.zzz", "Expected SECTION.FIELD, such as loss.eta."),
    ],
)
def test_unknown_field_proposes_those_that_its_name_is_like(unknown, hint):
    with pytest.raises(ValueError, match=f"Unknown setting '{unknown}'. {re.escape(hint)}.*pydoc keras_dhnn.config"):
        Experiment().override(f"{unknown}=1")


def test_override_without_equals_is_refused():
    with pytest.raises(ValueError, match=r"section.field=value.*'loss.eta'"):
        Experiment().override("loss.eta")


@pytest.mark.parametrize("text", ["{", "[1]", '{"loss": {"etta": 1}}', '{"model": {"bits": "many"}}'])
def test_from_json_refuses_what_is_no_experiment(text):
    with pytest.raises(ValueError, match=r"JSON|Unknown setting|Expected a whole number"):
        Experiment.from_json(text)


def test_settings_are_all_fields_by_their_paths():
    settings = Experiment().override("loss.eta=0.5", "seed=7").settings
    assert (settings["loss.eta"], settings["seed"], settings["data.queries"]) == (0.5, 7, None)
    assert Experiment().replace(settings) == Experiment().override("loss.eta=0.5", "seed=7")


def test_replace_checks_names_and_types():
    with pytest.raises(ValueError, match=r"Unknown setting 'loss.etta'"):
        Experiment().replace({"loss.etta": 1})
    with pytest.raises(ValueError, match=r"model.bits.*Expected a whole number"):
        Experiment().replace({"model.bits": 1.5})


REFUSED = [
    ("training.batch_size", 0),
    ("training.batch_size", -1),
    ("training.optimizer", "lion"),
    ("training.validate_every", 0),
    ("training.patience", -1),
    ("training.update", "both"),
    ("training.precision", "float16"),
    ("model.bits", 30),
    ("model.bits", 0),
    ("model.hidden", -1),
    ("model.dropout", 1.0),
    ("model.weight_decay", -1.0),
    ("model.backbone", " "),
    ("loss.quantization", "l3"),
    ("loss.pairs", "triplets"),
    ("loss.objective", "triplets"),
    ("loss.pairs", "all"),
    ("loss.eta", float("nan")),
    ("loss.eta", -1.0),
    ("loss.similarity_factor", 0.0),
    ("loss.penalty", 0.0),
    ("loss.alpha", float("inf")),
    ("head.epochs", -3),
    ("head.learning_rate", 0.0),
    ("fine_tune.backbone_learning_rate", -1.0),
    ("data.protocol", "random"),
    ("data.queries", 0.0),
    ("data.validation", 1.0),
    ("data.turns", 3),
    ("data.image_size", -1),
    ("data.image_size", {"pan": "large"}),
    ("data.group_pattern", "("),
    ("augmentation.colour", 1.5),
    ("augmentation.angles", 181.0),
    ("augmentation.crop", 1.0),
    ("augmentation.crop", -0.1),
    ("augmentation.angles", -1.0),
    ("augmentation.colour", -0.1),
    ("seed", -1),
    ("seed", 1 << 31),
]


@pytest.mark.parametrize(("path", "value"), REFUSED)
def test_values_out_of_range_are_refused_however_they_come(path, value):
    """By mapping, by JSON and by the section's own class; the message names the setting and what is allowed."""
    with pytest.raises(SettingError, match=rf"setting `{path}`.*Expected .*Received: "):
        Experiment().replace({path: value})
    settings = json.loads(Experiment().to_json())
    section, dot, name = path.partition(".")
    (settings[section] if dot else settings)[name or section] = value
    with pytest.raises(SettingError, match=path):
        Experiment.from_json(json.dumps(settings))
    if dot:
        with pytest.raises(SettingError, match=name):
            type(getattr(Experiment(), section))(**{name: value})
    else:
        with pytest.raises(SettingError, match=path):
            Experiment(**{path: value})


def test_every_setting_declares_what_it_may_be():
    free = {"augmentation.flips", "model.band_statistics"}  # true or false needs no rule
    declared = {path for path, kind in config._declarations().items() if hasattr(kind, "__metadata__")}
    assert declared | free == set(Experiment().settings)


def test_sources_have_values_of_their_own():
    experiment = Experiment().override("data.image_size=pan=256,mul=64", "fine_tune.cut=pan=images,mul=features")
    assert experiment.data.image_size == {"pan": 256, "mul": 64}
    assert json.loads(experiment.to_json())["fine_tune"]["cut"] == {"pan": "images", "mul": "features"}
    assert Experiment.from_json(experiment.to_json()) == experiment
    assert [of_source("data.image_size", experiment.data.image_size, name) for name in ("pan", "mul")] == [256, 64]
    with pytest.raises(SettingError, match=r"data.image_size.*for radar: radar=VALUE"):
        of_source("data.image_size", experiment.data.image_size, "radar")


def test_paths_may_hold_commas_and_equals_signs():
    weights = Experiment().override("model.weights=/a=b,c/d=e.h5").model.weights
    assert weights == "/a=b,c/d=e.h5"
    assert Experiment.from_json(Experiment().replace({"model.weights": weights}).to_json()).model.weights == weights
    of_each = Experiment().override("model.weights=pan=/a,b/c.h5,mul=auto").model.weights
    assert of_each == {"pan": "/a,b/c.h5", "mul": "auto"}


def test_experiments_of_version_0_1_have_text_for_each_source():
    text = '{"data": {"image_size": "pan=256,mul=0"}, "model": {"backbone": "pan=pan_cnn,mul=mul_cnn"}}'
    experiment = Experiment.from_json(text)
    assert experiment.data.image_size == {"pan": 256, "mul": 0}
    assert experiment.model.backbone == {"pan": "pan_cnn", "mul": "mul_cnn"}


def test_json_that_python_cannot_follow_is_refused_in_words():
    for text, message in (
        ("[" * 100_000, "An experiment is a JSON object; this is nested deeper than can be read"),
        ('{"a":' * 100_000, "An experiment is a JSON object; this is nested deeper than can be read"),
        ('{"seed": ' + "9" * 5_000 + "}", "An experiment is a JSON object; this is not JSON: Exceeds the limit"),
        ("[]", "An experiment is a JSON object. Received: list"),
    ):
        with pytest.raises(SettingError, match=message):
            Experiment.from_json(text)
    assert parse_setting("seed", "9" * 5_000) == "9" * 5_000  # which is no number that a setting takes
