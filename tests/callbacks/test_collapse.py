import math

import pytest

from keras_dhnn.callbacks.collapse import CollapseError, CollapseGuard


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


def test_two_codes_are_no_collapse():
    guard = CollapseGuard()
    for epoch in range(5):
        guard.on_epoch_end(epoch, {"loss": 0.5, "distinct_codes": 2})
