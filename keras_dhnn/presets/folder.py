"""Any collection of the user's own: 2 to some dozens of classes, 100 to some ten thousand images.

    keras-dhnn prepare NAME --layout folder --source DIR
    keras-dhnn fit NAME

Only the hash head is trained, on features of the frozen ImageNet network that are computed once: minutes on two cores
where training the network itself takes hours, and with few labels a class it is the better start too. Each image
stands for itself (one turn), and one in ten of each class is a query. Images are seen at 256 pixels whatever they are
stored at: patches of 64 pixels are enlarged, since the network was trained on larger things.
"""

from keras_dhnn.config import Data, Experiment, Loss, Model, Phase

EXPERIMENT = Experiment(
    data=Data(name="folder", protocol="grouped", queries=0.1, turns=1, image_size=256, validation=0.1),
    model=Model(backbone="efficientnet_lite0", bits=64, hidden=512, weight_decay=1e-4),
    loss=Loss(similarity_factor=0.5, eta=0.1, pair_weighting="balanced"),
    head=Phase(cut="features", epochs=40, learning_rate=1e-3),
    fine_tune=Phase(cut="stage5", epochs=0, learning_rate=3e-4, backbone_learning_rate=1e-4),
)
