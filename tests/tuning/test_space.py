import json

import keras_tuner as kt
import numpy as np
import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.tuning.space import RANGES, Choice, Range, Space

BASE = Experiment()


def drawn(space, count=200):
    """Experiments of random points, as KerasTuner draws them."""
    declared = kt.HyperParameters()
    space.experiment(declared)
    for seed in range(count):
        point = declared.copy()
        point.values = {part.name: part.random_sample(seed) for part in declared.space}
        yield space.experiment(point)


def test_etas_range_is_on_a_logarithmic_scale():
    etas = np.array([experiment.loss.eta for experiment in drawn(Space.of(["s", "eta"], BASE))])
    assert 0.003 <= etas.min() < 0.006
    assert 1.5 < etas.max() <= 3.0
    # Half of the points lie below the geometric middle, not the arithmetic one.
    assert np.mean(etas < np.sqrt(0.003 * 3.0)) == pytest.approx(0.5, abs=0.1)


def test_values_arrive_in_the_experiment_with_their_types():
    space = Space.from_json(
        json.dumps(
            {
                "bits": [16, 32],
                "P": [None, 1, 2],
                "pair_weighting": ["mean", "balanced"],
                "augmentation.flips": [True, False],
                "hidden": {"min": 8, "max": 24, "step": 8},
                "s": {"min": 1, "max": 2},
            }
        ),
        BASE,
    )
    points = list(drawn(space))
    seen = {path: {experiment.settings[path] for experiment in points} for path in space.parts}
    assert seen["model.bits"] == {16, 32}
    assert seen["loss.penalty"] == {None, 1.0, 2.0}
    assert seen["loss.pair_weighting"] == {"mean", "balanced"}
    assert seen["augmentation.flips"] == {True, False}
    assert seen["model.hidden"] == {8, 16, 24}
    assert all(isinstance(value, float) and 1 <= value <= 2 for value in seen["loss.similarity_factor"])


def test_settings_of_a_trial_are_the_experiments():
    space = Space({"loss.penalty": Choice((None, 1.0)), "model.bits": Choice((16, 32))}, BASE)
    declared = kt.HyperParameters()
    experiment = space.experiment(declared)
    settings = space.settings({**declared.values, "tuner/epochs": 2})
    assert settings == {"loss.penalty": None, "model.bits": 16}
    assert BASE.replace(settings) == experiment


def test_json_and_back():
    space = Space.of(["s", "bits", "penalty"], BASE)
    assert Space.from_json(json.dumps(space.to_json()), BASE).parts == space.parts


def test_every_range_is_allowed_for_its_setting():
    settings = BASE.settings
    assert Space({path: part for path, part in RANGES.items() if path in settings}, BASE).parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "JSON object. Received: list"),
        ("{}", "one setting or more"),
        ('{"sigma": [1]}', "'sigma'"),
        ('{"bits": [16, 16]}', "space of model.bits. Expected no value twice. Received: 16"),
        ('{"eta": [1, 1.0]}', "space of loss.eta. Expected no value twice"),
        ('{"bits": []}', "space of model.bits has no value"),
        ('{"eta": [0.1], "loss.eta": [0.2]}', "settings. Expected no value twice. Received: 'loss.eta'"),
        ('{"eta": [0.1], "eta": [0.2]}', "a search space's names. Expected no value twice. Received: 'eta'"),
        ('{"bits": {"min": 8, "max": 64, "step": 4}}', "step of model.bits is a multiple of 8.*Received: step=4"),
        ('{"query_turns": {"min": 1, "max": 4}}', r"query_turns is 1 or 4.*Give a list: \[1, 4\]"),
        ('{"bits": ["many"]}', "model.bits.*Expected a whole number"),
        ('{"eta": {"min": 1, "max": 0.5}}', "min < max"),
        ('{"eta": {"min": 0, "max": 0.5, "log": true}}', "above 0"),
        ('{"eta": {"min": 1, "max": 2, "step": 0}}', "step of loss.eta is a number above 0. Received: step=0"),
        ('{"eta": {"min": 1, "max": 2, "step": -1}}', "number above 0. Received: step=-1"),
        ('{"eta": {"min": 1, "max": 2, "step": "a"}}', "number above 0. Received: step='a'"),
        ('{"eta": {"min": 1, "max": 2, "step": true}}', "number above 0. Received: step=True"),
        ('{"eta": {"min": 1, "max": 2, "step": 1e999}}', "number above 0. Received: step=inf"),
        ('{"eta": {"min": 1, "max": 2, "step": 1, "log": true}}', "a number above 1, by which.*Received: step=1"),
        (
            '{"hidden": {"min": 8, "max": 24, "step": 0.5}}',
            "hidden is a whole number above 0. Received: step=0.5",
        ),
        ('{"hidden": {"min": 8, "max": 24, "step": 1e999}}', "whole number above 0. Received: step=inf"),
        ('{"eta": {"low": 1}}', '"min": ..., "max"'),
        ('{"eta": 0.5}', "'eta' is a list of values"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Space.from_json(text, BASE)


@pytest.mark.parametrize(("more", "lengths"), [("", set(range(8, 65, 8))), (', "log": true', {8, 16, 32, 64})])
def test_a_range_of_bits_is_of_multiples(more, lengths):
    space = Space.from_json(f'{{"bits": {{"min": 8, "max": 64{more}}}}}', BASE)
    assert {experiment.model.bits for experiment in drawn(space)} == lengths


UNLIKE = ["seed", *(path for path in BASE.settings if path.startswith("data.") and path != "data.image_size")]


@pytest.mark.parametrize("path", UNLIKE)
def test_trials_are_compared_by_the_same_items(path):
    with pytest.raises(ValueError, match=f"ranks its trials.*{path} would change.*grid NAME --over {path}="):
        Space.from_json(json.dumps({"eta": [0.1, 1], path: [BASE.settings[path]]}), BASE)
    assert Space.from_json('{"data.image_size": [32, 64]}', BASE).parts


def test_a_setting_without_a_range_of_its_own_is_refused():
    with pytest.raises(ValueError, match=r"data.turns has no range.*--space.*loss.eta"):
        Space.of(["turns"], BASE)


def test_ranges_take_the_settings_type():
    step = Space({"model.hidden": Range(8, 24, step=8.0)}, BASE).parts["model.hidden"].step
    assert (step, type(step)) == (8, int)
    assert Space({"loss.eta": Range(1, 2)}, BASE).parts["loss.eta"] == Range(1.0, 2.0)
