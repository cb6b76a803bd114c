"""Set up UC Merced as dual samples: a panchromatic image of full size, a multispectral one of a quarter (SIDHCNN).

keras-dhnn prepare ucmd-dual --source UCMerced_LandUse.zip
keras-dhnn fit ucmd-dual

Both branches are ImageNet's network, since 2,100 images are few. The paper's own networks from random weights:
`--backbone pan=pan_cnn,mul=mul_cnn`. docs/measurements/cross-source.md has what either reaches,
and what chose the settings.
"""

from keras_dhnn.config import Data, Experiment, Loss, Model, Phase

EXPERIMENT = Experiment(
    data=Data(name="ucmd-dual", protocol="paper", turns=4, image_size=256, validation=0.02),
    model=Model(backbone="efficientnet_lite0", bits=32, hidden=512, weight_decay=1e-4, start="auto"),
    loss=Loss(similarity_factor=0.5, alpha=1.0, beta=0.1, gamma=0.05, pair_weighting="balanced"),
    head=Phase(cut="features", epochs=120, learning_rate=1e-3),
    fine_tune=Phase(cut="stage5", epochs=0, learning_rate=3e-4, backbone_learning_rate=1e-4),
)
