import os
import subprocess
import sys

import pytest

from keras_dhnn.machine import cores, memory, raise_open_files


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinities")
def test_cores_are_those_that_the_process_may_use():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert cores() == len(before)


def test_a_system_without_affinities_has_all_its_cores(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert cores() == 5


def test_a_machine_that_cannot_count_its_cores_has_one(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


@pytest.mark.skipif(not os.path.exists("/proc/meminfo"), reason="read from Linux's own table")
def test_memory_is_what_the_system_says():
    with open("/proc/meminfo", encoding="utf-8") as lines:
        total = next(int(line.split()[1]) for line in lines if line.startswith("MemTotal:"))
    assert memory() == 1024 * total


def test_a_system_that_does_not_say_has_none_that_we_know_of(monkeypatch):
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert memory() == 0


LIMITS = """
import resource
from keras_dhnn.machine import raise_open_files
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))
print(raise_open_files(100), raise_open_files(250), raise_open_files(4096), resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such limits")
def test_open_files_are_raised_as_far_as_it_goes():
    said = subprocess.run([sys.executable, "-c", LIMITS], capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[0] == "200 250 300 (300, 300)"


def test_a_system_without_such_limits_says_none(monkeypatch):
    monkeypatch.setattr("keras_dhnn.machine.resource", None)
    assert raise_open_files(10) is None
