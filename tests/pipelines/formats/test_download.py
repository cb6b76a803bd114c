import hashlib
import http.server
import os
import threading

import pytest

from keras_dhnn.errors import DataError
from keras_dhnn.pipelines.datasets import ucmd
from keras_dhnn.pipelines.formats.download import download

CONTENT = bytes(range(256)) * 4000
SIZE = len(CONTENT)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; the server's attributes say how, and `requests` records the range that was asked for."""

    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range")
        server.requests.append(asked)
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", server.target)
            self.end_headers()
            return
        if self.path != "/file" or server.failures:
            self.send_error(server.failures.pop(0) if server.failures else 404)
            return
        first = int(asked.split("=")[1].rstrip("-")) if asked and server.ranges else 0
        body = server.content[first:]
        self.send_response(206 if asked and server.ranges else 200)
        if asked and server.ranges:
            self.send_header("Content-Range", f"bytes {first}-{len(server.content) - 1}/{len(server.content)}")
        if server.tells_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.ranges, server.tells_length = CONTENT, True, True
    server.cuts, server.failures, server.requests, server.target = [], [], [], None
    server.handle_error = lambda *args: None  # clients that hang up are part of the tests
    server.url = f"http://127.0.0.1:{server.server_address[1]}/file"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "downloads" / "file.zip"


def fetch(server, path, **options):
    return download(server.url, path, **{"size": SIZE, "checksum": SHA256, "pause": 0} | options)


def names(path):
    return sorted(os.listdir(path.parent))


def test_download_of_a_whole_file(server, path):
    seen = []
    assert fetch(server, path, progress=lambda done, size: seen.append((done, size))) == path
    assert path.read_bytes() == CONTENT
    assert names(path) == ["file.zip"]
    assert server.requests == [None]
    assert seen == sorted(seen)
    assert seen[0] == (0, SIZE)
    assert seen[-1] == (SIZE, SIZE)


def test_md5_will_do(server, path):
    fetch(server, path, checksum="md5:" + hashlib.md5(CONTENT).hexdigest())
    assert path.read_bytes() == CONTENT


def test_a_file_that_is_there_is_not_downloaded_again(server, path):
    fetch(server, path)
    fetch(server, path)
    assert len(server.requests) == 1


def test_a_wrong_file_that_is_there_is_replaced(server, path):
    path.parent.mkdir()
    path.write_bytes(b"old")
    fetch(server, path)
    assert path.read_bytes() == CONTENT


def test_a_cut_connection_is_continued(server, path):
    server.cuts = [300_000, 400_000]
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert server.requests == [None, "bytes=300000-", "bytes=700000-"]


def test_connections_that_keep_breaking_end_with_what_to_do_and_the_next_run_continues(server, path):
    server.cuts = [100_000, 100_000]
    with pytest.raises(DataError, match=r"broke off after 200,000 of 1,024,000 bytes.*Run the same command again"):
        fetch(server, path, attempts=2)
    assert names(path) == ["file.zip.part"]
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert server.requests[-1] == "bytes=200000-"
    assert names(path) == ["file.zip"]


def test_ctrl_c_keeps_what_has_come(server, path):
    def interrupt(done, size):
        if done > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(server, path, progress=interrupt)
    assert 0 < (path.parent / "file.zip.part").stat().st_size < SIZE
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert server.requests[-1].startswith("bytes=")


def test_a_server_without_ranges_starts_over(server, path):
    server.ranges, server.cuts = False, [300_000]
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert server.requests == [None, "bytes=300000-"]


def test_passing_server_errors_are_tried_again(server, path):
    server.failures = [503, 500]
    fetch(server, path)
    assert path.read_bytes() == CONTENT


def test_404_is_told_at_once(server, path):
    server.url = server.url.replace("/file", "/missing")
    with pytest.raises(DataError, match=r"the server answers 404 Not Found.*by other means.*--source"):
        fetch(server, path)
    assert len(server.requests) == 1


def test_wrong_checksum_is_removed_and_told(server, path):
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(DataError, match=rf"not the published file: expected {SHA256}, received sha256:"):
        fetch(server, path)
    assert names(path) == []


def test_a_damaged_beginning_is_removed_so_that_the_next_run_starts_over(server, path):
    path.parent.mkdir()
    (path.parent / "file.zip.part").write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match="not the published file"):
        fetch(server, path)
    fetch(server, path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x"], ids=["shorter", "longer"])
@pytest.mark.parametrize("have", [0, 1000])
def test_another_size_is_told_before_a_byte_is_read(server, path, content, have):
    path.parent.mkdir()
    (path.parent / "file.zip.part").write_bytes(CONTENT[:have])
    server.content = content
    with pytest.raises(DataError, match=r"has changed: expected 1,024,000 bytes, the server has 1,02"):
        fetch(server, path)
    assert (path.parent / "file.zip.part").stat().st_size == have


def test_an_endless_answer_is_read_to_the_expected_size_only(server, path):
    server.tells_length, server.content = False, CONTENT * 3
    fetch(server, path)
    assert path.read_bytes() == CONTENT


def test_a_beginning_that_is_too_long_is_dropped(server, path):
    path.parent.mkdir()
    (path.parent / "file.zip.part").write_bytes(CONTENT + b"more")
    fetch(server, path)
    assert path.read_bytes() == CONTENT


def test_a_host_that_does_not_answer(server, path):
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match=r"broke off after 0 of .*Connection refused"):
        fetch(server, path, attempts=2)


def test_redirection_within_http_is_followed(server, path):
    server.target = server.url
    server.url = server.url.replace("/file", "/redirect")
    fetch(server, path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/file", "data:,x"])
def test_redirection_elsewhere_is_refused(server, path, target):
    server.target = target
    server.url = server.url.replace("/file", "/redirect")
    with pytest.raises(DataError):
        fetch(server, path, attempts=1)
    assert names(path) in ([], ["file.zip.part"])


def test_only_http_and_https(path):
    with pytest.raises(ValueError, match=r"`url`. Expected an http or https address"):
        download("file:///etc/passwd", path, size=1, checksum=SHA256)


def test_an_output_folder_that_cannot_be_written_is_told(server):
    with pytest.raises(DataError, match="Cannot write /proc"):
        download(server.url, "/proc/keras-dhnn/file.zip", size=SIZE, checksum=SHA256)


def test_two_downloads_at_once_are_refused(server, path):
    def second(done, size):
        with pytest.raises(DataError, match="Another process is downloading"):
            fetch(server, path)

    fetch(server, path, progress=second)


def test_ucmd_names_a_published_address_size_and_checksum():
    published = ucmd.DATASET.download
    assert published.url.endswith("UCMerced_LandUse.zip")
    assert published.size == 332_468_434
    assert len(published.checksum) == len("sha256:") + 64


def test_a_link_in_the_place_of_the_part_is_not_written_through(server, path, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(path.name + ".part").symlink_to(tmp_path / "thesis.tex")
    with pytest.raises(DataError, match="Cannot write"):
        fetch(server, path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
