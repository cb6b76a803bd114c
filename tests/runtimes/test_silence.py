"""What is written to the standard streams, below Python's own, is dropped, and only meanwhile."""

import os
import threading

import pytest

from keras_dhnn.runtimes.silence import silence


def test_nothing_is_written_meanwhile_and_all_of_it_afterwards(capfd):
    os.write(1, b"before, ")
    with silence():
        os.write(1, b"dropped")
        os.write(2, b"dropped")
    os.write(1, b"after")
    os.write(2, b"after")
    assert capfd.readouterr() == ("before, after", "after")


def test_an_exception_passes_and_the_streams_come_back(capfd):
    def fail():
        with silence():
            raise ValueError("kept")

    with pytest.raises(ValueError, match="kept"):
        fail()
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_streams_come_back_when_threads_are_silent_at_once(capfd):
    both = threading.Barrier(2)

    def work():
        both.wait()
        for _ in range(200):
            with silence():
                os.write(2, b"dropped")

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"
