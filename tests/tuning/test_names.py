import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.tuning.names import setting, symbol


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("s", "loss.similarity_factor"),
        ("eta", "loss.eta"),
        ("l", "model.bits"),
        ("bits", "model.bits"),
        ("protocol", "data.protocol"),
        ("head.learning_rate", "head.learning_rate"),
        ("seed", "seed"),
    ],
)
def test_names_stand_for_settings(name, path):
    assert setting(name) == path


def test_a_name_of_several_settings_lists_them():
    with pytest.raises(ValueError, match=r"learning_rate'.*head.learning_rate, fine_tune.learning_rate"):
        setting("learning_rate")


def test_an_unknown_name_lists_short_ones_and_all():
    with pytest.raises(ValueError, match=r"'sigma'.*s \(loss.similarity_factor\).*data.protocol"):
        setting("sigma")


def test_every_setting_goes_by_its_symbol_or_last_part():
    assert [symbol(path) for path in ("loss.similarity_factor", "loss.eta", "head.epochs")] == ["s", "eta", "epochs"]
    assert all(setting(path) == path for path in Experiment().settings)
