"""Set up SAT-6, the patches of SAT-4 in six classes, by SAT-4's preset: nothing was measured on SAT-6 itself.

keras-dhnn prepare sat6 --source sat-6-full.mat
keras-dhnn fit sat6
"""

from keras_dhnn.config import Experiment
from keras_dhnn.experiment.presets import sat4, with_passes
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

EXPERIMENT = sat4.EXPERIMENT.override("data.name=sat6")


def fitted_to(info: DatasetInfo) -> Experiment:
    """Return the preset for a part of the archive."""
    return with_passes(EXPERIMENT, info.count, sat4.STEPS, sat4.MOST_EPOCHS)
