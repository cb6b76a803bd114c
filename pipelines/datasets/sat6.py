"""Read SAT-6: 405,000 patches as those of SAT-4, of six classes: 324,000 training and 81,000 test patches, all of them.

It is published as `sat-6-full.mat`, with one-hot labels 6 x N, and as four CSV files with a row a patch.

Reference: S. Basu, S. Ganguly, S. Mukhopadhyay, R. DiBiano, M. Karki and R. Nemani, "DeepSat: a learning framework
for satellite imagery", ACM SIGSPATIAL International Conference on Advances in Geographic Information Systems, 2015.
"""

from pathlib import Path

from keras_dhnn.pipelines.datasets.dataset import Dataset
from keras_dhnn.pipelines.datasets.sat4 import Patches, open_patches
from keras_dhnn.pipelines.example import Archive

CLASSES = ("building", "barren land", "trees", "grassland", "road", "water")
SAT6 = Patches(
    CLASSES, "sat-6-full.mat", ("X_train_sat6.csv", "y_train_sat6.csv", "X_test_sat6.csv", "y_test_sat6.csv")
)


def open_archive(source: Path | str) -> Archive:
    """Open a SAT-6 archive, `sat-6-full.mat` or a folder with it or with the CSV files; as `sat4.open_archive`."""
    return open_patches(source, SAT6)


DATASET = Dataset(open_archive)
