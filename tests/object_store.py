"""A store of objects on this machine, such as a cloud has."""

import contextlib
import uuid

import pytest


@contextlib.contextmanager
def store_of_objects(monkeypatch):
    """Yields the address of an empty bucket; processes that are started meanwhile find it too."""
    moto = pytest.importorskip(
        "moto.server", reason="A store of objects is tested where it is: pip install 'moto[server]' s3fs"
    )
    s3fs = pytest.importorskip("s3fs", reason="s3:// is read where its package is installed: pip install s3fs")
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*server.get_host_and_port()))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # What is known of another server is not true of this one.
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        name = uuid.uuid4().hex
        s3fs.S3FileSystem().mkdir(name)
        yield f"s3://{name}"
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()
