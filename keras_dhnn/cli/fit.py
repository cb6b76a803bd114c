"""`keras-dhnn fit`: prepared images to a trained hashing network, its codes and its scores."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from keras_dhnn.cli.bars import bars
from keras_dhnn.cli.data_sets import prepared, twin
from keras_dhnn.cli.given import refuse_beside_resume
from keras_dhnn.cli.interruption import ends_well
from keras_dhnn.cli.options import (
    Backbone,
    Bits,
    Config,
    DataFolder,
    Json,
    Protocol,
    Queries,
    Quiet,
    RunsFolder,
    Seed,
    Settings,
    Synthetic,
)
from keras_dhnn.experiment.resolve import chosen_experiment


def fit(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(help="The prepared data set: ucmd, sat4, ucmd-dual, dsrsid, your own.", metavar="[NAME]"),
    ] = None,
    bits: Bits = None,
    protocol: Protocol = None,
    queries: Queries = None,
    group_pattern: Annotated[
        str | None,
        typer.Option(
            help="grouped: regular expression that is looked for in the images' names; those of one class in which it "
            "finds the same stay on one side of the split. 'scene[0-9]+' keeps scene12_a.tif and scene12_b.tif "
            "together, '^[^_]+' whatever is equal up to the first underscore.",
            metavar="REGEX",
        ),
    ] = None,
    backbone: Backbone = None,
    settings: Settings = None,
    config: Config = None,
    synthetic: Synthetic = False,
    resume: Annotated[
        Path | None, typer.Option(help="Continue this unfinished run to where it would have ended.", metavar="RUN")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="Train data-parallel: mirrored, on all GPUs of this machine; or multi_worker, by several processes, "
            "each started with this command and its own TF_CONFIG; the first one writes the run. The batch size is "
            "that of all together."
        ),
    ] = None,
    run_name: Annotated[
        str | None, typer.Option("--name", help="Folder of the run below RUNS.", metavar="NAME")
    ] = None,
    data: DataFolder = Path("data"),
    runs: RunsFolder = Path("runs"),
    seed: Seed = None,
    quiet: Quiet = False,
    as_json: Json = False,
):
    """Train a hashing network on a prepared data set, and score its retrieval.

    Examples:

      keras-dhnn fit ucmd --synthetic

      keras-dhnn fit ucmd --protocol grouped --bits 32

      keras-dhnn fit harbours --queries 0.1

      keras-dhnn fit harbours --group-pattern 'scene[0-9]+'

      keras-dhnn fit --resume runs/ucmd-paper-64
    """
    from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
    from keras_dhnn.runs import Run, free_name

    bar = bars(quiet)
    if resume is not None:
        refuse_beside_resume(context, "strategy")

    def choose():
        return chosen_experiment(
            *(name, data, config, bits, protocol, backbone, seed, settings),
            group_pattern=group_pattern,
            queries=queries,
            draw=(lambda name: twin(name, data, bar)) if synthetic else None,
        )

    # Before anything else: several processes start with it.
    strategy = _strategy(strategy)
    run = info = None
    if resume is not None:
        run = Run.open(resume, finished=False)
        if run.finished:
            print(f"{run.path} is finished: nothing to do.")
            return
        info = DatasetInfo.load(data / run.experiment.data.name)
        run.check_data(info)
    if not _writes(strategy):
        _assist(run, info, choose, synthetic, data, strategy)
        return
    if run is None:
        experiment = choose()
        info = prepared(data, experiment.data.name)
        _check_split(experiment, info)
        usual = f"{experiment.data.name}-{experiment.data.protocol}-{experiment.model.bits}"
        run = Run.create(runs / (run_name or free_name(runs, usual)), experiment, info)
    _fit(run, info, bar, as_json, strategy)


def _strategy(name):
    if name is None:
        return None
    from keras_dhnn.training.distribution import make_strategy

    return make_strategy(name)


def _writes(strategy):
    if strategy is None:
        return True
    from keras_dhnn.training.distribution import is_chief

    return is_chief(strategy)


def _assist(run, info, choose, synthetic, data, strategy):
    """What a worker does beside the chief: it trains along, and writes no run."""
    import tensorflow as tf

    from keras_dhnn.workflows.fit import assist

    tf.config.experimental.enable_op_determinism()
    if run is not None:
        assist(run.experiment, info, run.checkpoints, strategy)
        return
    if synthetic:
        raise ValueError("Several processes need one data set. Prepare the twin first: keras-dhnn prepare --synthetic")
    experiment = choose()
    with tempfile.TemporaryDirectory() as nothing:
        assist(experiment, prepared(data, experiment.data.name), Path(nothing), strategy)


def _check_split(experiment, info):
    """Draws the split, so that one that cannot be drawn leaves no run behind; says how many are on either side."""
    from keras_dhnn.experiment.split import draw_split
    from keras_dhnn.pipelines.name_groups import groups_by_name

    split = draw_split(experiment.data, experiment.seed, info)
    images = f"{info.count} images"
    if experiment.data.group_pattern is not None:
        groups = len(set(groups_by_name(info.ids, experiment.data.group_pattern)))
        images += f" in {groups} groups by their names"
    print(f"{images}; {len(split.queries)} queries, {len(split.database)} in the database.", file=sys.stderr)


def _fit(run, info, bar, as_json, strategy):
    import tensorflow as tf

    from keras_dhnn.workflows.fit import fit as fit_run

    # So that a run that was killed and resumed ends with the same weights as one that was not.
    tf.config.experimental.enable_op_determinism()
    try:
        with ends_well(f"Continue with: keras-dhnn fit --resume {run.path}"):
            metrics = fit_run(run, info, bar, strategy)
    except ValueError:
        run.discard_untrained()
        raise
    if as_json:
        print(json.dumps(metrics))
        return
    from keras_dhnn.cli.tables import print_scores

    print_scores(run, metrics)
