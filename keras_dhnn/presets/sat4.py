"""SAT-4: half a million patches of four classes, so trained from scratch on all four bands (DHNN section IV-C).

keras-dhnn prepare sat4 --source sat-4-full.mat
keras-dhnn fit sat4
"""

from keras_dhnn.config import Data, Experiment, Loss, Model, Phase, Training

EXPERIMENT = Experiment(
    data=Data(name="sat4", protocol="paper", queries=1000.0, validation=0.01, turns=1, image_size=28),
    model=Model(backbone="sat4_cnn", weights="none", bits=64, hidden=0),
    loss=Loss(similarity_factor=0.75, eta=0.1),
    head=Phase(cut="features", epochs=0),
    fine_tune=Phase(cut="images", epochs=10, learning_rate=1e-3, backbone_learning_rate=1e-3),
    training=Training(batch_size=256, validate_every=1),
)
