import math

import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.errors import CollapseError
from keras_dhnn.training.callbacks.collapse import CollapseGuard, advice


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_loss_that_is_not_finite_stops_at_once(loss):
    with pytest.raises(CollapseError, match=r"after epoch 4.*smaller learning rate"):
        CollapseGuard().on_epoch_end(3, {"loss": loss})


def test_one_code_at_two_validations_in_a_row_stops():
    guard = CollapseGuard()
    for epoch, codes in enumerate([1, 5, 1]):
        guard.on_epoch_end(epoch, {"loss": 0.5, "distinct_codes": codes})
    guard.on_epoch_end(3, {"loss": 0.5})  # an epoch without validation says nothing
    with pytest.raises(CollapseError, match="same hash code after epoch 5"):
        guard.on_epoch_end(4, {"loss": 0.5, "distinct_codes": 1})


@pytest.mark.parametrize(("codes", "collapses"), [([5, None, 1, None], True), ([1, None, 5], False), ([None], False)])
def test_resumed_training_remembers_its_latest_validation(codes, collapses):
    guard = CollapseGuard(history={"loss": [0.5] * len(codes), "distinct_codes": codes})
    if collapses:
        with pytest.raises(CollapseError, match="same hash code"):
            guard.on_epoch_end(4, {"loss": 0.5, "distinct_codes": 1})
    else:
        guard.on_epoch_end(4, {"loss": 0.5, "distinct_codes": 1})


def test_two_codes_are_no_collapse():
    guard = CollapseGuard()
    for epoch in range(5):
        guard.on_epoch_end(epoch, {"loss": 0.5, "distinct_codes": 2})


def test_advice_names_settings_of_the_phase_and_of_the_objective():
    plain = Experiment().override("head.learning_rate=3e-3", "loss.eta=0.1", "loss.beta=0.5")
    assert advice(plain.override("loss.pair_weighting=mean"), "head") == (
        "Try a smaller learning rate (--set head.learning_rate=0.001) or a smaller quantisation weight (--set "
        "loss.eta=0.02) or balanced pairs (--set loss.pair_weighting=balanced)."
    )
    rates = ("fine_tune.learning_rate=6e-4", "fine_tune.backbone_learning_rate=3e-5", "fine_tune.cut=stage5")
    balanced = plain.override("loss.pair_weighting=balanced", *rates)
    assert advice(balanced, "fine_tune", "beta") == (
        "Try a smaller learning rate (--set fine_tune.learning_rate=0.0002 --set "
        "fine_tune.backbone_learning_rate=1e-05) or a smaller quantisation weight (--set loss.beta=0.1)."
    )
    assert "balanced" not in advice(plain.override("loss.objective=contrastive"), "head")
    assert "quantisation" not in advice(balanced.override("loss.eta=0"), "head")
