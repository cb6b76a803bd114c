import os
import signal

import pytest

from keras_dhnn.cli.bars import bars


@pytest.fixture(autouse=True)
def _pythons_own_handler():
    """Whoever started the tests may ignore interruptions."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


class InterruptedWhenFinalised:
    def __del__(self):
        interrupt()
        for _ in range(1000):
            pass


def did(steps):
    """What was done of the steps, callables, before KeyboardInterrupt."""
    done = []
    with pytest.raises(KeyboardInterrupt):
        _do(steps, done)
    return done


def _do(steps, done):
    with bars(True)("Trials", 3, "trial") as update:
        for step in steps:
            step(update)
            done.append(step)


def finaliser(_):
    last = InterruptedWhenFinalised()
    del last


def press(_):
    interrupt()


def inner_bar(_):
    with bars(True)("Training", 1, "step"):
        interrupt()


def update(update):
    update(1)


def other_work(_):
    pass


@pytest.mark.parametrize("interrupting", [press, inner_bar, finaliser])
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_is_raised_by_the_next_progress(interrupting):
    assert did([update, interrupting, other_work, update]) == [update, interrupting, other_work]


def test_at_the_latest_the_end_of_the_work_raises():
    assert did([press, other_work]) == [press, other_work]


def test_a_second_comes_at_once():
    assert did([press, press]) == [press]


def test_the_user_is_told(capfd):
    did([press])
    assert "Ctrl-C again stops at once" in capfd.readouterr().err


def test_afterwards_none_waits_and_the_next_comes_at_once():
    did([press])
    with bars(True)("Working", 1, "step") as update:
        update(1)
    with pytest.raises(KeyboardInterrupt):
        interrupt()


def test_who_ignores_interruptions_goes_on_doing_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with bars(True)("Working", 1, "step") as update:
        interrupt()
        update(1)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
