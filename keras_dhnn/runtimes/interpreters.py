"""Run a flatbuffer by single-threaded interpreters, several beside one another."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from keras_dhnn.runtimes.silence import silence


class Interpreter(Protocol):
    """Run a network in one thread: from `(B, H, W, C)` float32 to its outputs, of one fixed B."""

    def __call__(self, images: np.ndarray) -> list[np.ndarray]: ...


class LiteRT:
    """Run TensorFlow Lite's interpreter with XNNPACK.

    Args:
        path: the flatbuffer's.
    """

    def __init__(self, path: Path):
        from keras_dhnn.backend import litert_interpreter

        with silence():
            self._interpreter = litert_interpreter()(model_path=str(path), num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """Return the outputs; other threads run meanwhile."""
        self._interpreter.set_tensor(self._input, images)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output) for output in self._outputs]


class OpenVINO:
    """Run one of the streams of a network that OpenVINO compiled.

    Args:
        compiled: `openvino.CompiledModel`, see `compile_openvino`.
    """

    def __init__(self, compiled: Any):
        self._request, self._count = compiled.create_infer_request(), len(compiled.outputs)

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """Return the outputs; other threads run meanwhile."""
        results = self._request.infer([images])
        return [np.array(results[number]) for number in range(self._count)]


def compile_openvino(path: Path, streams: int) -> Any:
    """Return the flatbuffer in a file compiled for so many streams of one thread each, in float32."""
    how = {
        "INFERENCE_NUM_THREADS": streams,
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,
        # By default bfloat16 where the processor has it: 1.7 times as fast, and outputs are off by 3 % of the largest.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    core = _openvino().Core()
    return core.compile_model(core.read_model(path), "CPU", how)


def _openvino():
    """Import OpenVINO, but not its telemetry, which nobody asked for: it gives the user an identity, kept in the home
    folder, forks this process, and tells Google Analytics that OpenVINO was imported.
    """
    kept_out = "openvino_telemetry" not in sys.modules
    if kept_out:
        # So importing it fails, for which OpenVINO has a stand-in that does nothing.
        sys.modules["openvino_telemetry"] = None
    try:
        import openvino
    finally:
        if kept_out:
            del sys.modules["openvino_telemetry"]
    return openvino


class Beside:
    """Run networks of one output each on the same images, and join what they give along its last axis.

    Args:
        sides: an `Interpreter` of each.
    """

    def __init__(self, sides: Sequence[Interpreter]):
        self._sides = sides

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """Return the outputs, joined."""
        return [np.concatenate([output for side in self._sides for output in side(images)], axis=-1)]


def make_interpreters(runtime: str, paths: Sequence[Path], count: int) -> list[Interpreter]:
    """Return so many interpreters of a network.

    Args:
        runtime: "openvino" or "litert".
        paths: of its flatbuffer; of several, where it is networks side by side.
        count: how many interpreters.
    """
    sides = [_of_file(runtime, path, count) for path in paths]
    return sides[0] if len(sides) == 1 else [Beside(same) for same in zip(*sides, strict=True)]


def _of_file(runtime, path, count) -> list[Interpreter]:
    if runtime == "openvino":
        compiled = compile_openvino(path, count)
        return [OpenVINO(compiled) for _ in range(count)]
    return [LiteRT(path) for _ in range(count)]
