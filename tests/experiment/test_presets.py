from pathlib import Path
from types import SimpleNamespace

import pytest

from keras_dhnn.experiment.presets import load_preset


def collection(count, channels):
    return SimpleNamespace(count=count, images={"image": SimpleNamespace(channels=channels)}, directory=Path("none"))


@pytest.mark.parametrize(
    ("count", "epochs"),
    # 0.81 of the images in batches of 128, at least 480 steps: 1, 3, 12 and 63 a pass.
    [(100, 160), (630, 160), (1_900, 40), (10_000, 40)],
)
def test_small_collections_get_more_epochs(count, epochs):
    preset = load_preset("mine", collection(count, 3))
    assert (preset.head.epochs, preset.training.validate_every) == (epochs, epochs // 40)


def test_bands_beyond_three_are_described():
    assert [load_preset("mine", collection(500, bands)).model.band_statistics for bands in (1, 3, 4, 13)] == [
        False,
        False,
        True,
        True,
    ]


def test_presets_of_known_data_sets_stay_as_they_are():
    assert load_preset("ucmd", collection(100, 13)) == load_preset("ucmd")
    assert load_preset("mine").head.epochs == 40


@pytest.mark.parametrize(("count", "epochs"), [(20_000, 10), (200_000, 8), (500_000, 3)])
def test_parts_of_sat4_are_passed_more_often(count, epochs):
    assert load_preset("sat4-synthetic", collection(count, 4)).fine_tune.epochs == epochs


@pytest.mark.parametrize(("count", "epochs"), [(2_400, 108), (12_800, 60), (80_000, 30)])
def test_parts_of_dsrsid_are_passed_more_often(count, epochs):
    assert load_preset("dsrsid-synthetic", collection(count, 4)).fine_tune.epochs == epochs
