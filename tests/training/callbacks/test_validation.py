import numpy as np
import pytest

from keras_dhnn.training.callbacks.validation import ValidationMAP, tolerance_of

# Items 0 and 1 search in 2 to 5.
LABELS = np.array([0, 1, 0, 0, 1, 1])
GOOD = np.where(LABELS, 1.0, -1.0)[:, None] * np.ones(8)
# Query 0 finds everything at one distance: expected AP of 2 relevant among 4 is 0.6806 (ranking's doctest).
EQUAL = np.ones((6, 8))


class Model:
    """What the callback needs of a model."""

    def __init__(self):
        self.version, self.stop_training = 0, False

    def get_weights(self):
        return [np.array(self.version)]


def run(outputs, every=1, patience=0, tolerance=0.0):
    model, stream, all_logs = Model(), iter(outputs), []
    epochs = len(outputs) * every
    how = epochs, every, patience, tolerance
    callback = ValidationMAP(lambda: {"image": next(stream)}, LABELS, [0, 1], [2, 3, 4, 5], *how)
    callback.set_model(model)
    callback.set_params({"epochs": epochs})
    for epoch in range(epochs):
        model.version = epoch
        logs = {"loss": 1.0}
        callback.on_epoch_end(epoch, logs)
        all_logs.append(logs)
    return callback, model, all_logs


def test_scores_held_out_items_among_the_fitted_ones():
    _, _, logs = run([EQUAL, GOOD])
    assert logs[0]["val_map"] == pytest.approx(0.6806, abs=5e-5)
    assert logs[1]["val_map"] == 1.0
    assert [log["distinct_codes"] for log in logs] == [1, 2]


def test_keeps_the_weights_of_the_best_epoch():
    callback, _, _ = run([EQUAL, GOOD, EQUAL])
    assert (callback.best, callback.best_epoch, int(callback.best_weights[0])) == (1.0, 1, 1)


def test_of_equally_good_epochs_the_last_is_kept():
    assert run([GOOD, GOOD, EQUAL])[0].best_epoch == 1


def test_a_later_epoch_within_the_tolerance_is_kept():
    callback = run([GOOD, EQUAL], tolerance=1 - 0.6806 + 1e-3)[0]
    assert (callback.best, callback.best_epoch) == (1.0, 1)
    assert run([GOOD, EQUAL], tolerance=1 - 0.6806 - 1e-3)[0].best_epoch == 0


@pytest.mark.parametrize(("images", "tolerance"), [(0, 0.05), (5, 0.05), (42, 1 / 42), (400, 0.0025), (10_000, 0.002)])
def test_one_held_out_image_does_not_tell_epochs_apart(images, tolerance):
    assert tolerance_of(images) == tolerance


def test_validates_every_so_many_epochs_and_at_the_last():
    callback, _, logs = run([EQUAL, GOOD], every=3)
    assert ["val_map" in log for log in logs] == [False, False, True, False, False, True]
    assert callback.best_epoch == 5


def test_a_pause_is_no_last_epoch():
    callback = ValidationMAP(lambda: {"image": GOOD}, LABELS, [0, 1], [2, 3, 4, 5], epochs=6, every=3)
    callback.set_params({"epochs": 2})  # of this call of `fit`
    logs = {}
    callback.on_epoch_end(1, logs)
    assert logs == {}
    assert callback.best_epoch == -1


def test_patience_stops_training():
    assert run([GOOD, EQUAL, EQUAL], patience=2)[1].stop_training
    assert not run([GOOD, EQUAL], patience=2)[1].stop_training
    assert not run([GOOD, EQUAL, EQUAL], patience=0)[1].stop_training


def test_with_nothing_held_out_the_last_epoch_is_kept_and_none_stops_early():
    model, stream = Model(), iter([GOOD, EQUAL, GOOD])
    callback = ValidationMAP(lambda: {"image": next(stream)}, LABELS, [], [2, 3, 4, 5], 5, every=2, patience=1)
    callback.set_model(model)
    found = []
    for epoch in range(5):
        model.version, logs = epoch, {}
        callback.on_epoch_end(epoch, logs)
        found.append(logs)
    assert found == [{}, {"distinct_codes": 2}, {}, {"distinct_codes": 1}, {"distinct_codes": 2}]
    assert (callback.best_epoch, int(callback.best_weights[0])) == (4, 4)
    assert not model.stop_training
