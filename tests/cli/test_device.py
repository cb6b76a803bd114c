import pytest

from keras_dhnn.cli.device import choose_device
from keras_dhnn.cli.given import refuse_behind_verb
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


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["fit", "shore", "--device", "cpu"], "--device goes before the verb: keras-dhnn --device cpu fit shore"),
        (["fit", "--device=gpu:0", "my shore"], "keras-dhnn --device=gpu:0 fit 'my shore'"),
        (["--device", "cpu", "fit", "shore", "--trust-code"], "keras-dhnn --trust-code --device cpu fit shore"),
    ],
)
def test_an_option_behind_the_verb_is_refused_with_what_is_meant(run, arguments, meant):
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.rstrip().endswith(meant)


def test_an_option_before_the_verb_or_behind_dashes_is_as_it_should_be():
    refuse_behind_verb(["--device", "cpu", "--trust-code", "fit", "shore", "--", "--device"])
