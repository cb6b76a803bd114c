"""A chief's oracle that is started again; what one process alone does is in test_search.py."""

import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.tuning.hypermodel import RetrievalHyperModel
from keras_dhnn.tuning.oracles import OBJECTIVE, make_oracle
from keras_dhnn.tuning.search import Search
from keras_dhnn.tuning.space import Range, Space

SPACE = Space({"loss.eta": Range(0.01, 1.0, log=True)}, Experiment())


def start(folder, *, is_chief):
    oracle = make_oracle("random", trials=4, epochs=1, seed=1)
    oracle.verbose, oracle.is_chief = 0, is_chief
    Search(oracle, RetrievalHyperModel(SPACE, None), folder).save()
    return oracle


def end(oracle, trial):
    oracle.update_trial(trial.trial_id, {OBJECTIVE: 0.5})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


@pytest.fixture
def killed(tmp_path):
    """The folder of a chief that died when trial 0 had ended and two workers had trials 1 and 2."""
    oracle = start(tmp_path, is_chief=True)
    end(oracle, oracle.create_trial("first"))
    assert [oracle.create_trial(name).trial_id for name in ("first", "second")] == ["1", "2"]
    return tmp_path


def test_a_chief_started_again_leaves_trials_to_the_workers_that_have_them(killed):
    oracle = start(killed, is_chief=True)
    assert oracle.create_trial("third").trial_id == "3"
    assert oracle.create_trial("second").trial_id == "2"  # as if it had been started again too
    end(oracle, oracle.get_trial("1"))  # of the first, which never noticed
    assert oracle.create_trial("first").status == "STOPPED"


def test_one_process_alone_does_the_trials_of_all_again(killed):
    oracle = start(killed, is_chief=False)
    for expected in ("1", "2", "3"):
        trial = oracle.create_trial("tuner0")
        assert trial.trial_id == expected
        end(oracle, trial)
    assert oracle.create_trial("tuner0").status == "STOPPED"


def test_a_trial_whose_end_is_said_twice_ends_once(tmp_path):
    """A worker asks again where its chief was killed before it had answered; another may have a new trial by then."""
    oracle = start(tmp_path, is_chief=True)
    heard, trial = [], oracle.create_trial("first")
    oracle.listener = lambda oracle: heard.append(list(oracle.end_order))
    end(oracle, trial)
    assert oracle.create_trial("second").trial_id == "1"
    oracle.end_trial(trial)
    assert (heard, oracle.end_order, oracle.get_trial("1").status) == ([["0"]], ["0"], "RUNNING")
