"""Open a run together with the prepared data set that it was made with; its trained network."""

import shlex
from pathlib import Path

from keras_dhnn.errors import DataError
from keras_dhnn.models.dhnn import DHNN
from keras_dhnn.models.sidhcnn import SIDHCNN
from keras_dhnn.pipelines.labels import Labels
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo
from keras_dhnn.runs import Run
from keras_dhnn.training import loading

_USUAL = Path("data")


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
    info = load_data_of(opened, data)
    if opened.labels_path.is_file():
        info = info.with_labels(Labels.load(opened.labels_path))
    return opened, info


def load_data_of(run: Run, data: Path | str = "data") -> DatasetInfo:
    """Return the prepared data set that a run was made with.

    Where `data` is the usual folder, and the data set is not there, it is looked for beside the folder of the runs:
    from another folder than that in which `fit` was called, `runs/NAME` still finds its `data`.

    Args:
        run: the `Run`.
        data: folder of the prepared data sets.

    Raises:
        RunError: if the data set holds other images.
        DataError: if it is not there, which says how to name its place, or is damaged.
    """
    name = run.experiment.data.name
    places = [Path(data) / name]
    if Path(data) == _USUAL:
        places.append(run.path.resolve().parent.parent / _USUAL / name)
    place = next((place for place in places if place.exists()), None)
    if place is None:
        raise DataError(
            f"No prepared data set in {' or '.join(dict.fromkeys(map(str, places)))}; {run.path} was made with "
            f"{name!r}. If it lies elsewhere, name the folder of prepared data sets by --data DIR; else prepare it "
            f"again: keras-dhnn prepare {shlex.quote(name)} (--source PATH or --synthetic)"
        )
    info = DatasetInfo.load(place)
    run.check_data(info)
    return info


def load_model(run: Run | Path | str, *, data: Path | str = "data") -> DHNN | SIDHCNN:
    """Return the network that a run trained: `{source: (B, H, W, C)}` float32 to `{source: (B, l)}` float32.

    It is built by the run's experiment and filled from its file of weights, in either lane; see
    `training.loading.load_model`, also for errors.

    Args:
        run: the `Run`, or its folder.
        data: folder of the prepared data sets.
    """
    return loading.load_model(*open_run(run, data))
