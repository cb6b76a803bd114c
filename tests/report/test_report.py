import io

import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure
from PIL import Image

from keras_dhnn.evaluation.scores import evaluate_all
from keras_dhnn.files import write_json
from keras_dhnn.pipelines.sources import sources_of
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.report import report
from tests.dual import make_dual_dataset
from tests.fakes import make_dataset
from tests.saved_models.serving.tiny_run import write_run


def test_a_picture_drawn_once_is_what_matplotlib_saves(tmp_path):
    figure = Figure(figsize=(3, 2), layout="constrained")
    figure.add_subplot(title="a title").plot([1, 3, 2], label="a line")
    expected = io.BytesIO()
    figure.savefig(expected, format="png", dpi=report.DPI)
    picture = report._write_figure(figure, tmp_path / "figures" / "a.png")
    with Image.open(tmp_path / "figures" / "a.png") as written, Image.open(expected) as saved:
        assert written.info["dpi"] == saved.info["dpi"]
        np.testing.assert_array_equal(written, saved.convert("RGB"))
        np.testing.assert_array_equal(picture, written)


@pytest.mark.parametrize("make", [make_dataset, make_dual_dataset], ids=["one source", "two sources"])
def test_every_file_of_events_is_closed(make, tmp_path, monkeypatch):
    opened, closed, original = [], [], tf.summary.create_file_writer

    def create(folder):
        writer = original(folder)
        opened.append(folder)
        close = writer.close
        writer.close = lambda: (closed.append(folder), close())
        return writer

    monkeypatch.setattr(tf.summary, "create_file_writer", create)
    monkeypatch.setattr(report, "_figures", lambda *_: {})
    info = make(tmp_path / "made")
    info = info[0] if isinstance(info, tuple) else info
    run = write_run(tmp_path / "run", info)
    write_json(run.history_path, {"head": {"loss": [0.5, 0.4]}})
    outputs, codes, labels = run.load_outputs(sources_of(info))
    split = Split.load(run.split_path)
    evaluations, metrics = evaluate_all(outputs, labels, split, info, run.experiment.seed, codes)
    report.write_report(run, info, split, outputs, evaluations, metrics)
    assert sorted(closed) == sorted(opened)
    files = list((run.tensorboard / "evaluation").rglob("events.*"))
    assert {event.step for file in files for event in _events(file)} == {2}


def _events(path):
    return [event for event in tf.compat.v1.train.summary_iterator(str(path)) if event.summary.value]
