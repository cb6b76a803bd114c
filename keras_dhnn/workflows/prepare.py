"""Prepare a data set: its archive, or its synthetic twin, becomes TFRecord shards."""

import contextlib
import dataclasses
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_dhnn.config import Experiment
from keras_dhnn.errors import DataError, SettingError
from keras_dhnn.files import check_name
from keras_dhnn.pipelines.datasets import LAYOUTS, MODULES, PUBLISHED, load_dataset
from keras_dhnn.pipelines.datasets.dataset import Dataset
from keras_dhnn.pipelines.example import Archive
from keras_dhnn.pipelines.formats.download import download as fetch
from keras_dhnn.pipelines.label_file import read_labels
from keras_dhnn.pipelines.labels import UNLABELLED, Labels
from keras_dhnn.pipelines.store import prepare as store
from keras_dhnn.pipelines.store.dataset_info import LABELS_FILE, DatasetInfo
from keras_dhnn.progress import Bar, no_bar


def prepare(
    name: str,
    source: Path | str | Mapping[str, Path | str] | None = None,
    *,
    layout: str | None = None,
    synthetic: bool = False,
    download: bool = False,
    data: Path | str = "data",
    seed: int = 0,
    force: bool = False,
    labels: Path | str | None = None,
    bar: Bar = no_bar,
    **options: Any,
) -> store.Prepared:
    """Turn an image archive into TFRecord shards under `data`/`name`, unless that was done before.

    Args:
        name: of the data set: a published one, or yours.
        source: the archive's folder or file; of `layout="dual"` `{source: folder}`.
        layout: how the archive is laid out, see `pipelines.datasets`; by default as the name says.
        synthetic: draw the synthetic twin, `name`-synthetic, instead of reading an archive.
        download: fetch the archive from where its authors publish it.
        data: folder of the prepared data sets.
        seed: of the synthetic images and of the order in the shards.
        force: replace what was prepared before.
        labels: table of the images' labels, see `pipelines.label_file`; a later one replaces it.
        bar: progress bar factory.
        **options: of the layout's `open_archive`, e.g. `skip_damaged=True`; of a twin its sizes, e.g. `per_class=20`.

    Returns:
        `Prepared`: the `DatasetInfo`, and whether it was written by this call.

    Raises:
        SettingError: if not exactly one of `source`, `synthetic` and `download` is given, or an option has no effect.
        DataError: if the archive cannot be used as it is, or the table of labels, as where there is one class alone.
    """
    check_name(name, "a data set")
    layout = check_layout(name, layout)
    dataset, folder = load_dataset(layout), Path(data)
    if (source is not None) + synthetic + download != 1:
        raise SettingError(
            "Give the archive by --source PATH (its folder, or the file as published), or write a synthetic twin by "
            "--synthetic, or fetch the archive by --download."
        )
    unused = set(options) - set(options_of(layout, synthetic))
    if unused:
        raise SettingError(f"No effect on {_of(layout, synthetic)}: {', '.join(sorted(unused))}. Leave that out.")
    if synthetic:
        if name != layout:
            raise SettingError(f"A synthetic twin has its archive's name: keras-dhnn prepare {layout} --synthetic")
        prepared = prepare_twin(layout, folder, bar, seed=seed, force=force, **options)
    else:
        source = _fetch(dataset, folder, bar) if download else source
        prepared = _write(dataset.open_archive(source, **options), folder / name, seed, bar, force=force)
    return prepared if labels is None else _label(prepared, labels)


def _label(prepared: store.Prepared, labels: Path | str) -> store.Prepared:
    """Keep a table of labels with a data set."""
    directory = prepared.info.directory
    table = read_labels(labels, prepared.info.ids)
    table.check_learnable(labels)
    table.save(directory / LABELS_FILE)
    return store.Prepared(DatasetInfo.load(directory), prepared.fresh)


def check_layout(name: str, layout: str | None) -> str:
    """Return how the archive of a data set is laid out: as asked for, or as its name says.

    Raises:
        SettingError: if neither says it.
    """
    if layout is None and name in PUBLISHED:
        return name
    if layout not in MODULES:
        raise SettingError(
            f"How is the archive of {name!r} laid out? Expected --layout folder for images of yours, a folder a class, "
            "--layout images for images without classes, --layout dual for pairs of yours, or one of the names "
            f"{', '.join(PUBLISHED)}." + (f" Received: --layout {layout}" if layout else "")
        )
    return layout


def options_of(layout: str, synthetic: bool) -> tuple[str, ...]:
    """Return the names of the options that have an effect on a layout, or on its synthetic twin."""
    dataset = load_dataset(layout)
    return tuple(_twin(layout).sizes) if synthetic else dataset.options


