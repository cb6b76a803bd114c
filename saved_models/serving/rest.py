"""Turn the JSON of TensorFlow Serving's REST API into arrays, and arrays into answers, as json_tensor.cc has it."""

import base64
import binascii
import itertools
import json
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

DEFAULT_SIGNATURE = "serving_default"
_BYTES_SUFFIX = "_bytes"
# Values, lists and objects of a request: as many as thirty images of 256 x 256 x 3 have.
MOST_VALUES = 1 << 23
_MOST_AXES = 32


class ServingError(Exception):
    """Report what a client gets instead of an answer: an HTTP status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def parse_predict(
    body: bytes, inputs_of: Callable[[str], Mapping[str, TensorInfo]]
) -> tuple[str, bool, dict[str, np.ndarray]]:
    """Return a `:predict` request.

    Args:
        body: its bytes.
        inputs_of: `inputs_of(signature)`, `{input: TensorInfo}`, or a ServingError.

    Returns:
        `(signature, row, {input: array})`; `row` is whether the answer must be in row form.

    Raises:
        ServingError: 400, for whatever is not such a request.
    """
    _check_structure(body)
    request = _parse_json(body)
    signature = request.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(signature, str):
        raise _bad("'signature_name' key must be a string value.")
    inputs = inputs_of(signature or DEFAULT_SIGNATURE)
    if "instances" in request and "inputs" in request:
        raise _bad("Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist")
    if "instances" in request:
        values = _from_rows(request["instances"], inputs)
    elif "inputs" in request:
        values = _from_columns(request["inputs"], inputs)
    else:
        raise _bad("Missing 'inputs' or 'instances' key")
    arrays = {name: _array(name, value, inputs[name]) for name, value in values.items()}
    return signature or DEFAULT_SIGNATURE, "instances" in request, arrays


def format_answer(outputs: Mapping[str, np.ndarray], row: bool) -> bytes:
    """Return the body of an answer to `{output: array}`, bytes.

    Raises:
        ServingError: 400, if outputs cannot be shown in row form since they are not as many.
    """
    values = {name: _jsonable(name, array) for name, array in sorted(outputs.items())}
    if not row:
        return _dump({"outputs": values if len(values) > 1 else next(iter(values.values()))})
    sizes = {name: np.shape(array)[0] if np.ndim(array) else 0 for name, array in outputs.items()}
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        raise _bad(f"Tensors have inconsistent batch size: {sizes}")
    if len(values) == 1:
        return _dump({"predictions": next(iter(values.values()))})
    rows = zip(*values.values(), strict=True)
    return _dump({"predictions": [dict(zip(values, one, strict=True)) for one in rows]})


def format_error(message: str) -> bytes:
    """Return the body of an answer that is an error, bytes."""
    return _dump({"error": message})


def _dump(value):
    # A message may repeat a request's text that UTF-8 cannot hold, half of a surrogate pair.
    return json.dumps(value, ensure_ascii=False).encode(errors="replace")


def _bad(message):
    return ServingError(400, message)


def _check_structure(body):
    """Refuse a body of too many lists, which take ten to thirty times the memory of their text."""
    parts = sum(body.count(sign) for sign in (b",", b"[", b"{"))
    if parts > MOST_VALUES:
        raise ServingError(
            413,
            f"A request may have {MOST_VALUES:,} values and lists. Received: {parts:,}. Send images as PNG or JPEG "
            "files in base64, or fewer at a time.",
        )


def _parse_json(body):
    if not body:
        raise _bad("JSON Parse error: The document is empty")
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _bad(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict):
        raise _bad("JSON Value: Is not object")
    return request


def _from_rows(instances, inputs):
    """Return {input: list of its values, one an instance}."""
    if not isinstance(instances, list):
        raise _bad("Excepting 'instances' to be an list/array")
    if not instances:
        raise _bad("No values in 'instances' array")
    if not _is_named(instances[0]):
        if len(inputs) > 1:
            raise _bad(
                "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
                "tensorinfo_map"
            )
        if any(map(_is_named, instances)):
            raise _bad("Expecting value/list but got object in the input list")
        return {next(iter(inputs)): instances}
    for number, instance in enumerate(instances):
        if not _is_named(instance):
            raise _bad(f"Expecting object but got list at item {number} of input list")
        unknown = sorted(instance.keys() - inputs.keys())
        if unknown:
            raise _bad(
                f"Failed to process element: {number} key: {unknown[0]} of 'instances' list. Error: JSON object: does "
                f"not have named input: {unknown[0]}"
            )
        if instance.keys() != set(inputs):
            raise _bad(
                f"Failed to process element: {number} of 'instances' list. JSON object: must only have keys: "
                f"{','.join(sorted(inputs))}"
            )
    return {name: [instance[name] for instance in instances] for name in inputs}


def _from_columns(values, inputs):
    if not isinstance(values, dict) or _is_base64(values):
        if len(inputs) > 1:
            raise _bad(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        return {next(iter(inputs)): values}
    missing = sorted(inputs.keys() - values.keys())
    if missing:
        raise _bad(f"Missing named input: {missing[0]} in 'inputs' object.")
    return {name: values[name] for name in inputs}


def _is_base64(value):
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def _is_named(value):
    return isinstance(value, dict) and not _is_base64(value)


def _array(name, value, info):
    dtype = tf.as_dtype(info.dtype)
    wanted = [dim.size for dim in info.tensor_shape.dim]
    if dtype == tf.string:
        axes = None if info.tensor_shape.unknown_rank else len(wanted)
        array = _text_array(name, value, axes)
    else:
        array = _number_array(name, value, dtype)
    fits = len(wanted) == array.ndim and all(
        size in (-1, found) for size, found in zip(wanted, array.shape, strict=True)
    )
    if not info.tensor_shape.unknown_rank and not fits:
        raise _bad(f"Expected shape {wanted} for input {name!r}, -1 being any size. Received: {list(array.shape)}")
    return array


def _number_array(name, value, dtype):
    # Before NumPy, which would give each of a thousand numbers as much room as the longest text beside them.
    if not _leaf_types(value) <= {int, float, bool, list}:
        raise _bad(f"JSON values of input {name!r} are not of expected type: {dtype.name}")
    try:
        array = np.array(value)
    except (ValueError, OverflowError, RecursionError) as error:
        raise _bad(f"Encountered lists of unexpected sizes in input {name!r}: {error}") from error
    kinds = "iuf" if dtype.is_floating else "b" if dtype == tf.bool else "iu"
    # NumPy takes an empty list for one of floats.
    if array.dtype.kind not in kinds and array.size:
        raise _bad(f"JSON values of input {name!r} are not of expected type: {dtype.name}")
    low, high = (False, True) if dtype == tf.bool else (dtype.min, dtype.max)
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    if finite.size and (finite.min() < low or finite.max() > high):
        raise _bad(f"Cannot convert JSON values of input {name!r} to {dtype.name} without loss of precision.")
    return array.astype(dtype.as_numpy_dtype)


def _leaf_types(value):
    """Return the types of what is in nested lists, at the first depth at which not all are lists."""
    level = [value]
    while (types := set(map(type, level))) == {list}:
        level = list(itertools.chain.from_iterable(level))
    return types


def _text_array(name, value, axes):
    shape, flat, level = [], value, value
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    # NumPy has 32 at most.
    if len(shape) > (_MOST_AXES if axes is None else axes):
        raise _bad(f"Expected lists nested {axes} deep in input {name!r}. Received: {len(shape)} deep")
    flat = [value]
    for size in shape:
        if not all(isinstance(part, list) and len(part) == size for part in flat):
            raise _bad(f"Encountered list at unexpected size in input {name!r}")
        flat = [one for part in flat for one in part]
    array = np.empty(len(flat), object)
    array[:] = [_text(name, one) for one in flat]
    return array.reshape(shape)


def _text(name, value):
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise _bad(f"JSON string of input {name!r} holds half of a surrogate pair: {value[:40]!a}") from error
    if not _is_base64(value):
        raise _bad(f"JSON value of input {name!r} is neither a string nor {{'b64': ...}}")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad(f"Unable to base64 decode the value of input {name!r}") from error


def _jsonable(name, array):
    if array.dtype != object:
        return array.tolist()
    if array.ndim:
        return [_jsonable(name, np.asarray(one, object)) for one in array]
    content = array.item()
    if name.endswith(_BYTES_SUFFIX):
        return {"b64": base64.b64encode(content).decode()}
    return content.decode(errors="replace")
