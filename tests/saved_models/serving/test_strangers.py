"""What others do to the server: pages of other sites, silence, too much of everything, versions that come in pieces."""

import contextlib
import http.client
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

from keras_dhnn.errors import SettingError
from keras_dhnn.saved_models.serving import server as server_module
from keras_dhnn.saved_models.serving.connections import PatientProtocol, room_for_connections
from keras_dhnn.saved_models.serving.hosts import ANY, Hosts
from keras_dhnn.saved_models.serving.rest import MOST_VALUES, ServingError, parse_predict
from keras_dhnn.saved_models.serving.served_model import ServedModel
from tests.saved_models.serving.in_process import serving

STATUS = "/v1/models/coloured"
PREDICT = f"{STATUS}:predict"
BODY = json.dumps({"inputs": {"images": [[[[1, 2, 3]]]], "k": 1}}).encode()


@pytest.fixture(scope="module")
def port(exported):
    with serving(exported.parent) as port:
        yield port


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8501", "localhost", "LocalHost.:80", "[::1]:8501", "::1", None]
)
def test_its_own_names_are_answered(host):
    assert Hosts().allow(host)
    assert Hosts("::1").allow(host)
    assert Hosts("0.0.0.0").allow(host)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8501", "127.0.0.1.evil", "", "10.0.0.1", "null"])
def test_other_names_are_not(host):
    assert not Hosts().allow(host)
    assert not Hosts().allow_origin(f"http://{host}")


def test_names_that_are_allowed():
    assert Hosts("127.0.0.1", ["tiles.example"]).allow("Tiles.Example:443")
    assert not Hosts("127.0.0.1", ["tiles.example"]).allow("example")
    assert Hosts("0.0.0.0").allow("192.0.2.7:8501")
    assert Hosts("0.0.0.0").allow(socket.gethostname())
    assert not Hosts("0.0.0.0").allow("evil.example")
    assert Hosts("192.0.2.7").allow("192.0.2.7")
    assert not Hosts("192.0.2.7").allow("localhost")
    assert Hosts("127.0.0.1", [ANY]).allow("evil.example")
    assert Hosts().allow_origin("http://localhost:3000")
    assert not Hosts().allow_origin("null")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8501@evil.example", "localhost:evil", "[::1", "[::1]evil.example", "localhost:80:80"]
)
def test_what_only_begins_like_its_own_name_is_not(host):
    assert not Hosts().allow(host)
    assert not Hosts("0.0.0.0").allow(host)
    assert not Hosts("").allow(host)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (403, {"Host": "evil.example"}),
        (403, {"Origin": "http://evil.example"}),
        (403, {"Origin": "null"}),
        (415, {"Content_Type": "text/plain"}),
        (415, {"Content_Type": "application/x-www-form-urlencoded"}),
        (200, {"Content_Type": "application/json; charset=utf-8"}),
        (200, {"Host": "localhost", "Origin": "http://127.0.0.1:9"}),
        (200, {}),
    ],
)
def test_pages_of_other_sites_get_no_answer(port, status, headers):
    got, answer = ask(port, "POST", PREDICT, BODY, **headers)
    assert got == status
    assert ("error" in answer) == (status != 200)
    if "Content_Type" not in headers:
        assert ask(port, "GET", STATUS, **headers)[0] == status


def test_heads_that_never_end_are_not_waited_for(port, monkeypatch):
    monkeypatch.setattr(PatientProtocol, "head_seconds", 0.3)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(5)]
        begun = (b"", b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"POST", b"")
        for client, sent in zip(clients, begun, strict=True):
            client.settimeout(10)
            client.sendall(sent)
        answered = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        answered.request("GET", STATUS)
        answered.getresponse().read()
        answered.sock.sendall(b"GET /v1")  # the next head on a connection that was good
        assert answered.sock.recv(1) == b""
        for client in clients:
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
    assert ask(port, "GET", STATUS)[0] == 200


def test_a_request_that_takes_longer_than_a_head_may_is_answered(port, monkeypatch):
    monkeypatch.setattr(PatientProtocol, "head_seconds", 0.2)
    original = server_module._predict
    monkeypatch.setattr(server_module, "_predict", lambda request: time.sleep(0.8) or original(request))
    assert ask(port, "POST", PREDICT, BODY)[0] == 200


