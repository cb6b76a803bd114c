"""Score a finished run anew, from its codes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_dhnn.errors import SettingError, invalid
from keras_dhnn.evaluation.scores import score
from keras_dhnn.files import as_list, may_write
from keras_dhnn.pipelines.label_file import read_labels
from keras_dhnn.pipelines.sources import sources_of
from keras_dhnn.pipelines.splits import Split
from keras_dhnn.report.afterwards import alone
from keras_dhnn.report.report import write_report
from keras_dhnn.runs import Run
from keras_dhnn.workflows.open_run import open_run

# What training knows, and no other labels change: the rest of a run's metrics is by its own.
_WITHOUT_LABELS = ("neighbour_agreement", "labels_used", "seconds")


def evaluate(
    run: Run | Path | str,
    *,
    at: int | Sequence[int] = (),
    tsne: bool = False,
    labels: Path | str | None = None,
    data: Path | str = "data",
) -> dict[str, Any]:
    """Score a finished run from its codes, and draw its figures anew.

    Args:
        run: the `Run`, or its folder.
        at: a cut-off k, or several, at which mean average precision is computed too, see `evaluation.scores.evaluate`.
        tsne: whether to draw the codes in the plane too.
        labels: a table of labels to score by, see `pipelines.label_file`, instead of those that the run knows. The
            figures are drawn by them, until the run is evaluated again; its `metrics.json` stays as it is.
        data: folder of the prepared data sets.

    Returns:
        The metrics; what only training knows is taken over from the run's `metrics.json`, which is replaced if it
        can be written. By `labels` of others, what training scored by the run's own is left out.

    Raises:
        RunError: if there is no such run, it is not finished, or it was made with other images.
        DataError: if the table cannot be used.
        SettingError: if a cut-off is not a whole number from 1.
    """
    at = as_list(at)
    if not all(isinstance(k, int) and k > 0 for k in at):
        raise SettingError(invalid("argument `at`", "whole numbers from 1", at))
    run, info = open_run(run, data)
    split = Split.load(run.split_path)
    outputs, codes, _ = run.load_outputs(sources_of(info))
    if labels is not None:
        info = info.with_labels(read_labels(labels, info.ids), to_score=True)
    scored, evaluations, scores = score(outputs, split, info, run.experiment.seed, codes, tuple(dict.fromkeys(at)))
    of_training = run.metrics
    if labels is not None:
        of_training = {name: of_training[name] for name in _WITHOUT_LABELS if name in of_training}
    metrics = {**of_training, **scores}
    if labels is None and may_write(run.path):
        with alone(str(run.metrics_path), "The scores are printed all the same."):
            run.replace_metrics(metrics)
    write_report(run, info, scored or split, outputs, evaluations, scores, tsne=tsne)
    return metrics
