"""Set up UC Merced: 2,100 aerial images of 21 classes, few labels, so transfer learning (DHNN section IV-B).

keras-dhnn prepare ucmd --source UCMerced_LandUse.zip
keras-dhnn fit ucmd

What it reaches is in README, how it was chosen in docs/measurements/ucmd.md.
"""

from keras_dhnn.config import Data, Experiment, Loss, Model, Phase

EXPERIMENT = Experiment(
    data=Data(name="ucmd", protocol="paper", turns=4, image_size=256, validation=0.02),
    model=Model(
        backbone="efficientnet_lite1+efficientnet_lite2",
        bits=64,
        hidden=512,
        weight_decay=1e-4,
        query_turns=4,
    ),
    loss=Loss(similarity_factor=0.5, eta=0.1, pair_weighting="balanced"),
    head=Phase(cut="features", epochs=40, learning_rate=1e-3),
    # Of one network alone, three epochs of this gain what a second network gains, for more time: see there.
    fine_tune=Phase(cut="stage5", epochs=0, learning_rate=3e-4, backbone_learning_rate=1e-4),
)
