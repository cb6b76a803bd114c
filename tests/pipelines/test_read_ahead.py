import threading
import time

import pytest

from keras_dhnn.pipelines.read_ahead import read_ahead


def test_results_come_in_order_though_work_ends_out_of_order():
    def work(item):
        time.sleep(0.01 * (item % 3 == 0))
        return item * item

    assert list(read_ahead(work, range(40), threads=4)) == [(item, item * item) for item in range(40)]


def test_only_a_few_results_are_held():
    started = []

    def work(item):
        started.append(item)
        return item

    results = read_ahead(work, iter(range(10_000)), threads=2)
    for _ in range(5):
        next(results)
    time.sleep(0.05)
    assert len(started) <= 5 + 8
    results.close()


def test_an_error_reaches_the_reader_and_ends_the_threads():
    before = threading.active_count()

    def work(item):
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        list(read_ahead(work, range(100), threads=2))
    assert threading.active_count() == before


def test_nothing_to_do():
    assert list(read_ahead(str, [])) == []
