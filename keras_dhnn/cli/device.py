"""Choose which processor the work is done on, said before TensorFlow is imported."""

import re
from collections.abc import MutableMapping

from keras_dhnn.errors import SettingError, invalid


def choose_device(device: str, environment: MutableMapping[str, str]) -> None:
    """Set the environment variables by which TensorFlow sees the processors that it may use.

    On GPUs it takes memory as it needs it, not all at once.

    Args:
        device: "auto" (GPUs where TensorFlow finds them), "cpu", or "gpu:0" and the like: this GPU alone.
        environment: `os.environ`.

    Raises:
        SettingError: for anything else.
    """
    number = re.fullmatch(r"gpu:(\d+)", device)
    if device not in ("auto", "cpu") and number is None:
        raise SettingError(invalid("--device", "auto, cpu, or gpu:NUMBER such as gpu:0", device))
    if device != "auto":
        environment["CUDA_VISIBLE_DEVICES"] = number.group(1) if number else "-1"
    environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
