"""Say what TensorFlow Serving's REST API says of a model: the states of its versions, and its signatures."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import google.protobuf
from google.protobuf import json_format

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

# Protocol buffers 5 renamed the argument that has fields written which hold their default.
_WITH_DEFAULTS = (
    "including_default_value_fields"
    if int(google.protobuf.__version__.split(".")[0]) < 5
    else "always_print_fields_with_no_presence"
)


def format_states(states: Mapping[int, tuple[str, str]]) -> bytes:
    """Return the body of an answer to `/v1/models/<name>`, bytes.

    Args:
        states: `{version: (state, message)}`.
    """
    listed = [
        {
            "version": str(number),
            "state": state,
            "status": {"error_code": "UNKNOWN" if message else "OK", "error_message": message},
        }
        for number, (state, message) in sorted(states.items(), reverse=True)
    ]
    return _dump({"model_version_status": listed})


def format_metadata(name: str, number: int, signatures: "Mapping[str, SignatureDef]") -> bytes:
    """Return the body of an answer to `/v1/models/<name>/metadata`, bytes.

    Args:
        name: of the model.
        number: its version.
        signatures: `{name: SignatureDef}`.
    """
    definitions = {
        key: json_format.MessageToDict(definition, preserving_proto_field_name=True, **{_WITH_DEFAULTS: True})
        for key, definition in sorted(signatures.items())
    }
    spec = {"name": name, "signature_name": "", "version": str(number)}
    return _dump({"model_spec": spec, "metadata": {"signature_def": {"signature_def": definitions}}})


def _dump(value):
    return json.dumps(value, indent=1).encode()
