"""Write TensorBoard's HParams page of a search."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api as hp
from tensorboard.plugins.hparams import api_pb2, summary

from keras_dhnn.files import whole
from keras_dhnn.tuning.space import Choice, Space

METRICS = {"val_map": "validation mAP", "distinct_codes": "distinct codes", "epochs": "epochs", "seconds": "seconds"}


def write_hparams(folder: Path, rows: Iterable[Mapping[str, Any]], space: Space) -> None:
    """Write what the page shows: the space, and of each trial that ended its values, metrics and state.

    Args:
        folder: of event files; a folder a trial is made in it, and what is there is kept.
        rows: the trials, as `read_trials` gives them.
        space: the `Space`.
    """
    if not folder.exists():
        with _events(folder):
            hp.hparams_config(
                hparams=[_hparam(path, part) for path, part in space.parts.items()],
                metrics=[hp.Metric(name, display_name=title) for name, title in METRICS.items()],
            )
    for row in rows:
        if row["status"] != "running" and not (folder / row["trial"]).exists():
            _write_trial(folder / row["trial"], row, space)


def _write_trial(folder, row, space):
    ended = api_pb2.STATUS_SUCCESS if row["status"] == "completed" else api_pb2.STATUS_FAILURE
    values = {path: _shown(value, space.parts[path]) for path, value in row["settings"].items()}
    with _events(folder):
        hp.hparams(values, trial_id=f"trial {row['trial']}")
        for name in METRICS:
            if row[name] is not None:
                tf.summary.scalar(name, float(row[name]), step=0)
        if row["reason"]:
            tf.summary.text("reason", row["reason"], step=0)
        tf.summary.experimental.write_raw_pb(summary.session_end_pb(ended).SerializeToString(), step=0)


@contextlib.contextmanager
def _events(folder):
    """Make a folder of event files, there only when it is whole, and write summaries to it."""
    with (
        whole(folder) as partial,
        contextlib.closing(tf.summary.create_file_writer(str(partial))) as writer,
        writer.as_default(step=0),
    ):
        yield


def _hparam(path, part):
    if isinstance(part, Choice):
        return hp.HParam(path, hp.Discrete([_shown(value, part) for value in part.values]))
    if isinstance(part.low, int):
        return hp.HParam(path, hp.IntInterval(part.low, part.high))
    return hp.HParam(path, hp.RealInterval(part.low, part.high))


def _shown(value, part):
    """Return a value as the page takes it: of values that are not all of one kind, the texts."""
    mixed = isinstance(part, Choice) and len({type(value) for value in part.values}) > 1
    return str(value).lower() if mixed or value is None else value