def test_a_body_that_never_ends_is_not_waited_for(port, monkeypatch):
    monkeypatch.setattr(server_module, "BODY_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(10)
        client.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 408")


def test_an_answer_that_nobody_takes_is_not_kept(port, monkeypatch):
    monkeypatch.setattr(PatientProtocol, "answer_seconds", 1.0)
    monkeypatch.setattr(server_module, "_predict", lambda request: b" " * (64 << 20))
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODY)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as idle, socket.create_connection(("127.0.0.1", port)) as slow:
        for client in (idle, slow):
            client.settimeout(20)
            client.sendall(head.encode() + BODY)
        answer = slow.makefile("rb")
        for _ in range(8):  # more than twice the time in all, a part at a time
            time.sleep(0.3)
            assert len(answer.read(8 << 20)) == 8 << 20
        taken = 0
        with contextlib.suppress(ConnectionResetError):
            while content := idle.recv(1 << 20):
                taken += len(content)
        assert taken < 32 << 20  # what was under way


def _begin(port, stack, requests=1):
    """A client that has asked, and takes nothing."""
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
    client.settimeout(20)
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODY)}\r\n\r\n"
    client.sendall(requests * (head.encode() + BODY))
    return client


def _taken(client, most):
    """Bytes that a client gets until it has so many, or the connection ends."""
    taken = 0
    with contextlib.suppress(ConnectionResetError):
        while taken < most and (content := client.recv(1 << 20)):
            taken += len(content)
    return taken


def test_answers_that_wait_are_bounded_in_all(port, monkeypatch):
    size = 32 << 20
    monkeypatch.setattr(PatientProtocol, "most_waiting", 3 * size)
    made = []
    monkeypatch.setattr(server_module, "_predict", lambda request: made.append(1) or b" " * size)
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(1, 9):
            clients.append(_begin(port, stack))
            while len(made) < number:
                time.sleep(0.01)
        time.sleep(0.3)
        whole = [_taken(client, size) >= size for client in clients]
    # Of each answer a part is in the system's own buffers and does not count.
    assert 3 <= sum(whole) <= 4
    assert whole[-1]


def test_a_next_answer_is_made_once_the_one_before_it_was_taken(port, monkeypatch):
    size, made = 32 << 20, []
    monkeypatch.setattr(server_module, "_predict", lambda request: made.append(1) or b" " * size)
    with contextlib.ExitStack() as stack:
        client = _begin(port, stack, requests=3)
        time.sleep(0.5)
        assert len(made) == 1
        answer = client.makefile("rb")
        assert len(answer.read(3 * size)) == 3 * size
    assert len(made) == 3


def test_a_text_among_numbers_takes_no_memory_for_each(monkeypatch):
    """NumPy would give each number as much room as the text has: 12 GB for a body of 1 MB."""
    monkeypatch.setattr("keras_dhnn.saved_models.serving.rest.np.array", None)
    numbers = TensorInfo(dtype=tf.float32.as_datatype_enum)
    for values in (["x" * 1_000_000] + 3000 * [1], [[1], ["1" * 1_000_000]]):
        with pytest.raises(ServingError, match="not of expected type: float32") as caught:
            parse_predict(json.dumps({"inputs": values}).encode(), lambda signature: {"images": numbers})
        assert caught.value.status == 400


@pytest.mark.parametrize("host", ["[", "[::1", "%"])
def test_a_host_that_is_no_address_is_refused_quietly(port, host, caplog):
    assert ask(port, "GET", STATUS, Host=host)[0] == 403
    assert caplog.text == ""


def test_small_requests_do_not_wait_for_large_ones(port, monkeypatch):
    """Large ones are held back, more of them than there are workers."""
    held = threading.Event()
    original = server_module._predict

    def predict(request):
        if request.large:
            assert held.wait(30)
        return original(request)

    monkeypatch.setattr(server_module, "_predict", predict)
    monkeypatch.setattr(server_module, "_LARGE_PIXELS", 100)
    monkeypatch.setattr(server_module, "_LARGE_BATCH", 2)
    large = json.dumps({"inputs": {"images": np.zeros((3, 16, 16, 3)).tolist(), "k": 1}}).encode()
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(ask(port, "POST", PREDICT, large)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    for _ in range(3):
        assert ask(port, "POST", PREDICT, BODY)[0] == 200
    assert statuses == []
    held.set()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 4


@pytest.mark.parametrize("sign", [b"[", b"[],", b'{"a":', b"1,"])
def test_a_body_of_nothing_but_structure_is_refused_before_it_is_read(sign, monkeypatch):
    monkeypatch.setattr(json, "loads", None)
    with pytest.raises(ServingError, match="values and lists") as caught:
        parse_predict(sign * (MOST_VALUES + 1), None)
    assert caught.value.status == 413


def test_hang_ups_leave_nothing_on_stderr(exported):
    command = [sys.executable, "-m", "keras_dhnn", "serve", str(exported.parent), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=_few_descriptors) as process:
        try:
            port = int(process.stderr.readline().split(":")[2].split("/")[0])
            for sent in (
                "POST",
                f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{{",
                "\0\r\n\r\n",
            ):
                with socket.create_connection(("127.0.0.1", port)) as client:
                    client.sendall(sent.encode())
            with contextlib.ExitStack() as stack:  # more than it has descriptors for
                for _ in range(150):
                    with contextlib.suppress(OSError):
                        stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=0.05))
            time.sleep(1.5)
            assert ask(port, "POST", PREDICT, BODY)[0] == 200
        finally:
            process.terminate()
        assert process.stderr.read() == ""


def _few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))


