import json
from types import SimpleNamespace

import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.errors import RunError
from keras_dhnn.tuning.job import check_worker, create_job
from keras_dhnn.tuning.space import Space

BASE, INFO = Experiment(), SimpleNamespace(checksum="abc", directory="data/ucmd")


@pytest.fixture
def chiefs(tmp_path):
    """The folder of a chief's search over s and eta."""
    request = {"base": json.loads(BASE.to_json()), "space": Space.of(["s", "eta"], BASE).to_json(), "trials": 3}
    create_job(tmp_path / "search", "tune", request, INFO)
    return tmp_path / "search"


def test_a_worker_like_its_chief_is_taken(chiefs, tmp_path):
    check_worker(chiefs, Space.of(["s", "eta"], BASE), INFO)
    check_worker(tmp_path / "not-shared", Space.of(["s"], BASE), INFO)


@pytest.mark.parametrize(
    ("names", "changes", "checksum", "message"),
    [
        (["s", "eta"], ["seed=3"], "abc", r"seed is 0, here 3\. Start it with the chief's options"),
        (
            ["s", "eta"],
            ["data.protocol=grouped", "loss.penalty=2"],
            "abc",
            "protocol is 'paper', here 'grouped'; loss.penalty",
        ),
        (["s"], [], "abc", r'space is \{.*"loss.eta".*here \{"loss.similarity_factor": [^}]*\}\}'),
        (["s", "eta"], [], "other", "other images"),
    ],
)
def test_a_worker_unlike_its_chief_is_refused(chiefs, names, changes, checksum, message):
    base = BASE.override(*changes)
    with pytest.raises(RunError, match=message):
        check_worker(chiefs, Space.of(names, base), SimpleNamespace(checksum=checksum, directory="data/ucmd"))
