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
    width, height, encoded = report._write_figure(figure, tmp_path / "figures" / "a.png")
    with Image.open(tmp_path / "figures" / "a.png") as written, Image.open(expected) as saved:
        assert written.info["dpi"] == saved.info["dpi"]
        np.testing.assert_array_equal(written, saved.convert("RGB"))
        assert (width, height) == written.size == (3 * report.DPI, 2 * report.DPI)
    assert encoded == (tmp_path / "figures" / "a.png").read_bytes()


def test_tensorboard_shows_the_picture_that_it_would_have_encoded_itself(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    figure = Figure(figsize=(30 / report.DPI, 20 / report.DPI), frameon=False)
    figure.figimage(pixels, resize=False)
    pictures = {"a-figure": report._write_figure(figure, tmp_path / "a.png")}
    report._write_board(tmp_path / "ours", pictures, [], {}, 1, 7)
    with tf.summary.create_file_writer(str(tmp_path / "theirs")).as_default(step=7):
        tf.summary.image("a-figure", pixels[None])
    (ours,), (theirs,) = (
        [event for path in (tmp_path / whose).glob("events.*") for event in _events(path)]
        for whose in ("ours", "theirs")
    )
    assert (ours.step, ours.summary.value[0].tag) == (theirs.step, theirs.summary.value[0].tag) == (7, "a-figure")
    assert ours.summary.value[0].metadata == theirs.summary.value[0].metadata
    (*our_size, our_picture), (*their_size, their_picture) = (
        tf.make_ndarray(event.summary.value[0].tensor) for event in (ours, theirs)
    )
    assert our_size == their_size == [b"30", b"20"]
    np.testing.assert_array_equal(tf.image.decode_png(our_picture), tf.image.decode_png(their_picture))
    np.testing.assert_array_equal(tf.image.decode_png(our_picture), pixels)


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


@pytest.mark.parametrize("name", ["tensorboard", "tensorboard/evaluation", "figures", "figures/precision-recall.png"])
def test_where_links_stand_nothing_is_written_or_removed(tmp_path, name, caplog):
    info, _ = make_dataset(tmp_path / "made")
    run = write_run(tmp_path / "run", info)
    precious = tmp_path / "precious" / "evaluation" / "file"
    precious.parent.mkdir(parents=True)
    precious.touch()
    (run.path / name).parent.mkdir(exist_ok=True)
    (run.path / name).symlink_to(tmp_path / "precious")
    outputs, codes, labels = run.load_outputs(sources_of(info))
    split = Split.load(run.split_path)
    evaluations, metrics = evaluate_all(outputs, labels, split, info, run.experiment.seed, codes)
    report.write_report(run, info, split, outputs, evaluations, metrics)
    assert f"{run.path / name} is a link" in caplog.text
    assert [path for path in (tmp_path / "precious").rglob("*") if path.is_file()] == [precious]


def _events(path):
    return [event for event in tf.compat.v1.train.summary_iterator(str(path)) if event.summary.value]