def test_there_is_room_for_some_connections():
    assert 4 <= room_for_connections() <= 256


@pytest.mark.parametrize("listed", ["at once", "at last"])
def test_a_version_that_is_copied_in_slowly_is_served_when_it_is_whole(exported, tmp_path, listed):
    base, whole = tmp_path / "coloured", exported
    shutil.copytree(exported, base / "1")
    model = ServedModel(base)
    files = [path for path in sorted(whole.rglob("*")) if path.is_file()]
    last = {"at once": ["saved_model.pb", "files.json"], "at last": ["saved_model.pb"]}[listed]
    files.sort(key=lambda path: last.index(path.name) if path.name in last else len(last) + (path.name == "files.json"))
    for source in files:
        target = base / "2" / source.relative_to(whole)
        target.parent.mkdir(parents=True, exist_ok=True)
        content = source.read_bytes()
        for part in (content[: len(content) // 2], content):
            if listed == "at once" or source == files[0]:
                assert model.version().number == 1
            target.write_bytes(part)
            for _ in range(2 if source != files[-1] or part is content else 0):
                model.refresh()
    assert model.version().number == 2
    assert model.states == {1: ("END", ""), 2: ("AVAILABLE", "")}


def test_a_version_that_failed_is_tried_again_after_a_while(exported, tmp_path, monkeypatch, caplog):
    from keras_dhnn.saved_models.serving import served_model

    base = tmp_path / "coloured"
    shutil.copytree(exported, base / "1")
    model = ServedModel(base)
    shutil.copytree(exported, base / "2")
    now, original = SimpleNamespace(seconds=100.0), served_model._load
    # Of this module alone: the server of other tests goes by the time, too.
    monkeypatch.setattr(served_model, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    tries = []

    def no_descriptors(folder, number):
        tries.append(number)
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(served_model, "_load", no_descriptors)
    for _ in range(10):
        model.refresh()
    assert (tries, model.states[2][0], model.version().number) == ([2], "END", 1)
    now.seconds += served_model.RETRY_SECONDS
    for _ in range(10):
        model.refresh()
    assert tries == [2, 2]
    monkeypatch.setattr(served_model, "_load", original)
    now.seconds += 2 * served_model.RETRY_SECONDS
    model.refresh()
    assert model.version().number == 2
    assert caplog.text.count("cannot be loaded") == 1


def test_a_look_that_fails_is_not_the_last(exported, tmp_path, monkeypatch, caplog):
    from keras_dhnn.saved_models.serving import served_model

    base = tmp_path / "coloured"
    shutil.copytree(exported, base / "1")
    model, looks, original = ServedModel(base), [], served_model.list_versions

    def fails(place):
        if place != base:  # the server of other tests looks, too
            return original(place)
        looks.append(place)
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(served_model, "list_versions", fails)
    model.follow(seconds=0.01)
    try:
        for _ in range(500):
            if len(looks) > 5:
                break
            time.sleep(0.01)
    finally:
        model.close()
    assert len(looks) > 5
    assert caplog.text.count("Too many open files") == 1


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the test counts descriptors by /proc")
def test_too_many_connections_are_closed(exported, monkeypatch):
    monkeypatch.setattr("keras_dhnn.saved_models.serving.connections.room_for_connections", lambda: 4)
    with serving(exported.parent) as port, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(10)]
        time.sleep(0.3)
        closed = 0
        for client in clients:
            client.settimeout(0.05)
            try:
                closed += client.recv(1) == b""
            except ConnectionResetError:
                closed += 1
            except TimeoutError:
                pass
        assert closed == 6


def test_a_link_to_itself_is_no_model(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SettingError, match="holds no version of a model"):
        ServedModel(tmp_path / "loop")
