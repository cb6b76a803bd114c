"""Answer TensorFlow Serving's REST API from an exported model: a development server."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

from keras_dhnn.saved_models.serving.bodies import BodyTooLargeError, BodyTooSlowError, NoRoomError, Room, read_body
from keras_dhnn.saved_models.serving.connections import make_server
from keras_dhnn.saved_models.serving.descriptions import format_metadata, format_states
from keras_dhnn.saved_models.serving.hosts import Hosts
from keras_dhnn.saved_models.serving.image_files import check_files
from keras_dhnn.saved_models.serving.rest import ServingError, format_answer, format_error, parse_predict
from keras_dhnn.saved_models.serving.served_model import ServedModel, predict

MAX_BODY = 32 << 20
MAX_BATCH = 256
# What one answer may list, over all its queries.
MAX_RESULTS = 1_000_000
# Requests that compute at a time, of either kind: large ones wait for one another, and do not keep small ones waiting.
# TensorFlow has threads of its own.
_AT_WORK = {"small": 2, "large": 1}
# What makes a request a large one: bytes of its body, pixels of its image files, items, results.
_LARGE_BODY, _LARGE_PIXELS, _LARGE_BATCH, _LARGE_RESULTS = 1 << 20, 1 << 21, 16, 1 << 16
# Bytes of large bodies, on all connections together, until they are answered; beside them as many small ones as there
# are connections.
MOST_BODIES = 256 << 20
# Seconds in which a body must have come.
BODY_SECONDS = 60.0
# Of a body that is too large, so much is read (and forgotten), so that its sender reads the answer.
_DRAINED = 1 << 30
# Of a version's number, an int64.
_DIGITS = 19
_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_STATUS = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?P<metadata>/metadata)?", re.IGNORECASE)


def make_app(
    model: ServedModel, hosts: Hosts | None = None, max_body: int = MAX_BODY, max_batch: int = MAX_BATCH
) -> Starlette:
    """Return the ASGI application that serves one model.

    Args:
        model: the `ServedModel`.
        hosts: `Hosts` by which it may be asked, others are 403; by default this machine's own.
        max_body: bytes that a request may have; more are 413.
        max_batch: items that a request may have; more are 400.

    Returns:
        A Starlette application.
    """
    at_work = {kind: anyio.Semaphore(count) for kind, count in _AT_WORK.items()}
    hosts = hosts or Hosts()
    room = Room(max(MOST_BODIES, max_body), _LARGE_BODY)

    async def predicted(matched: re.Match, body: bytes) -> bytes:
        number = _checked_version(model, matched)
        kind = "large" if len(body) > _LARGE_BODY else "small"
        async with at_work[kind]:
            request = await run_in_threadpool(_parse, model, number, matched["method"], body, max_batch)
        async with at_work["large" if request.large else kind]:
            return await run_in_threadpool(_predict, request)

    async def answer(request: Request) -> Response:
        path = request.scope["path"]  # in an address Host comes first, which may be nonsense
        try:
            _check_origin(request, hosts)
            if request.method in ("GET", "HEAD") and (matched := _STATUS.fullmatch(path)):
                content = _describe(model, matched)
            elif request.method == "POST" and (matched := _PREDICT.fullmatch(path)):
                with room.share() as grow:
                    content = await predicted(matched, await _read(request, max_body, grow))
            elif path.lower().startswith("/v1/"):
                raise ServingError(400, f"Malformed request: {request.method} {path}")
            else:
                raise ServingError(404, f"Not found: {path}")
        except ServingError as error:
            return Response(format_error(str(error)), error.status, media_type="application/json")
        except ClientDisconnect:
            return Response(status_code=499)  # nobody is there to read it
        return Response(content, media_type="application/json")

    async def broken(request: Request, error: Exception) -> Response:
        message = f"Internal error: {type(error).__name__}: {error}"
        return Response(format_error(message), 500, media_type="application/json")

    methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
    return Starlette(routes=[Route("/{path:path}", answer, methods=methods)], exception_handlers={Exception: broken})


def server(model: ServedModel, **limits: Any) -> uvicorn.Server:
    """Return the uvicorn server of a model, to `run(sockets=[...])`; limits as of `make_app`."""
    return make_server(make_app(model, **limits))


def _check_origin(request, hosts):
    """Refuse what a page of another site makes a browser send."""
    host, origin = request.headers.get("host"), request.headers.get("origin")
    if not hosts.allow(host):
        raise ServingError(403, f"This server does not answer to the name {host!r}. Allow it by --allow-host.")
    if not hosts.allow_origin(origin):
        raise ServingError(403, f"This server does not answer to pages of {origin!r}. Allow them by --allow-host.")
    content = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if request.method == "POST" and content != "application/json":
        raise ServingError(415, f"Expected the content type application/json. Received: {content!r}")


async def _read(request, max_body, grow):
    """Return the body, or raise a `ServingError` once it is read to its end and forgotten."""
    try:
        return await read_body(request, max_body, grow=grow, seconds=BODY_SECONDS, drained=_DRAINED)
    except BodyTooSlowError as error:
        message = f"The body of the request did not come within {BODY_SECONDS:.0f} seconds."
        raise ServingError(408, message) from error
    except BodyTooLargeError as error:
        message = f"The request has more than {max_body:,} bytes, the most that this server takes."
        raise ServingError(413, message) from error
    except NoRoomError as error:
        raise ServingError(503, "Other requests take all room for large ones. Ask again in a while.") from error


def _checked_version(model, matched):
    if matched["name"] != model.name:
        raise ServingError(404, f"Servable not found for request: Latest({matched['name']})")
    if matched["label"]:
        raise ServingError(400, f"Unrecognized servable version label: {matched['label']}")
    if not matched["version"]:
        return None
    # Python refuses to read thousands of digits.
    if len(matched["version"]) > _DIGITS:
        raise ServingError(400, f"A version has {_DIGITS} digits at most. Received: {len(matched['version'])} digits")
    return int(matched["version"])


@dataclass(frozen=True)
class _Request:
    """Describe a request that was read, and whether it is a large one."""

    version: object
    signature: str
    inputs: dict
    row: bool
    large: bool


def _parse(model, number, method, body, max_batch):
    if method.lower() != "predict":
        raise ServingError(400, f"The signatures of {model.name} are for predict. Received: {method}")
    version = model.version(number)

    def inputs_of(signature: str) -> Mapping[str, TensorInfo]:
        if signature not in version.signatures:
            raise ServingError(400, f'Serving signature name: "{signature}" not found in signature def')
        return version.signatures[signature].inputs

    signature, row, inputs = parse_predict(body, inputs_of)
    batch = max((len(value) for name, value in inputs.items() if name != "k" and value.ndim), default=1)
    if batch > max_batch:
        raise ServingError(400, f"A request may have {max_batch} items at most. Received: {batch}")
    results = batch * int(inputs["k"].max()) if "k" in inputs and inputs["k"].size else 0
    if results > MAX_RESULTS:
        raise ServingError(400, f"A request may ask for {MAX_RESULTS:,} results at most, over all its items.")
    _check_class_names(inputs.get("class_name", ()))
    files = [content for name in inputs if name == "image_bytes" for content in inputs[name].ravel()]
    pixels = check_files(files)
    large = pixels > _LARGE_PIXELS or batch > _LARGE_BATCH or results > _LARGE_RESULTS
    return _Request(version, signature, inputs, row, large)


def _check_class_names(names):
    for name in np.ravel(names):
        try:
            name.decode()
        except UnicodeDecodeError as error:
            raise ServingError(400, f"Expected the name of a class, in UTF-8. Received: {name[:40]!r}") from error


def _predict(request):
    return format_answer(predict(request.version, request.signature, request.inputs), request.row)


def _describe(model, matched):
    if not matched["name"]:
        raise ServingError(400, "Missing model name in request.")
    if matched["metadata"]:
        version = model.version(_checked_version(model, matched))
        return format_metadata(model.name, version.number, version.signatures)
    if matched["name"] != model.name:
        raise ServingError(404, f"Could not find any versions of model {matched['name']}")
    number = _checked_version(model, matched)
    states = dict(model.states)
    if number is not None and number not in states:
        raise ServingError(404, f"Could not find version {number} of model {model.name}")
    return format_states(states if number is None else {number: states[number]})
