import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.tuning.grid import Axis, grid_experiments
from keras_dhnn.tuning.weights import check_weights, default_names
from tests.dual import make_dual_dataset
from tests.fakes import make_coloured_dataset


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    return make_coloured_dataset(tmp_path_factory.mktemp("data") / "coloured")


@pytest.fixture(scope="module")
def dual(tmp_path_factory):
    return make_dual_dataset(tmp_path_factory.mktemp("data") / "twins")


def test_by_default_the_weights_that_have_an_effect_are_searched(single, dual):
    assert default_names(single) == ("s", "eta")
    assert default_names(dual) == ("alpha", "beta", "gamma")


def test_weights_that_have_no_effect_are_refused(single, dual):
    with pytest.raises(ValueError, match=r"twins \(of pan and mul\): eta\. .*weights: alpha, beta, gamma"):
        check_weights(["loss.similarity_factor", "loss.eta", "loss.beta"], dual)
    with pytest.raises(ValueError, match=r"coloured \(of image\): alpha, gamma\. .*weights: eta"):
        check_weights(["loss.alpha", "loss.eta", "loss.gamma"], single)


def test_weights_that_have_an_effect_and_all_else_are_not(single, dual):
    check_weights(["loss.similarity_factor", "loss.eta", "model.bits"], single)
    check_weights(["loss.similarity_factor", "loss.alpha", "loss.beta", "loss.gamma"], dual)


def test_a_grid_refuses_them_too(single, dual):
    with pytest.raises(ValueError, match="twins .*: eta"):
        grid_experiments(Experiment(), [Axis.parse("eta=0.1,1")], dual)
    with pytest.raises(ValueError, match="twins .*: eta"):
        grid_experiments(Experiment(), [Axis.parse("s=0.5,1")], dual, paper_eta=True)
    with pytest.raises(ValueError, match="coloured .*: beta"):
        grid_experiments(Experiment(), [Axis.parse("beta=0.1,1")], single)
