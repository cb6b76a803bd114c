"""Open a run together with the prepared data set that it was made with; its trained network."""

from pathlib import Path

from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.runs import Run
from keras_dhnn.training import loading


def open_run(run: Run | Path | str, data: Path | str = "data", *, finished: bool = True) -> tuple[Run, DatasetInfo]:
    """Return a run and its data set, checked to be the one that it was made with, seen with the run's labels.

    Args:
        run: the `Run`, or its folder.
        data: folder of the prepared data sets.
        finished: whether it must have been trained to the end.

    Raises:
        RunError: if there is no such run, it is not finished, or the data set holds other images.
        DataError: if the data set is not there, or is damaged.
    """
    opened = Run.open(run.path if isinstance(run, Run) else run, finished=finished)
    info = DatasetInfo.load(Path(data) / opened.experiment.data.name)
    opened.check_data(info)
    if opened.labels_path.is_file():
        info = info.with_labels(Labels.load(opened.labels_path))
    return opened, info


def load_model(run: Run | Path | str, *, data: Path | str = "data") -> DHNN | SIDHCNN:
    """Return the network that a run trained: `{source: (B, H, W, C)}` float32 to `{source: (B, l)}` float32.

    It is built by the run's experiment and filled from its file of weights, in either lane; see
    `training.loading.load_model`, also for errors.

    Args:
        run: the `Run`, or its folder.
        data: folder of the prepared data sets.
    """
    return loading.load_model(*open_run(run, data))