def prepare_twin(
    name: str, data: Path, bar: Bar = no_bar, *, seed: int = 0, force: bool = False, **sizes: int | float
) -> store.Prepared:
    """Prepare the synthetic twin of a data set as `data`/`name`-synthetic, unless it is there already.

    Args:
        name: of the data set.
        data: folder of the prepared data sets.
        bar: progress bar factory.
        seed: of the images.
        force: make it anew.
        **sizes: what the twin's writer takes, e.g. `per_class`; by default a twin for trials.

    Raises:
        SettingError: if there is no twin.
    """
    twin, directory = _twin(name), data / f"{name}-synthetic"
    how = {**twin.sizes, **sizes}
    settings = " ".join(f"{key}={value}" for key, value in {**how, "seed": seed}.items())
    origin = {"kind": "synthetic twin", "path": settings, "fingerprint": f"synthetic {name} {settings}"}
    info = store.find_prepared(directory, origin, force=force)
    if info:
        return store.Prepared(info, fresh=False)
    with tempfile.TemporaryDirectory() as folder:
        with bar("Drawing the synthetic twin", None, "image") as update:
            twin.write(Path(folder), seed=seed, progress=lambda done, total: update(done), **how)
        archive = load_dataset(name).open_archive(Path(folder))
        archive = dataclasses.replace(archive, origin={**archive.origin, **origin})
        return _write(archive, directory, seed, bar, force=force, synthetic=True)


def draw_twin(name: str, data: Path | str, bar: Bar = no_bar) -> str:
    """Draw the synthetic twin of a data set for trials, if none is there, and return the twin's name.

    Raises:
        SettingError: if there is no twin.
    """
    name = name.removesuffix("-synthetic")
    _twin(name)
    # One that is there will do, whatever its size.
    with contextlib.suppress(DataError):
        return DatasetInfo.load(Path(data) / f"{name}-synthetic").name
    return prepare_twin(name, Path(data), bar).info.name


def load_prepared(name: str, data: Path | str = "data") -> DatasetInfo:
    """Return the `DatasetInfo` of a prepared data set.

    Raises:
        DataError: if it is not there, which says how to prepare it, or is damaged.
    """
    directory = Path(data) / check_name(name, "a data set")
    if not directory.exists():
        dataset = load_dataset(name) if name in PUBLISHED else None
        layout = "" if dataset else " --layout folder"
        ways = [f"With the archive at hand: keras-dhnn prepare {shlex.quote(name)}{layout} --source PATH."]
        if dataset and dataset.download:
            ways.append(f"To fetch it: keras-dhnn prepare {name} --download.")
        if dataset and dataset.twin:
            ways.append(f"Without it: keras-dhnn fit {name} --synthetic")
        raise DataError(f"{directory} is not prepared. {' '.join(ways)}")
    return DatasetInfo.load(directory)


def load_labelled(experiment: Experiment, data: Path | str = "data") -> DatasetInfo:
    """Return the `DatasetInfo` that an experiment learns from: seen with its own table of labels, if it has one.

    Raises:
        DataError: see `load_prepared`; or if the table cannot be used, or nothing can be learned from its labels.
    """
    info, table = load_prepared(experiment.data.name, data), experiment.data.labels
    if table is not None:
        info = info.with_labels(read_labels(table, info.ids))
    labels, named = info.table, set(info.classes) - {UNLABELLED}
    if labels is None and len(named) == 1:
        labels = Labels(tuple(named), info.known[:, None])
    if labels is not None:
        labels.check_learnable(info.directory if table is None else table)
    return info


def verify(name: str, data: Path | str = "data") -> DatasetInfo:
    """Read every file of a prepared data set, and compare it with its checksum.

    Returns:
        The `DatasetInfo`.

    Raises:
        DataError: naming the first file that is missing or has changed, or saying that nothing is prepared.
    """
    info = load_prepared(name, data)
    info.verify()
    return info


def _of(layout: str, synthetic: bool) -> str:
    return f"the synthetic twin of {layout}" if synthetic else f"--layout {layout}"


def _twin(name: str) -> Any:
    """Return the `Twin` of a data set.

    Raises:
        SettingError: if it has none.
    """
    twin = load_dataset(name).twin if name in MODULES else None
    if twin is None:
        twins = [other for other in PUBLISHED if load_dataset(other).twin]
        how = " Give your images by --source PATH." if name in LAYOUTS else ""
        raise SettingError(f"There is no synthetic twin of {name!r}. There are twins of: {', '.join(twins)}.{how}")
    return twin


def _fetch(dataset: Dataset, data: Path, bar: Bar) -> Path:
    """Return the path of a published archive, downloaded into the data folder if it is not there yet."""
    published = dataset.download
    if published is None:
        names = [name for name in PUBLISHED if load_dataset(name).download]
        raise SettingError(f"Only {', '.join(names)} can be downloaded. Give the archive by --source PATH.")
    with bar(f"Downloading {published.url}", published.size, "byte") as update:
        return fetch(
            published.url,
            data / published.file,
            size=published.size,
            checksum=published.checksum,
            progress=lambda done, total: update(done),
        )


def _write(archive: Archive, directory: Path, seed: int, bar: Bar, **how: Any) -> store.Prepared:
    with bar(f"Preparing {directory}", archive.count, "image") as update:
        return store.prepare(archive, directory, seed=seed, progress=lambda done, total: update(done), **how)
