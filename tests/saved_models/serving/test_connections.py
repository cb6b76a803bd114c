import signal
import socket
import threading
import time

import pytest
import uvicorn

from keras_dhnn.saved_models.serving.connections import listen, make_server


class Told(Exception):
    """Raised by the handler that the process had before it served."""


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def number(request):
    """A signal of which the process has a handler."""

    def tell(number, frame):
        raise Told(number)

    before = signal.signal(request.param, tell)
    yield request.param
    signal.signal(request.param, before)


def test_a_signal_that_uvicorn_keeps_to_itself_is_passed_on(monkeypatch, number):
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets=None: server.handle_exit(number, None))
    server = make_server(None)
    with pytest.raises(Told, match=str(int(number))):
        server.run()
    assert server.should_exit


def test_a_signal_that_nobody_takes_ends_it_all_the_same(monkeypatch, number):
    """As the first process of a container, which the system does not end by a signal without a handler."""
    signal.signal(number, lambda *_: None)
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets=None: server.handle_exit(number, None))
    with pytest.raises(KeyboardInterrupt):
        make_server(None).run()


def test_a_server_that_is_told_to_end_just_ends(monkeypatch):
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets=None: None)
    server = make_server(None)
    server.should_exit = True
    server.run()


async def large_answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % (64 << 20))]})
    await send({"type": "http.response.body", "body": bytes(64 << 20)})


def test_a_client_that_leaves_its_answer_hears_that_the_server_has_ended():
    with listen("127.0.0.1", 0) as listening:
        server = make_server(large_answer)
        server.config.timeout_graceful_shutdown = 1
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        with socket.create_connection(listening.getsockname(), timeout=10) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(8) == b"HTTP/1.1"
            while not server.server_state.total_requests:
                time.sleep(0.01)
            server.should_exit = True
            thread.join()
            taken = 0
            while piece := client.recv(1 << 20):
                taken += len(piece)
            assert taken < 64 << 20
