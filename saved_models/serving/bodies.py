"""Read the body of a request, within bounds of size and time."""

import anyio
from starlette.requests import Request


class BodyTooLargeError(Exception):
    """Report a body of more bytes than are taken."""


class BodyTooSlowError(Exception):
    """Report a body that has not come in time."""


async def read_body(request: Request, most: int, *, seconds: float, drained: int) -> bytes:
    """Return the body of a request.

    Args:
        request: whose body it is.
        most: bytes that it may have.
        seconds: in which it must have come.
        drained: of a body that is too large, so many bytes are read and forgotten, so that its sender reads the answer.

    Raises:
        BodyTooLargeError: if it has more than `most` bytes.
        BodyTooSlowError: if it does not come within `seconds`.
    """
    body, size = bytearray(), 0
    with anyio.move_on_after(seconds) as scope:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= most:
                body += chunk
            elif size > drained:
                break
    if scope.cancelled_caught:
        raise BodyTooSlowError
    if size > most:
        raise BodyTooLargeError
    return bytes(body)
