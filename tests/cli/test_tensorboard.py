"""What `tensorboard --logdir runs` shows of a run, read from the files as TensorBoard reads them."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from tensorboard.util.tensor_util import make_ndarray
from typer.testing import CliRunner
from werkzeug.test import Client

from keras_dhnn import cli
from keras_dhnn.metrics.code_health import code_health
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.runs import Run
from tests.fakes import make_coloured_dataset

EPOCHS = 3
SETTINGS = {
    "model.backbone": "tests.fakes:tiny_backbone",
    "model.hidden": 0,
    "model.bits": 16,
    "data.image_size": 16,
    "data.queries": 0.3,
    "data.validation": 0.2,
    "data.protocol": "grouped",
    "head.epochs": EPOCHS,
    "training.validate_every": 1,
    "fine_tune.epochs": 0,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run that was evaluated again, with --tsne."""
    root = tmp_path_factory.mktemp("project")
    make_coloured_dataset(root / "data" / "colours")
    changes = [text for name, value in SETTINGS.items() for text in ("--set", f"{name}={value}")]
    places = ("--data", str(root / "data"))
    commands = (
        ["fit", "colours", *changes, *places, "--runs", str(root / "runs"), "--name", "run", "--quiet"],
        ["evaluate", str(root / "runs" / "run"), *places, "--tsne"],
    )
    for command in commands:
        result = CliRunner().invoke(cli.app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return Run.open(root / "runs" / "run")


@pytest.fixture(scope="module")
def evaluation(run):
    return EventAccumulator(str(run.tensorboard / "evaluation")).Reload()


def scalars(events, tag):
    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in events.Tensors(tag)]


def expected_health(run):
    stored, database = run.load_codes(), Split.load(run.split_path).database
    return code_health(stored["codes"][database], stored["labels"][database], stored["outputs"][database]).scalars()


def test_scores_stand_at_the_last_epoch(run, evaluation):
    assert scalars(evaluation, "map") == [(EPOCHS, pytest.approx(run.metrics["map"]["expected"]))]
    for k in ("10", "50", "100"):
        assert scalars(evaluation, f"precision_at/{k}") == [(EPOCHS, pytest.approx(run.metrics["precision_at"][k]))]


def test_health_of_the_codes_is_logged_each_epoch_and_at_the_end(run, evaluation):
    head = EventAccumulator(str(run.tensorboard / "head")).Reload()
    for name, value in expected_health(run).items():
        tag = f"code-health/{name}"
        assert scalars(evaluation, tag) == [(EPOCHS, pytest.approx(value, rel=1e-3))]
        assert [step for step, _ in scalars(head, tag)] == [1, 2, 3]
    assert scalars(head, "code-health/distinct_codes")[-1][1] > 1


def test_figures_are_pictures(run, evaluation):
    for name in ("precision-recall", "gallery", "code-health", "tsne"):
        (event,) = evaluation.Tensors(name)
        width, height, encoded = make_ndarray(event.tensor_proto)
        assert Image.open(io.BytesIO(encoded)).size == (int(width), int(height))
        assert Image.open(run.figures / f"{name}.png").width > 200


def test_an_evaluation_replaces_the_one_before(run):
    assert len(list((run.tensorboard / "evaluation").glob("events.*"))) == 1


def projector(run):
    """Function of a path that TensorBoard's projector answers, started on the folder of all runs."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(run.path.parent))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(run.path.parent))
    apps = ProjectorPlugin(TBContext(logdir=str(run.path.parent), data_provider=provider)).get_plugin_apps()

    def get(path, **query):
        response = Client(apps[path]).get(path, query_string=query)
        assert response.status_code == 200, response.data
        return response.data

    return get


def test_projector_shows_the_database_with_labels_and_thumbnails(run):
    get, split, stored = projector(run), Split.load(run.split_path), run.load_codes()
    info = DatasetInfo.load(run.environment["data"])
    assert json.loads(get("/runs")) == ["run/tensorboard/evaluation"]
    one = {"run": "run/tensorboard/evaluation", "name": "hash outputs"}
    tensors = np.frombuffer(get("/tensor", **one, num_rows=10_000), np.float32).reshape(-1, 16)
    np.testing.assert_allclose(tensors, stored["outputs"][split.database], atol=1e-4)
    header, *rows = csv.reader(get("/metadata", **one, num_rows=10_000).decode().splitlines(), delimiter="\t")
    assert header == ["class", "image", "turned"]
    assert [row[0] for row in rows] == [info.classes[label] for label in stored["labels"][split.database]]
    (embedding,) = json.loads(get("/info", run=one["run"]))["embeddings"]
    side, _ = embedding["sprite"]["singleImageDim"]
    columns = int(np.ceil(np.sqrt(len(split.database))))
    assert Image.open(io.BytesIO(get("/sprite_image", **one))).size == (columns * side, columns * side)
