"""Answer TensorFlow Serving's REST API from an exported model: a development server."""

import re
import socket

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from keras_dhnn.errors import SettingError
from keras_dhnn.saved_models.serving.descriptions import format_metadata, format_states
from keras_dhnn.saved_models.serving.rest import ServingError, format_answer, format_error, parse_predict
from keras_dhnn.saved_models.serving.served_model import predict

MAX_BODY = 32 << 20
MAX_BATCH = 256
# What one answer may list, over all its queries.
MAX_RESULTS = 1_000_000
# Requests that compute at a time; TensorFlow has threads of its own.
_AT_WORK = 2
# Of a body that is too large, so much is read (and forgotten), so that its sender reads the answer.
_DRAINED = 1 << 30
# Of a version's number, an int64.
_DIGITS = 19
_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_STATUS = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?P<metadata>/metadata)?", re.IGNORECASE)


def make_app(model, max_body=MAX_BODY, max_batch=MAX_BATCH):
    """Return the ASGI application that serves one model.

    Args:
        model: the `ServedModel`.
        max_body: bytes that a request may have; more are 413.
        max_batch: items that a request may have; more are 400.

    Returns:
        A Starlette application.
    """
    at_work = anyio.Semaphore(_AT_WORK)

    async def answer(request):
        path = request.url.path
        try:
            if request.method == "GET" and (matched := _STATUS.fullmatch(path)):
                content = _describe(model, matched)
            elif request.method == "POST" and (matched := _PREDICT.fullmatch(path)):
                body = await _read(request, max_body)
                number = _checked_version(model, matched)
                async with at_work:
                    content = await run_in_threadpool(_predict, model, number, matched["method"], body, max_batch)
            elif path.lower().startswith("/v1/"):
                raise ServingError(400, f"Malformed request: {request.method} {path}")
            else:
                raise ServingError(404, f"Not found: {path}")
        except ServingError as error:
            return Response(format_error(str(error)), error.status, media_type="application/json")
        return Response(content, media_type="application/json")

    async def broken(request, error):
        message = f"Internal error: {type(error).__name__}: {error}"
        return Response(format_error(message), 500, media_type="application/json")

    methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
    return Starlette(routes=[Route("/{path:path}", answer, methods=methods)], exception_handlers={Exception: broken})


def listen(host, port):
    """Return a socket at which clients may already wait; port 0 is any that is free.

    Raises:
        SettingError: if there is no such address here, or its port is not free.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address, family=family)
    except OSError as error:
        reason = error.strerror.partition(" (while")[0]  # Python adds the address
        raise SettingError(f"Cannot listen at {host}, port {port}: {reason}.") from error


def server(model, **limits):
    """Return the uvicorn server of a model, to `run(sockets=[...])`; limits as of `make_app`."""
    return uvicorn.Server(uvicorn.Config(make_app(model, **limits), log_level="warning", timeout_keep_alive=60))


async def _read(request, max_body):
    """The body, or a ServingError once it is read to its end and forgotten."""
    body, size = bytearray(), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= max_body:
            body += chunk
        elif size > _DRAINED:
            break
    if size > max_body:
        raise ServingError(413, f"The request has more than {max_body:,} bytes, the most that this server takes.")
    return bytes(body)


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


def _predict(model, number, method, body, max_batch):
    if method.lower() != "predict":
        raise ServingError(400, f"The signatures of {model.name} are for predict. Received: {method}")
    version = model.version(number)

    def inputs_of(signature):
        if signature not in version.signatures:
            raise ServingError(400, f'Serving signature name: "{signature}" not found in signature def')
        return version.signatures[signature].inputs

    signature, row, inputs = parse_predict(body, inputs_of)
    batch = max((len(value) for name, value in inputs.items() if name != "k" and value.ndim), default=1)
    if batch > max_batch:
        raise ServingError(400, f"A request may have {max_batch} items at most. Received: {batch}")
    if "k" in inputs and inputs["k"].size and batch * int(inputs["k"].max()) > MAX_RESULTS:
        raise ServingError(400, f"A request may ask for {MAX_RESULTS:,} results at most, over all its items.")
    return format_answer(predict(version, signature, inputs), row)


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
