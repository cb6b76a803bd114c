import json
from types import SimpleNamespace

import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.errors import RunError
from keras_dhnn.tuning.job import check_job, check_worker, create_job, open_job
from keras_dhnn.tuning.space import Space
from tests.fakes import make_coloured_dataset, partly_labelled

BASE, INFO = Experiment(), SimpleNamespace(checksum="abc", table=None, directory="data/ucmd")


@pytest.fixture
def chiefs(tmp_path):
    """The folder of a chief's search over s and eta."""
    request = {"base": json.loads(BASE.to_json()), "space": Space.of(["s", "eta"], BASE).to_json(), "trials": 3}
    create_job(tmp_path / "search", "tune", request, INFO)
    return tmp_path / "search"


def test_a_worker_like_its_chief_is_taken(chiefs, tmp_path):
    check_worker(chiefs, Space.of(["s", "eta"], BASE), INFO)
    check_worker(tmp_path / "not-shared", Space.of(["s"], BASE), INFO)


@pytest.mark.parametrize("before", [[], range(3)], ids=["all labels", "some labels"])
def test_a_job_goes_on_with_its_own_labels_alone(tmp_path, before):
    info = make_coloured_dataset(tmp_path / "coloured")
    base = BASE.override("data.name=coloured", "data.protocol=grouped")
    create_job(tmp_path / "grid", "grid", {"base": json.loads(base.to_json())}, partly_labelled(info, before))
    request = open_job(tmp_path / "grid", "grid")
    check_job(tmp_path / "grid", request, partly_labelled(info, before))
    for other in (info, partly_labelled(info, range(4))):
        with pytest.raises(RunError, match=r"other labels of .*coloured.* another --name"):
            check_job(tmp_path / "grid", request, other)


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
        check_worker(
            chiefs, Space.of(names, base), SimpleNamespace(checksum=checksum, table=None, directory="data/ucmd")
        )
