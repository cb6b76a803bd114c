"""Read the body of a request, within bounds of size and time, and of what all bodies take together."""

import contextlib
from collections.abc import Callable, Iterator

import anyio
from starlette.requests import Request


class BodyTooLargeError(Exception):
    """Report a body of more bytes than are taken."""


class BodyTooSlowError(Exception):
    """Report a body that has not come in time."""


class NoRoomError(Exception):
    """Report a body for which there is no room beside those of other requests."""


class Room:
    """Count what the bodies of all requests under way take.

    Args:
        most: bytes that they may take together.
        free: bytes of each that are not counted, so that large ones do not keep small ones out.
    """

    def __init__(self, most: int, free: int = 0) -> None:
        self.most, self.free, self.taken = most, free, 0

    @contextlib.contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Give a function that is told the size of one body as it grows, and raises `NoRoomError`; what it has taken
        is given back when the block ends.
        """
        mine = 0

        def grow(size: int) -> None:
            nonlocal mine
            more = max(0, size - self.free) - mine
            if more > 0 and self.taken + more > self.most:
                raise NoRoomError
            self.taken += more
            mine += more

        try:
            yield grow
        finally:
            self.taken -= mine


async def read_body(
    request: Request, most: int, *, seconds: float, drained: int, grow: Callable[[int], None] = lambda size: None
) -> bytes:
    """Return the body of a request.

    Args:
        request: whose body it is.
        most: bytes that it may have.
        seconds: in which it must have come.
        drained: of a body that is too large, so many bytes are read and forgotten, so that its sender reads the answer.
        grow: called with the bytes that are kept of it, of `Room.share`.

    Raises:
        BodyTooLargeError: if it has more than `most` bytes.
        BodyTooSlowError: if it does not come within `seconds`.
        NoRoomError: if `grow` raises it; the rest is read and forgotten as of one that is too large.
    """
    body, size, room = bytearray(), 0, True
    with anyio.move_on_after(seconds) as scope:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= most and room:
                try:
                    grow(size)
                    body += chunk
                    continue
                except NoRoomError:
                    room = False
            body.clear()
            grow(0)
            if size > drained:
                break
    if scope.cancelled_caught:
        raise BodyTooSlowError
    if size > most:
        raise BodyTooLargeError
    if not room:
        raise NoRoomError
    return bytes(body)
