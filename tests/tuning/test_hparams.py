"""The HParams page, read from the event files as TensorBoard reads them."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.util.tensor_util import make_ndarray

from keras_dhnn.config import Experiment
from keras_dhnn.tuning.hparams import METRICS, write_hparams
from keras_dhnn.tuning.space import Choice, Range, Space

SPACE = Space(
    {
        "loss.eta": Range(0.01, 1.0, log=True),
        "model.bits": Range(8, 64, step=8),
        "loss.penalty": Choice((None, 2.0)),
        "augmentation.flips": Choice((True, False)),
    },
    Experiment(),
)


def row(number, status="completed", **changed):
    settings = {"loss.eta": 0.1 * (number + 1), "model.bits": 16, "loss.penalty": None, "augmentation.flips": True}
    measured = {"val_map": 0.5 + number / 10, "distinct_codes": 7, "epochs": 3, "seconds": 1.5, "reason": None}
    return {"trial": str(number), "status": status, "settings": settings, **measured, **changed}


ROWS = [
    row(0),
    row(1, settings={"loss.eta": 0.02, "model.bits": 8, "loss.penalty": 2.0, "augmentation.flips": False}),
    row(2, "failed", val_map=None, distinct_codes=None, epochs=None, seconds=None, reason="The loss is nan."),
    row(3, "running", val_map=None, distinct_codes=None, epochs=None, seconds=None),
]


def value_of(message):
    return getattr(message, message.WhichOneof("kind"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search") / "tensorboard"
    write_hparams(folder, ROWS[:1], SPACE)
    write_hparams(folder, ROWS, SPACE)
    return folder


def start(folder, row):
    events = EventAccumulator(str(folder / row["trial"])).Reload()
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    return events, metadata.parse_session_start_info_plugin_data(content)


@pytest.mark.parametrize("row", ROWS[:3], ids=["first", "second", "failed"])
def test_every_trial_has_its_values(folder, row):
    _, info = start(folder, row)
    shown = {name: value_of(value) for name, value in info.hparams.items()}
    penalty = {None: "none", 2.0: "2.0"}[row["settings"]["loss.penalty"]]
    assert shown == {**row["settings"], "loss.penalty": penalty}
    assert info.group_name == f"trial {row['trial']}"


@pytest.mark.parametrize("row", ROWS[:2], ids=["first", "second"])
def test_every_trial_has_its_metrics(folder, row):
    events, _ = start(folder, row)
    for name in METRICS:
        (event,) = events.Tensors(name)
        assert float(make_ndarray(event.tensor_proto)) == pytest.approx(row[name])


def test_a_failed_trial_says_so_and_why(folder):
    events, _ = start(folder, ROWS[2])
    content = events.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert metadata.parse_session_end_info_plugin_data(content).status == api_pb2.STATUS_FAILURE
    (event,) = events.Tensors("reason")
    assert make_ndarray(event.tensor_proto).item() == b"The loss is nan."
    assert "val_map" not in events.Tags()["tensors"]


def test_the_page_knows_the_space_and_the_metrics(folder):
    content = EventAccumulator(str(folder)).Reload().SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    page = metadata.parse_experiment_plugin_data(content)
    assert [info.name for info in page.hparam_infos] == list(SPACE.parts)
    eta, bits, penalty, flips = page.hparam_infos
    assert (eta.domain_interval.min_value, eta.domain_interval.max_value) == (0.01, 1.0)
    assert (bits.domain_interval.min_value, bits.domain_interval.max_value) == (8, 64)
    assert [value.string_value for value in penalty.domain_discrete.values] == ["2.0", "none"]
    assert len(flips.domain_discrete.values) == 2
    assert [info.name.tag for info in page.metric_infos] == list(METRICS)


def test_a_trial_under_way_is_not_there_and_nothing_is_left_half(folder):
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["0", "1", "2"]
    assert not list(folder.parent.glob(".*"))


def test_each_trial_is_written_once(folder):
    assert all(len(list((folder / name).glob("events.*"))) == 1 for name in "012")
