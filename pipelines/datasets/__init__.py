"""Read archives of images: one data set a file, and the one table of them.

To add one, write a module with a `DATASET` (see `dataset.py`) and name it in `MODULES`.
"""

import importlib
from typing import TYPE_CHECKING

from keras_dhnn.errors import SettingError

if TYPE_CHECKING:
    from keras_dhnn.pipelines.datasets.dataset import Dataset

# Data sets by name, and layouts for images of one's own.
MODULES = {
    "ucmd": "keras_dhnn.pipelines.datasets.ucmd",
    "ucmd-dual": "keras_dhnn.pipelines.datasets.ucmd_dual",
    "sat4": "keras_dhnn.pipelines.datasets.sat4",
    "sat6": "keras_dhnn.pipelines.datasets.sat6",
    "dsrsid": "keras_dhnn.pipelines.datasets.dsrsid",
    "bigearthnet": "keras_dhnn.pipelines.datasets.bigearthnet",
    "dfc15": "keras_dhnn.pipelines.datasets.dfc15",
    "folder": "keras_dhnn.pipelines.datasets.folder",
    "images": "keras_dhnn.pipelines.datasets.images",
    "dual": "keras_dhnn.pipelines.datasets.dual",
}
LAYOUTS = ("folder", "images", "dual")
PUBLISHED = tuple(name for name in MODULES if name not in LAYOUTS)


def load_dataset(name: str) -> "Dataset":
    """Return the description of a data set or layout.

    Raises:
        SettingError: if there is none of that name.
    """
    if name not in MODULES:
        raise SettingError(f"There is no data set or layout {name!r}. There are: {', '.join(MODULES)}")
    return importlib.import_module(MODULES[name]).DATASET
