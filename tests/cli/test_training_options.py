import inspect

import typer
from typer.testing import CliRunner

from keras_dhnn.cli.options import Quiet
from keras_dhnn.cli.training_options import training_options


def verb(*left_out):
    """A command line of one verb, and the options that it was called with."""
    called, app = {}, typer.Typer()

    @app.command()
    @training_options(*left_out)
    def train(context: typer.Context, name: str = "ucmd", quiet: Quiet = False, **asked):
        """Train."""
        called.update(name=name, quiet=quiet, **asked)

    return CliRunner(), app, called


def test_a_verb_takes_shared_options_beside_its_own():
    runner, app, called = verb()
    backbones = ["--backbone", "pan=pan_cnn", "--backbone", "mul=mul_cnn"]
    result = runner.invoke(app, ["--name", "sat4", "--bits", "16", *backbones, "--set", "seed=1"])
    assert result.exit_code == 0, result.output
    assert (called["name"], called["bits"], called["quiet"]) == ("sat4", 16, False)
    assert called["backbone"] == "pan=pan_cnn,mul=mul_cnn"
    assert called["settings"] == ["seed=1"]


def test_what_is_not_given_is_none_or_nothing():
    runner, app, called = verb()
    assert runner.invoke(app, []).exit_code == 0
    assert (called["bits"], called["backbone"], called["settings"], called["synthetic"]) == (None, "", [], False)


def test_a_verb_may_leave_options_out():
    runner, app, called = verb("bits", "config")
    assert runner.invoke(app, ["--bits", "16"]).exit_code == 2
    assert runner.invoke(app, []).exit_code == 0
    assert not {"bits", "config"} & set(called)


def test_the_verbs_workflows_take_all_of_them():
    """By their names, so that a notebook can do what a shell can."""
    from keras_dhnn.workflows import ablate, fit, grid, tune

    for workflow, left_out in ((fit.fit, ()), (grid.grid, ()), (tune.tune, ()), (ablate.ablate, ("bits", "config"))):
        _, app, called = verb(*left_out)
        CliRunner().invoke(app, [])
        missing = set(called) - {"name", "quiet", "synthetic"} - set(inspect.signature(workflow).parameters)
        assert not missing, workflow
