import signal

import pytest
import uvicorn

from keras_dhnn.saved_models.serving.connections import make_server


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_that_uvicorn_keeps_to_itself_is_passed_on(monkeypatch, number):
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets=None: server.handle_exit(number, None))
    server = make_server(None)
    with pytest.raises(KeyboardInterrupt):
        server.run()
    assert server.should_exit


def test_a_server_that_is_told_to_end_just_ends(monkeypatch):
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets=None: None)
    server = make_server(None)
    server.should_exit = True
    server.run()
