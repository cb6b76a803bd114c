"""Set up SAT-4: half a million patches of four classes, trained from scratch on all four bands (DHNN section IV-C).

keras-dhnn prepare sat4 --source sat-4-full.mat
keras-dhnn fit sat4

Three passes over all of it; of a part of it up to ten. docs/measurements/sat4.md has what the weights were chosen by.
"""

from keras_dhnn.config import Data, Experiment, Loss, Model, Phase, Training
from keras_dhnn.experiment.presets import with_passes
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

EXPERIMENT = Experiment(
    data=Data(name="sat4", protocol="paper", queries=1000.0, validation=0.01, turns=1, image_size=28),
    model=Model(backbone="sat4_cnn", weights="none", bits=64, hidden=0),
    loss=Loss(similarity_factor=2.0, eta=0.02, pair_weighting="balanced"),
    head=Phase(cut="features", epochs=0),
    fine_tune=Phase(cut="images", epochs=3, learning_rate=1e-3, backbone_learning_rate=1e-3),
    training=Training(batch_size=256, validate_every=1),
)
# Gradient steps of the three passes.
STEPS, MOST_EPOCHS = 5800, 10


def fitted_to(info: DatasetInfo) -> Experiment:
    """Return the preset for a part of the archive, such as a small twin."""
    return with_passes(EXPERIMENT, info.count, STEPS, MOST_EPOCHS)
