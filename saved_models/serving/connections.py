"""Bound the connections of a server of ours: as many as there is room for, none that never says what it wants."""

import contextlib
import os
import signal
import socket
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from keras_dhnn.errors import SettingError
from keras_dhnn.machine import raise_open_files

HEAD_SECONDS = 15.0
# In which something of an answer must be taken.
ANSWER_SECONDS = 30.0
# Bytes of answers that wait to be taken, on all connections together.
MOST_WAITING = 256 << 20
_MOST = 256
# Descriptors that loading a version takes, and then some.
_KEPT_FREE = 64


class PatientProtocol(H11Protocol):
    """Speak HTTP/1.1 whose request heads must be whole and whose answers be taken in time, and which closes
    connections that are too many, or leave too much of their answers.

    Without the first, whoever opens connections and says nothing keeps them all; without the second and the last,
    whoever asks and does not read fills the memory with answers; without the third, descriptors run out, and with them
    what reads new versions.
    """

    most = _MOST
    most_waiting = MOST_WAITING
    head_seconds = HEAD_SECONDS
    answer_seconds = ANSWER_SECONDS
    _deadline = None
    _reader = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.most:
            transport.abort()
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and self._idle():
            self._await_head()
        super().data_received(data)
        if not self._idle():
            self._stop_waiting()

    def handle_events(self) -> None:
        """Begin a next request only once the answer before it was taken: one answer a connection is in memory."""
        if self.flow.write_paused:
            self.flow.pause_reading()
        else:
            super().handle_events()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.flow.resume_reading()
        self.handle_events()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        if self._reader is not None:
            self._reader.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # A next request that has come already is being answered; of one that has begun, the rest must come in time.
        if self._idle() and self.conn.trailing_data[0]:
            self._await_head()
        if self._reader is None:
            self._await_reader()
        self._make_room()

    def _make_room(self):
        """End connections, first those that leave most, until few enough bytes wait; not this, which has just begun."""
        left = {one: one.transport.get_write_buffer_size() for one in self.connections if one is not self}
        waiting = self.transport.get_write_buffer_size() + sum(left.values())
        for one in sorted(left, key=left.__getitem__, reverse=True):
            if waiting <= self.most_waiting:
                break
            waiting -= left[one]
            one.transport.abort()

    def _await_reader(self, before=None):
        """End the connection once nothing more of an answer was taken than when it was looked at before."""
        left, self._reader = self.transport.get_write_buffer_size(), None
        if before is not None and left >= before:
            self.transport.abort()
        elif left:
            self._reader = self.loop.call_later(self.answer_seconds, self._await_reader, left)

    def _idle(self):
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self):
        self._stop_waiting()
        self._deadline = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _stop_waiting(self):
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def listen(host: str, port: int) -> socket.socket:
    """Return a socket at which clients may already wait; port 0 is any that is free.

    Raises:
        SettingError: if there is no such address here, or its port is not free.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.create_server(address, family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (while")[0]  # Python adds the address
        raise SettingError(f"Cannot listen at {host}, port {port}: {reason}.") from error
    # Connections inherit it. asyncio sets it only where a socket names its protocol, and without it an answer whose
    # body follows its head waits for the client's delayed acknowledgement: 40 ms each.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


class InterruptibleServer(uvicorn.Server):
    """Serve until a signal ends it, which always leaves `run` as `KeyboardInterrupt`: uvicorn alone loses some.

    The handler that the process had before is asked first, which may end it otherwise, as the system's own of SIGTERM.
    """

    _ended_by: int | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._ended_by = self._ended_by or sig
        super().handle_exit(sig, frame)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        super().run(sockets)
        if self._ended_by is not None:
            signal.raise_signal(self._ended_by)
            raise KeyboardInterrupt

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        # Those that have not taken their answers in time. Where the process goes on they would wait for ever.
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def make_server(app: Any) -> uvicorn.Server:
    """Return the uvicorn server of an ASGI application, to `run(sockets=[...])`."""
    room = room_for_connections()
    protocol = type("Protocol", (PatientProtocol,), {"most": room})
    return InterruptibleServer(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_level="error",
            backlog=min(room, 64),
            timeout_keep_alive=60,
            timeout_graceful_shutdown=30,
        )
    )


def room_for_connections() -> int:
    """Raise the limit of open files as far as it goes, and return how many connections there is room for."""
    files = raise_open_files(4096)
    if files is None:
        return _MOST
    # Half of it: asyncio accepts as many again before it is told that there are too many.
    return max(4, min(_MOST, (files - _open_files() - _KEPT_FREE) // 2))


def _open_files():
    with contextlib.suppress(OSError):
        return len(os.listdir("/proc/self/fd"))
    return _KEPT_FREE
