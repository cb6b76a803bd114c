"""Bodies that have to share the memory of a server."""

from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from keras_dhnn.saved_models.serving.bodies import BodyTooLargeError, NoRoomError, Room, read_body


class Request:
    """A request whose body comes in some pieces."""

    def __init__(self, *pieces, meanwhile=lambda: None):
        self.pieces, self.meanwhile, self.read = pieces, meanwhile, 0

    async def stream(self):
        for piece in self.pieces:
            self.meanwhile()
            self.read += len(piece)
            yield piece


def read(room, request, most=100):
    async def inside():
        with room.share() as grow:
            content = await read_body(request, most, seconds=10, drained=1000, grow=grow)
            return content, room.taken

    # In a thread of its own: a browser that another test drives leaves its loop running in this one.
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(anyio.run, inside).result()


def test_a_body_takes_room_until_it_is_answered():
    room = Room(50)
    assert read(room, Request(b"ab", b"cde")) == (b"abcde", 5)
    assert room.taken == 0


def test_a_body_for_which_there_is_no_room_is_forgotten_and_read_to_its_end():
    room = Room(50)
    with room.share() as others:
        others(40)
        taken = []
        request = Request(b"x" * 8, b"x" * 8, b"x" * 8, meanwhile=lambda: taken.append(room.taken))
        with pytest.raises(NoRoomError):
            read(room, request)
        assert (taken, request.read, room.taken) == ([40, 48, 40], 24, 40)
    assert read(room, Request(b"x" * 50))[1] == 50


def test_small_bodies_have_room_of_their_own():
    room = Room(50, free=5)
    with room.share() as others:
        others(55)
        assert room.taken == 50
        assert read(room, Request(b"abcde")) == (b"abcde", 50)
        with pytest.raises(NoRoomError):
            read(room, Request(b"abcdef"))


def test_of_a_body_that_is_too_large_nothing_is_kept():
    room = Room(1000)
    taken = []
    with pytest.raises(BodyTooLargeError):
        read(room, Request(*[b"x" * 60] * 4, meanwhile=lambda: taken.append(room.taken)))
    assert taken == [0, 60, 0, 0]
