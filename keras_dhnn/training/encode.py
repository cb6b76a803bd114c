"""Compute hash outputs and activations of many images."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_dhnn.training.growing_array import GrowingArray


def make_encoder(model: tf.keras.Model) -> Callable[..., Any]:
    """Return a function that runs a model over batches, as its weights are whenever it is called.

    It is for a network that is being trained. What stays as it is goes through `runtimes.Encoder`.

    Args:
        model: from `{source: (B, ...)}` to `{source: (B, l)}`, or from a tensor to a tensor.

    Returns:
        Function of an iterable of batches `(inputs, targets)` and an optional `progress(done)`, called after each
        batch with the number of items so far; it returns the outputs of all items in order, a NumPy array or
        `{source: array}`.
    """

    @tf.function(reduce_retracing=True, autograph=False)
    def step(inputs: Any) -> Any:
        return model(inputs, training=False)

    def encode(batches: Iterable[tuple[Any, Any]], progress: Callable[[int], None] | None = None) -> Any:
        parts, done = [], 0
        for inputs, _ in batches:
            parts.append(tf.nest.map_structure(lambda outputs: outputs.numpy(), step(inputs)))
            done += len(tf.nest.flatten(parts[-1])[0])
            if progress is not None:
                progress(done)
        return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)

    return encode


def fill(
    arrays: Sequence[GrowingArray],
    outputs_from: Callable[[int], Iterable[Sequence[np.ndarray]]],
    progress: Callable[..., None] | None = None,
) -> None:
    """Write arrays that have a row for each item, going on where an earlier call was killed.

    Of several processes one writes and the others wait for it.

    Args:
        arrays: what to write; those that are finished stay as they are.
        outputs_from: function of a row's number that yields, batch by batch, the rows from that one on, of each array.
        progress: called as `progress(done, note)`.

    Raises:
        OSError: if the disk is full.
    """
    report = progress or (lambda done, note="": None)

    def waiting(done: int) -> None:
        report(done, "by another process")

    with contextlib.ExitStack() as stack:
        # In one order for everybody, so that no two processes wait for each other.
        owned = {a.path: stack.enter_context(a.own(waiting)) for a in sorted(arrays, key=lambda array: array.path)}
        missing = [array for array in arrays if owned[array.path]]
        _write([array if owned[array.path] else None for array in arrays], missing, outputs_from, report)
        for array in missing:
            array.finish()
    report(arrays[0].shape[0], "")


def _write(places, missing, outputs_from, report):
    done = min((array.done for array in missing), default=0)
    if not missing or done == missing[0].shape[0]:
        return
    for outputs in outputs_from(done):
        for array, rows in zip(places, outputs, strict=True):
            if array is not None and array.done < done + len(rows):
                array.append(rows[max(0, array.done - done) :])
        done += len(outputs[0])
        report(done, "")


def inputs_of(batches: Iterable, source: str) -> Iterator[tf.Tensor]:
    """Return what enters one source's network, of batches `({source: inputs}, targets)`."""
    return (inputs[source] for inputs, _ in batches)
