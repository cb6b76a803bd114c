"""`keras-dhnn serve`: how it starts, and why it does not."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys

import pytest

from keras_dhnn.errors import SettingError
from keras_dhnn.saved_models.serving.connections import listen


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_says_where_it_serves_and_answers_there_on_loopback_alone(exported, number, status):
    command = [sys.executable, "-m", "keras_dhnn", "serve", str(exported.parent), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stderr.readline()
            said = re.fullmatch(r"Serving version 1 at http://127\.0\.0\.1:(\d+)/v1/models/coloured\n", line)
            assert said, line
            connection = http.client.HTTPConnection("127.0.0.1", int(said[1]), timeout=30)
            connection.request("GET", "/v1/models/coloured")
            assert json.load(connection.getresponse())["model_version_status"][0]["state"] == "AVAILABLE"
            with pytest.raises(ConnectionRefusedError):  # as would be answered at 0.0.0.0
                socket.create_connection(("127.0.0.2", int(said[1])))
        finally:
            process.send_signal(number)
        assert process.wait(timeout=30) == status
        assert process.stderr.read() == ""


def test_a_busy_port_is_one_message(exported, command):
    with listen("127.0.0.1", 0) as busy:
        port = busy.getsockname()[1]
        status, out, err = command("serve", exported.parent, "--port", port)
    message = f"keras-dhnn: Cannot listen at 127.0.0.1, port {port}: Address already in use.\n"
    assert (status, out, err) == (2, "", message)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(ValueError, match="Cannot listen at 192.0.2.1, port 0: Cannot assign requested address"):
        listen("192.0.2.1", 0)


def test_an_error_that_the_system_does_not_name_is_one_message_too(monkeypatch):
    def create_server(*_, **__):
        raise OSError("no room")

    monkeypatch.setattr(socket, "create_server", create_server)
    with pytest.raises(SettingError, match="Cannot listen at 127.0.0.1, port 0: no room."):
        listen("127.0.0.1", 0)


def test_a_folder_without_versions_is_refused(command, tmp_path):
    status, _, err = command("serve", tmp_path)
    assert (status, "holds no version of a model" in err) == (2, True)


def test_a_version_that_cannot_be_loaded_is_named(command, tmp_path):
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "saved_model.pb").write_bytes(b"nonsense")
    status, _, err = command("serve", tmp_path)
    assert status == 2
    assert f"keras-dhnn: Version 3 in {tmp_path} cannot be loaded: " in err
    assert "{" not in err


def test_small_answers_are_not_kept_for_the_clients_acknowledgement():
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()) as client:
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert client
