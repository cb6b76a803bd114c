"""Set up DSRSID: 80,000 dual samples of eight land covers, enough to train the paper's networks from random weights.

keras-dhnn prepare dsrsid --source DSRSID.mat
keras-dhnn fit dsrsid

Tables II and III at the images' own sizes, 5,000 queries and 30 passes as in the paper (section IV); over a part of the
archive up to 108. What the weights were chosen by is in docs/measurements/cross-source.md.
"""

from keras_dhnn.config import Augmentation, Data, Experiment, Loss, Model, Phase, Training
from keras_dhnn.experiment.presets import with_passes
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

EXPERIMENT = Experiment(
    data=Data(name="dsrsid", protocol="paper", queries=1 / 16, turns=1, image_size=0, validation=0.01),
    augmentation=Augmentation(flips=True),
    model=Model(backbone={"pan": "pan_cnn", "mul": "mul_cnn"}, weights="none", bits=32, hidden=0),
    loss=Loss(similarity_factor=0.5, alpha=1.0, beta=0.02, gamma=0.01, pair_weighting="balanced"),
    head=Phase(cut="features", epochs=0),
    fine_tune=Phase(cut="images", epochs=30, learning_rate=5e-4, backbone_learning_rate=5e-4),
    training=Training(batch_size=64, validate_every=5),
)
# Gradient steps that these networks came to rest in on `ucmd-dual`.
STEPS, MOST_EPOCHS = 12_000, 108


def fitted_to(info: DatasetInfo) -> Experiment:
    """Return the preset for a part of the archive, such as a small twin."""
    return with_passes(EXPERIMENT, info.count, STEPS, MOST_EPOCHS)
