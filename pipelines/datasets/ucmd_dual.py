"""Make a cross-source benchmark of public images: UC Merced's, each as a panchromatic and a multispectral one.

`pan` (256, 256, 1) is the mean of red, green and blue at 0.3 m, `mul` (64, 64, 3) the three bands at 1.2 m, as of
`wald`. Items, classes and names are those of `ucmd`.
"""

import dataclasses
from pathlib import Path

from keras_dhnn.pipelines.datasets import ucmd
from keras_dhnn.pipelines.datasets.wald import derive_pairs
from keras_dhnn.pipelines.example import Archive


def open_archive(source: Path | str, *, skip_damaged: bool = False) -> Archive:
    """Return a UC Merced archive as pairs; arguments, errors and result as of `ucmd.open_archive`."""
    return derive_pairs(ucmd.open_archive(source, skip_damaged=skip_damaged))


DATASET = dataclasses.replace(ucmd.DATASET, open_archive=open_archive)
