"""Write requests that TensorFlow Serving replays when it loads a model, so that the first user's is not the slow
one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from keras_dhnn.errors import MissingPackage
from keras_dhnn.files.tfrecord import record_writer
from keras_dhnn.saved_models.graph.image_form import ImageForm

FILE = "tf_serving_warmup_requests"
# Images on a side: large enough that every layer of a network runs, also the resizing.
_SIDE = 64


def write_warmup(
    path: Path, signatures: Mapping[str, SignatureDef], name: str, files: Mapping[str, Sequence[bytes]]
) -> None:
    """Write one `PredictionLog` for each signature.

    Args:
        path: of the file, `assets.extra/tf_serving_warmup_requests` of a version.
        signatures: `{name: SignatureDef}`.
        name: of the model.
        files: `{name: list of bytes}`, image files for each signature that takes them.

    Raises:
        MissingPackage: if tensorflow-serving-api is not installed.
        OSError: if the disk is full or not writable; TensorFlow's own errors come as this.
    """
    predict, log = _protos()
    with record_writer(path) as write:
        for signature, definition in sorted(signatures.items()):
            request = predict.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = name, signature
            for key, info in definition.inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(_value(key, info, files.get(signature))))
            write(log.PredictionLog(predict_log=log.PredictLog(request=request)).SerializeToString())


def read_warmup(path: Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Return the requests of a file of such: a list of (signature name, `{input: array}`)."""
    _, log = _protos()
    requests = []
    for record in tf.data.TFRecordDataset(str(path)):
        request = log.PredictionLog.FromString(record.numpy()).predict_log.request
        values = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        requests.append((request.model_spec.signature_name, values))
    return requests


def _protos():
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError as error:
        raise MissingPackage(
            "Warm-up requests are written with tensorflow-serving-api, which is not installed. Run: pip install "
            "'keras-dhnn[serving]', or leave them out with --no-warmup"
        ) from error
    return predict_pb2, prediction_log_pb2


def _value(key, info, files):
    """Return a small made-up value of an input: noise, the files given, k = 10, or any class."""
    dtype = tf.as_dtype(info.dtype)
    if key == "k":
        return np.array([10], np.int32)
    if key == "class_name":
        return np.array([""], object)
    if dtype == tf.string:
        return np.array(files, object)
    shape = [1] + [_SIDE if dim.size < 0 else dim.size for dim in info.tensor_shape.dim[1:]]
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype.as_numpy_dtype)


def example_files(spec: ImageForm) -> list[bytes]:
    """Return a PNG file of noise, as a data set's images are but smaller, and a JPEG file where these are 8 bits."""
    dtype = tf.as_dtype(spec.dtype)
    noise = np.random.default_rng(0).integers(0, dtype.max, (_SIDE, _SIDE, spec.channels)).astype(spec.dtype)
    files = [tf.io.encode_png(noise).numpy()]
    return files + [tf.io.encode_jpeg(noise).numpy()] if spec.dtype == "uint8" else files
