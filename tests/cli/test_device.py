import pytest

from keras_dhnn.cli.device import choose_device
from keras_dhnn.errors import SettingError


@pytest.mark.parametrize(("device", "visible"), [("auto", None), ("cpu", "-1"), ("gpu:0", "0"), ("gpu:12", "12")])
def test_tensorflow_sees_the_device_alone(device, visible):
    environment = {}
    choose_device(device, environment)
    assert environment.get("CUDA_VISIBLE_DEVICES") == visible
    assert environment["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


def test_what_the_user_has_set_of_memory_stays():
    environment = {"TF_FORCE_GPU_ALLOW_GROWTH": "false", "CUDA_VISIBLE_DEVICES": "3"}
    choose_device("auto", environment)
    assert environment == {"TF_FORCE_GPU_ALLOW_GROWTH": "false", "CUDA_VISIBLE_DEVICES": "3"}


@pytest.mark.parametrize("device", ["", "gpu", "gpu:", "gpu:-1", "tpu", "GPU:0"])
def test_another_device_is_refused(device):
    with pytest.raises(SettingError, match="--device. Expected auto, cpu, or gpu:NUMBER"):
        choose_device(device, {})
