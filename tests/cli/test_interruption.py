import os
import signal

import pytest
import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.interruption import Terminated, ends_well, termination_interrupts


@pytest.fixture(autouse=True)
def _usual_handlers():
    """Whoever started the tests may ignore interruptions."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def terminable(_usual_handlers):
    """SIGTERM interrupts, as in the command line; without, it would end the tests."""
    with termination_interrupts():
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        yield


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


def terminate(_):
    os.kill(os.getpid(), signal.SIGTERM)


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


def test_sigterm_waits_as_ctrl_c_does(terminable, capfd):
    done = []
    with pytest.raises(Terminated):
        _do([terminate, other_work, update, other_work], done)
    assert done == [terminate, other_work]
    assert "Stopping after this step. A second SIGTERM stops at once." in capfd.readouterr().err


def test_sigterm_comes_at_once_where_nothing_shows_progress(terminable):
    with pytest.raises(Terminated):
        os.kill(os.getpid(), signal.SIGTERM)


def test_what_ctrl_c_and_sigterm_raise_after_one_another(terminable):
    with pytest.raises(Terminated), bars(True)("Trials", 3, "trial"):
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as raised, bars(True)("Trials", 3, "trial"):
        interrupt()
    assert type(raised.value) is KeyboardInterrupt


@pytest.mark.parametrize(
    ("number", "status", "said"), [(signal.SIGINT, 130, "Interrupted. On."), (signal.SIGTERM, 143, "Terminated. On.")]
)
def test_an_end_says_how_to_go_on_and_has_the_status_of_its_signal(terminable, capsys, number, status, said):
    with pytest.raises(typer.Exit) as raised, ends_well("On."):
        os.kill(os.getpid(), number)
    assert raised.value.exit_code == status
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("before", [signal.SIG_IGN, lambda *_: None])
def test_who_ignores_sigterm_or_takes_it_goes_on_doing_so(before):
    signal.signal(signal.SIGTERM, before)
    with termination_interrupts(), bars(True)("Working", 1, "step") as update:
        os.kill(os.getpid(), signal.SIGTERM)
        update(1)
        assert signal.getsignal(signal.SIGTERM) is before
    assert signal.getsignal(signal.SIGTERM) is before


def test_afterwards_sigterm_is_the_systems_again():
    with termination_interrupts():
        pass
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
