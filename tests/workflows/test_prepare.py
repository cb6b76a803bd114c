"""The data set of an experiment, as every verb that trains opens it."""

import inspect

import numpy as np
import pytest

from keras_dhnn.config import Experiment
from keras_dhnn.errors import DataError
from keras_dhnn.workflows import ablate, fit, grid, tune
from keras_dhnn.workflows import benchmark as benchmark_workflow
from keras_dhnn.workflows.prepare import load_labelled
from tests.command_line import command_line
from tests.dual import make_dual_dataset
from tests.fakes import make_coloured_dataset


class Seen(Exception):
    """The data set that a verb was about to train on."""


@pytest.fixture
def root(tmp_path):
    """Two data sets, and a table in which of each the first five images alone have a label."""
    infos = (make_coloured_dataset(tmp_path / "data" / "coloured"), make_dual_dataset(tmp_path / "data" / "twins"))
    for info in infos:
        rows = [f"{name},new{number % 2}" for number, name in enumerate(info.ids[:5])]
        (tmp_path / f"{info.name}.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    return tmp_path


def test_an_experiments_labels_are_those_of_its_table(root):
    named = Experiment().override("data.name=coloured")
    assert load_labelled(named, root / "data").classes == ("class0", "class1", "class2")
    seen = load_labelled(named.override(f"data.labels={root / 'coloured.csv'}"), root / "data")
    assert seen.classes == ("new0", "new1", "unlabelled")
    assert seen.labels.tolist() == [0, 1, 0, 1, 0, *[2] * 31]
    with pytest.raises(DataError, match="none.csv"):
        load_labelled(named.override(f"data.labels={root / 'none.csv'}"), root / "data")


@pytest.mark.parametrize(
    ("module", "trains", "verb"),
    [
        (fit, "train_run", ["fit", "coloured"]),
        (grid, "fit_grid", ["grid", "coloured", "--over", "s=0.5"]),
        (tune, "_search", ["tune", "coloured", "--trials", "1"]),
        (ablate, "fit_rows", ["ablate", "twins"]),
        (benchmark_workflow, "benchmark", ["benchmark", "coloured", "--methods", "prh"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_every_verb_that_trains_sees_the_table(root, monkeypatch, capfd, module, trains, verb):
    signature = inspect.signature(getattr(module, trains))

    def stop(*given, **named):
        raise Seen(signature.bind(*given, **named).arguments["info"])

    monkeypatch.setattr(module, trains, stop)
    settings = ("--set", "data.protocol=grouped", "--set", f"data.labels={root / verb[1]}.csv")
    with pytest.raises(Seen) as seen:
        command_line(monkeypatch, capfd)(*verb, *settings, "--data", root / "data", "--runs", root / "runs", "--quiet")
    (info,) = seen.value.args
    assert info.classes == ("new0", "new1", "unlabelled")
    assert np.flatnonzero(info.known).tolist() == list(range(5))
