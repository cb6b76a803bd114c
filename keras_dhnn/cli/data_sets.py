"""Prepared data sets by name, and the twins that are drawn where there is none."""

import contextlib

# The data sets that have a synthetic twin, and how large `--synthetic` makes it.
_TWINS = {
    "ucmd": {"per_class": 20},
    "ucmd-dual": {"per_class": 20},
    "sat4": {"size": 20_000, "label_noise": 0.0},
    "dsrsid": {"size": 2400},
}


def twin(name, data, bar):
    """Makes the synthetic twin of a data set, if it is not there, and returns its name."""
    from keras_dhnn.cli.prepare import prepare_twin
    from keras_dhnn.errors import DataError
    from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

    name = name.removesuffix("-synthetic")
    if name not in _TWINS:
        raise ValueError(f"There is no synthetic twin of {name!r}. There are twins of: {', '.join(_TWINS)}")
    # One that is there will do, whatever its size.
    with contextlib.suppress(DataError):
        return DatasetInfo.load(data / f"{name}-synthetic").name
    return prepare_twin(name, data, bar, **_TWINS[name]).info.name


def prepared(data, name):
    """The `DatasetInfo` of a prepared data set; one that is not there is a `DataError` that says how to prepare it."""
    from keras_dhnn.errors import DataError
    from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

    if not (data / name).exists():
        layout = "" if name in _TWINS else " --layout folder"
        ways = [f"With the archive at hand: keras-dhnn prepare {name}{layout} --source PATH."]
        ways += [f"To fetch it: keras-dhnn prepare {name} --download."] if name in ("ucmd", "ucmd-dual") else []
        ways += [f"Without it: keras-dhnn fit {name} --synthetic"] if name in _TWINS else []
        raise DataError(f"{data / name} is not prepared. {' '.join(ways)}")
    return DatasetInfo.load(data / name)
