"""Set up any collection of the user's own: 2 to some dozens of classes, 100 to some ten thousand images.

    keras-dhnn prepare NAME --layout folder --source DIR
    keras-dhnn fit NAME

Only the hash head is trained, on features of the frozen ImageNet network that are computed once: minutes on two cores
where training the network itself takes hours. Each image stands for itself (one turn), and one in ten of each class is
a query. Images are seen at 256 pixels whatever they are stored at: patches of 64 pixels are enlarged, since the network
was trained on larger things. docs/measurements/folder.md has what this was chosen by.
"""

import math

from keras_dhnn.config import Data, Experiment, Loss, Model, Phase
from keras_dhnn.pipelines.published_split import PUBLISHED, has_published
from keras_dhnn.pipelines.store.dataset_info import DatasetInfo

QUERIES = 0.1
EXPERIMENT = Experiment(
    data=Data(name="folder", protocol="grouped", queries=QUERIES, turns=1, image_size=256, validation=0.1),
    model=Model(backbone="efficientnet_lite0", bits=64, hidden=512, weight_decay=1e-4),
    loss=Loss(similarity_factor=0.5, eta=0.1, pair_weighting="balanced"),
    head=Phase(cut="features", epochs=40, learning_rate=1e-3),
    fine_tune=Phase(cut="stage5", epochs=0, learning_rate=3e-4, backbone_learning_rate=1e-4),
)
# Fewer steps leave the head of a small collection unfinished; more epochs than these gain nothing.
STEPS, MOST_EPOCHS = 480, 160


def fitted_to(info: DatasetInfo) -> Experiment:
    """Return the preset for a collection: epochs by its size, statistics of its bands where it has more than three, the
    split that was published with it, if there is one.

    Args:
        info: its `DatasetInfo`.

    Returns:
        `Experiment`.
    """
    data, batch = EXPERIMENT.data, EXPERIMENT.training.batch_size
    steps = max(1, int(info.count * (1 - QUERIES) * (1 - data.validation)) // batch)
    epochs = min(max(EXPERIMENT.head.epochs, math.ceil(STEPS / steps)), MOST_EPOCHS)
    more = any(spec.channels > 3 for spec in info.images.values())
    # Where epochs are many they are short, and validating would take longer than they do.
    every = max(1, epochs // EXPERIMENT.head.epochs)
    changes = [
        f"head.epochs={epochs}",
        f"training.validate_every={every}",
        f"model.band_statistics={str(more).lower()}",
    ]
    if has_published(info.directory):
        changes += [f"data.split={PUBLISHED}", "data.protocol=standard"]
    return EXPERIMENT.override(*changes)
