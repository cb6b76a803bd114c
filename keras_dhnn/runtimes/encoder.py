"""Send images through a network whose weights stay as they are: the one way to do it."""

import collections
import contextlib
import logging
import queue
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from keras_dhnn.files import may_write
from keras_dhnn.machine import cores
from keras_dhnn.runtimes.choice import choose_runtime
from keras_dhnn.runtimes.flatbuffer import flatbuffers, layers_of, multiplications
from keras_dhnn.runtimes.interpreters import make_interpreters
from keras_dhnn.runtimes.sides import sides_of

# Numbers that enter an interpreter at a time: an image of 256 x 256 pixels, or several smaller ones.
VALUES = 256 * 256 * 3
# Chunks that are under way for each interpreter, so that none waits for the next batch.
AHEAD = 3
# Largest difference from TensorFlow's outputs, as a share of the largest of them, that a runtime may have. They are
# some 1e-6 away; what is above has converted something else.
TOLERANCE = 1e-3

_log = logging.getLogger("keras_dhnn")


class Encoder:
    """Run a network over batches, by the fastest runtime that is installed.

    LiteRT and OpenVINO run the network by one single-threaded interpreter for each core, each with an image at a time
    (or several small ones), while the next batches are being made. TensorFlow runs it where there are too few images
    for a conversion to pay, where the network computes in less than float32, on a GPU, and where a converted network
    would give something else.

    Args:
        network: functional Keras model with one input `(B, ...)` float32 and one or several outputs.
        count: how many images there will be, about.
        kept: folder where the converted network is kept for the next time, if it can be written; None keeps it nowhere.
        threads: interpreters beside one another; by default one a core.

    Attributes:
        runtime: "openvino", "litert" or "tensorflow".
        batch: a good number of images for a batch.

    Raises:
        SettingError, MissingPackage: see `choose_runtime`.
    """

    def __init__(self, network: Any, count: int, *, kept: Path | None = None, threads: int | None = None):
        self._network, self._shape = network, tuple(network.inputs[0].shape[1:])
        self._threads = threads or cores()
        self._chunk = max(1, VALUES // int(np.prod(self._shape)))
        self.runtime = choose_runtime(count * multiplications(network)) if _in_float32(network) else "tensorflow"
        self._interpreters = self._converted(kept) if self.runtime != "tensorflow" else []
        self.batch = self._chunk * self._threads if self._interpreters else tensorflow_batch(self._shape)
        self._step = None if self._interpreters else _tensorflow_step(network, self._shape)

    def _converted(self, kept):
        import tensorflow as tf

        shape = (self._chunk, *self._shape)
        try:
            with _folder(kept) as folder:
                paths = flatbuffers(sides_of(self._network), shape, folder)
                interpreters = make_interpreters(self.runtime, paths, self._threads)
            images = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
            expected = [output.numpy() for output in tf.nest.flatten(self._network(images, training=False))]
            _check_equal(interpreters[0](images), expected)
        except Exception as error:  # a converter and two runtimes have as many ways to say so
            reason = str(error).strip().splitlines() or [type(error).__name__]
            _log.warning("%s cannot run this network, TensorFlow does: %s", self.runtime, reason[0])
            self.runtime = "tensorflow"
            return []
        return interpreters

    def outputs(self, batches: Iterable[Any]) -> Iterator[list[np.ndarray]]:
        """Yield the outputs of each batch, in order: a list with an array `(b, ...)` for each output of the network.

        Args:
            batches: `(b, ...)` float32 tensors or arrays; sizes may differ.
        """
        if self._step is not None:
            import tensorflow as tf

            for images in batches:
                yield [output.numpy() for output in self._step(tf.convert_to_tensor(images, tf.float32))]
            return
        free: queue.SimpleQueue = queue.SimpleQueue()
        for interpreter in self._interpreters:
            free.put(interpreter)

        def run(chunk: np.ndarray) -> list[np.ndarray]:
            interpreter = free.get()
            try:
                return interpreter(chunk)
            finally:
                free.put(interpreter)

        yield from _in_order(self._chunks(batches), run, self._threads)

    def encode(self, images: Any) -> list[np.ndarray]:
        """Return the outputs of one batch `(b, ...)`, as `outputs` yields them."""
        return next(self.outputs([images]))

    def _chunks(self, batches):
        """Yield `(array of the interpreters' size, how many of it are images)` lists, one a batch."""
        for images in batches:
            images = np.asarray(images, np.float32)
            parts = [images[first : first + self._chunk] for first in range(0, len(images), self._chunk)]
            yield [(_filled_up(part, self._chunk), len(part)) for part in parts]


@contextlib.contextmanager
def _folder(kept):
    """Give a folder to keep conversions in, or one of the moment: what a runtime maps of a file stays."""
    if kept is not None and _is_to_be_written(kept):
        yield kept
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _is_to_be_written(folder):
    """Make a folder, and return whether files can be written there."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        return may_write(folder)
    return False


def _in_order(batches, run: Callable, threads: int):
    waiting: collections.deque = collections.deque()
    under_way = 0
    pool = ThreadPoolExecutor(threads)
    try:
        for chunks in batches:
            waiting.append([(pool.submit(run, chunk), count) for chunk, count in chunks])
            under_way += len(chunks)
            while under_way > AHEAD * threads:
                under_way -= len(waiting[0])
                yield _joined(waiting.popleft())
        while waiting:
            yield _joined(waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _joined(parts):
    results = [[output[:count] for output in future.result()] for future, count in parts]
    return [np.concatenate(outputs) if len(outputs) > 1 else outputs[0] for outputs in zip(*results, strict=True)]


def _filled_up(images, count):
    if len(images) == count:
        return images
    return np.concatenate([images, np.zeros((count - len(images), *images.shape[1:]), np.float32)])


def _in_float32(network):
    return all(layer.compute_dtype == "float32" for layer in layers_of(network))


def _check_equal(outputs, expected):
    for one, other in zip(outputs, expected, strict=True):
        difference, largest = np.abs(one - other).max(), np.abs(other).max()
        if not difference <= TOLERANCE * largest:
            raise ValueError(f"its outputs differ by {difference:.2g}, where the largest is {largest:.2g}")


def _tensorflow_step(network, shape):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, *shape), tf.float32)])
    def step(images: Any) -> Any:
        return tf.nest.flatten(network(images, training=False))

    # Traced once, here: a function for each network, traced at its first call, counts as one that is traced again and
    # again, of which TensorFlow warns.
    return step.get_concrete_function()


def tensorflow_batch(shape: tuple[int, ...]) -> int:
    """Return how many inputs of a shape `(H, W, C)` TensorFlow best takes at a time: of 256 x 256 pixels 4.

    Tensors are to fit the processor's caches: larger ones are no faster, and the largest come from fresh pages each
    time. A GPU takes more.
    """
    import tensorflow as tf

    images = 64 if tf.config.list_physical_devices("GPU") else 4
    return min(max(1, images * VALUES // int(np.prod(shape))), 1024)
