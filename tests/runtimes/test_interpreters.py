import importlib
import sys

import pytest

from keras_dhnn.runtimes import installed_runtimes
from keras_dhnn.runtimes.interpreters import _openvino


@pytest.mark.skipif("openvino" not in installed_runtimes(), reason="OpenVINO is not installed")
def test_openvino_is_whole_without_its_telemetry_which_others_may_import():
    openvino = _openvino()
    assert _openvino() is openvino
    assert callable(openvino.convert_model)  # of the part that wants telemetry
    stand_in = importlib.import_module("openvino.tools.ovc.telemetry_utils").tm
    assert stand_in.__name__ == "openvino.tools.ovc.telemetry_stub"
    assert "openvino_telemetry" not in sys.modules
    assert importlib.import_module("openvino_telemetry").Telemetry is not None
