"""Read the bodies of requests, within bounds of size and time."""

import json
from typing import Any

from starlette.requests import Request

from keras_dhnn.browse.refusal import Refusal
from keras_dhnn.files import is_text
from keras_dhnn.saved_models.serving import bodies

# Of an uploaded image; of JSON, such as ten thousand ids of a selection.
MOST_UPLOAD = 32 << 20
MOST_JSON = 4 << 20
# Seconds in which a body must have come.
SECONDS = 60.0
# Of a body that is too large, so much is read and forgotten, so that its sender reads the answer.
_DRAINED = 256 << 20


async def read_body(request: Request, most: int) -> bytes:
    """Return the body of a request.

    Raises:
        Refusal: 413 if it has more than `most` bytes, 408 if it does not come.
    """
    try:
        return await bodies.read_body(request, most, seconds=SECONDS, drained=_DRAINED)
    except bodies.BodyTooSlowError as error:
        message = f"The request did not come within {SECONDS:.0f} seconds. Try it again."
        raise Refusal(408, "setting", message) from error
    except bodies.BodyTooLargeError as error:
        message = f"This is larger than {most / (1 << 20):,.0f} MiB, the most that is taken."
        raise Refusal(413, "too_large", message) from error


async def read_json(request: Request, kinds: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON object in the body of a request.

    Args:
        request: whose body it is.
        kinds: `{name: type, or tuple of types}` of what may stand in it; what is missing there is None in the result.

    Raises:
        Refusal: if it is none, something of it is of another type or no text that UTF-8 holds, or it is too large.
    """
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content != "application/json":
        raise Refusal(415, "setting", f"Expected the content type application/json. Received: {content!r}")
    try:
        value = json.loads(await read_body(request, MOST_JSON) or b"{}")
        # Half of a pair, as `"\\ud800"` is, no answer can hold, so no file may.
        whole = is_text(json.dumps(value, ensure_ascii=False))
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "setting", f"Expected JSON. Received something else: {error}") from error
    if not whole:
        raise Refusal(400, "setting", "Expected texts that UTF-8 can hold. Received one with half of a surrogate pair.")
    if not isinstance(value, dict):
        raise Refusal(400, "setting", "Expected a JSON object.")
    for name, kind in kinds.items():
        if value.get(name) is not None and (not isinstance(value[name], kind) or isinstance(value[name], bool)):
            raise Refusal(400, "setting", f"Expected {name!r} of another type. Received: {str(value[name])[:80]}")
    return {name: value.get(name) for name in kinds}
